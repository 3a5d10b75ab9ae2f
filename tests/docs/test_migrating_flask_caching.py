"""Rows of docs/migrating/flask-caching.md that are more than another name: Flask-Caching beside ours."""

import pytest
from flask import Flask, abort, make_response, request
from flask_caching import Cache as FlaskCaching

from asynccache import FOREVER, Cache, CacheModule, CachePolicy, ConfigurationError, cached
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.config import app_backends
from asynccache.integrations.flask import Caching, get_cache_service


@pytest.fixture
def app():
    made = Flask(__name__)
    made.config["CACHE_TYPE"] = "SimpleCache"
    return made


@pytest.fixture
def theirs(app):
    return FlaskCaching(app)


def test_a_stored_none_is_a_value_here(theirs, ours):
    theirs.set("key", None)
    ours.set("key", None)
    assert theirs.get("key") is theirs.get("nothing") is None
    assert (ours.get("key", default=7), ours.get("nothing", default=7)) == (None, 7)


def test_0_is_no_expiry_there_and_the_end_here(theirs, ours, clock):
    theirs.set("key", 1, timeout=0)
    ours.set("key", 1, ttl=0)
    ours.set("endless", 1, ttl=FOREVER)
    clock.advance(1_000_000)
    assert (theirs.get("key"), ours.get("key"), ours.get("endless")) == (1, None, 1)


def test_many_are_lists_there_and_a_dict_of_hits_here(theirs, ours):
    assert theirs.set_many({"a": 1, "b": 2}) == ["a", "b"]
    assert ours.set_many({"a": 1, "b": 2}) == []
    assert theirs.get_many("a", "c") == [1, None]
    assert theirs.get_dict("a", "c") == {"a": 1, "c": None}
    assert ours.get_many(["a", "c"]) == {"a": 1}
    assert theirs.delete_many("a", "c") == ["a", "c"]
    assert ours.delete_many(["a", "c"]) == 1


def test_adding_deleting_and_looking_are_alike(theirs, ours):
    for cache, has in ((theirs, theirs.has), (ours, ours.has_key)):
        assert [cache.add("key", 1), cache.add("key", 2), cache.get("key")] == [True, False, 1]
        assert [has("key"), cache.delete("key"), cache.delete("key"), has("key")] == [True, True, False, False]


def test_arguments_make_the_same_entries_in_both(theirs, ours):
    there, here = [], []

    @theirs.memoize()
    def memoized(number, other=1):
        there.append(number)
        return number

    @cached()
    def mine(number, other=1):
        here.append(number)
        return number

    for function in (memoized, mine):
        assert [function(1), function(number=1), function(1, 1), function("1"), function(1.0)] == [1, 1, 1, "1", 1.0]
    assert there == here == [1, "1", 1.0]


def test_a_returned_none_is_found_again_here(theirs, ours, calls):
    @theirs.memoize()
    def there():
        calls.append("theirs")

    @cached()
    def here():
        calls.append("ours")

    @cached(policy=CachePolicy(condition=lambda value: value is not None))
    def filtered():
        calls.append("filtered")

    for function in (there, here, filtered):
        assert function() is function() is None
    assert calls == ["theirs", "theirs", "ours", "filtered", "filtered"]


def test_one_call_is_forgotten_or_all_by_another_version(theirs, ours, calls):
    def found(number):
        calls.append(number)
        return number

    memoized, mine, next_one = theirs.memoize()(found), cached()(found), cached(version=2)(found)
    memoized(1)
    mine(1)
    theirs.delete_memoized(memoized, 1)
    assert mine.invalidate(1)
    calls.clear()
    assert [memoized(1), mine(1), calls] == [1, 1, [1, 1]]
    theirs.delete_memoized(memoized)
    assert [memoized(1), next_one(1), calls] == [1, 1, [1, 1, 1, 1]]


def test_forced_update_and_uncached_are_methods_here(ours, calls):
    @cached(ignore=["session"])
    def found(number, session=None):
        calls.append(number)
        return len(calls)

    assert [found(7, session=1), found(7, session=2)] == [1, 1]
    assert found.__wrapped__(7) == 2
    assert [found.refresh(7), found(7)] == [3, 3]


def test_an_object_says_who_it_is(ours, calls):
    class Shop:
        def __init__(self, name):
            self.name = name

        def __cache_key__(self):
            return self.name

        @cached()
        def stock(self):
            calls.append(self.name)

    for name in ("tea", "cake", "tea"):
        Shop(name).stock()
    assert calls == ["tea", "cake"]


@pytest.mark.parametrize(
    ("config", "ttl", "key"),
    [
        ({}, 300, ":1:key"),
        ({"CACHE_DEFAULT_TIMEOUT": 0, "CACHE_KEY_PREFIX": "shop"}, FOREVER, "shop:1:key"),
        ({"CACHE_DEFAULT_TIMEOUT": 60, "CACHE_THRESHOLD": 500}, 60, ":1:key"),
    ],
)
def test_the_configuration_is_read(app, config, ttl, key):
    backend = CacheModule(app_backends(app.config | config)).service.get_backend()
    assert isinstance(backend, LocalMemCacheBackend)
    assert (backend.lifetime(None), backend.stored_key("key")) == (ttl, key)


@pytest.mark.parametrize("kind", ["FileSystemCache", "UWSGICache", "SASLMemcachedCache"])
def test_types_that_are_not_here_are_refused_with_a_way_out(kind):
    with pytest.raises(ConfigurationError, match=r"take|give one of"):
        CacheModule(app_backends({"CACHE_TYPE": kind}))


def both(app, theirs, view, **options):
    """Route `/theirs` and `/ours` to what the two decorators make of a view."""
    Caching(app)
    app.add_url_rule("/theirs", "theirs", theirs.cached()(view), **options)
    app.add_url_rule("/ours", "ours", Cache(60)(view), **options)


def test_query_and_method_are_in_the_key_here(app, theirs, calls):
    def view():
        calls.append(1)
        return f"{request.method} {request.query_string.decode()}"

    both(app, theirs, view, methods=["GET", "POST"])
    client = app.test_client()

    def answers(path):
        return [client.get(f"{path}?a=1").text, client.get(f"{path}?a=2").text, client.post(path).text]

    assert answers("/theirs") == ["GET a=1"] * 3
    assert answers("/ours") == ["GET a=1", "GET a=2", "POST "]
    assert "hit" in client.get("/ours?a=2").headers["cache-status"]


def test_cookies_are_not_handed_to_others_here(app, theirs, calls):
    def view():
        response = make_response("page")
        calls.append(1)
        response.set_cookie("number", f"{len(calls)}")
        return response

    both(app, theirs, view)
    assert [app.test_client().get("/theirs").headers["set-cookie"] for _ in range(2)] == ["number=1; Path=/"] * 2
    assert [app.test_client().get("/ours").headers["set-cookie"][:8] for _ in range(2)] == ["number=2", "number=3"]


def test_errors_are_not_stored_here(app, theirs, calls):
    def view():
        calls.append(1)
        abort(404, f"call {len(calls)}")

    both(app, theirs, view)
    client = app.test_client()
    assert ["call 1" in client.get("/theirs").text for _ in range(2)] == [True, True]
    assert [f"call {number}" in client.get("/ours").text for number in (2, 3)] == [True, True]


def test_unless_is_a_key_callback_that_says_none_here(app, theirs, calls):
    Caching(app)

    @app.get("/")
    @Cache(60, make_key_callback=lambda ctx, prefix: None if ctx.query_params.get("fresh") else ctx.url.path)
    def view():
        calls.append(1)
        return f"{len(calls)}"

    client = app.test_client()
    assert [client.get(path).text for path in ("/", "/?a=1", "/?fresh=1", "/")] == ["1", "1", "2", "1"]


def test_a_page_goes_by_its_url_here(app, theirs, calls):
    def view():
        calls.append(1)
        return f"{len(calls)}"

    both(app, theirs, view)
    client = app.test_client()
    assert [client.get(path).text for path in ("/theirs", "/ours?limit=15")] == ["1", "2"]
    with app.app_context():
        assert theirs.delete_cached(app.view_functions["theirs"], "/theirs")
        assert get_cache_service().invalidate_url("http://localhost/ours?limit=15")
    assert [client.get(path).text for path in ("/theirs", "/ours?limit=15")] == ["3", "4"]
