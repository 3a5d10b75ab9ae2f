"""The service in Flask and Quart: injected, asked for, and found by `@cached` functions, in requests and without."""

import asyncio

import pytest

from asynccache import Cache, ConfigurationError, ICacheService, Inject, cached, inject
from tests.http.serving import is_hit
from tests.integrations.views.sites import Site


def with_views(site):
    """Give a site views that count visits in three ways."""
    calls, get_cache_service = [], site.integration.get_cache_service

    @cached(ttl=60)
    def square(number):
        calls.append(number)
        return number * number

    @cached(ttl=60)
    async def cube(number):
        calls.append(number)
        return number**3

    @site.app.get("/injected")
    @inject
    def injected(cache: Inject[ICacheService]):
        return [cache.incr("visits")]

    @site.app.get("/injected/async/<int:step>")
    @inject
    async def injected_async(step, cache: Inject[ICacheService]):
        return [await cache.incr_async("visits", step)]

    @site.app.get("/cached")
    @Cache(60)
    @inject
    def both(*, cache: Inject[ICacheService]):
        return [cache.incr("visits")]

    @site.app.get("/asked")
    def asked():
        return [get_cache_service().incr("visits")]

    @site.app.get("/square/<int:number>")
    def squared(number):
        return [square(number)]

    @site.app.get("/cube/<int:number>")
    async def cubed(number):
        return [await cube(number)]

    return calls


async def test_the_service_is_injected_and_asked_for_in_views(site):
    with_views(site)
    paths = ("/injected", "/injected/async/5", "/asked", "/cached", "/cached")
    answers = [await site.ask(path) for path in paths]
    assert [answer.text.strip() for answer in answers] == ["[1]", "[6]", "[7]", "[8]", "[8]"]
    assert is_hit(answers[4])


async def test_methods_of_view_classes_are_injected_into(site):
    class Visits(site.views.MethodView):
        @inject
        def get(self, name, cache: Inject[ICacheService]):
            return [cache.incr(name)]

        @inject
        async def post(self, name, cache: Inject[ICacheService]):
            return [await cache.incr_async(name)]

    site.app.add_url_rule("/<name>", view_func=Visits.as_view("visits"))
    assert [(await site.ask("/a", method=method)).text.strip() for method in ("GET", "POST")] == ["[1]", "[2]"]


async def test_cached_functions_use_the_service_of_the_app_that_serves(framework):
    first, second = Site(framework), Site(framework)
    calls = [with_views(site) for site in (first, second)]
    for path, found in (("/square/3", "[9]"), ("/cube/2", "[8]")):
        for site in (first, first, second):
            assert (await site.ask(path)).text.strip() == found
    assert calls == [[3, 2], [3, 2]]


async def test_without_a_cache_on_the_app_it_is_said(framework):
    site = Site(framework, cached=False)
    site.app.config["PROPAGATE_EXCEPTIONS"] = True
    with_views(site)
    with pytest.raises(ConfigurationError, match="no app at work that a cache is installed on"):
        await site.ask("/injected")


@cached(ttl=60)
def twice(word):
    return word * 2


async def test_within_the_context_of_an_app_its_service_is_used_and_afterwards_none(site):
    other = Site(site.framework)
    if site.framework == "flask":
        with site.app.app_context():
            assert twice("a") == "aa"
            with other.app.app_context():
                assert twice("b") == "bb"
            assert twice("a") == "aa"
    else:
        async with site.app.app_context():
            assert twice("a") == "aa"
            async with other.app.app_context():
                assert twice("b") == "bb"
            assert twice("a") == "aa"
    stored = [site.integration.get_cache_service(each.app).stats()["default"]["hits"] for each in (site, other)]
    assert stored == [1, 0]
    with pytest.raises(ConfigurationError, match="no cache is at hand"):
        twice("c")


async def test_a_request_leaves_no_service_behind_however_it_ends(site):
    @site.app.get("/<what>")
    @Cache(60)
    def view(what):
        if what == "stream":
            return site.web.Response(iter(["a", "b"]))
        raise LookupError

    @site.app.teardown_appcontext
    def fails(error):
        if error is not None:
            raise ValueError

    site.app.testing = True
    for path in ("/stream", "/fails"):
        try:
            await site.ask(path)
        except (LookupError, ValueError):
            assert path == "/fails"
        with pytest.raises(ConfigurationError, match="no cache is at hand"):
            await asyncio.to_thread(twice, "c")


def test_commands_use_the_service_of_their_app():
    site, said = Site("flask"), []

    @site.app.cli.command("warm")
    def warm():
        said.append((twice("a"), site.integration.get_cache_service().incr("runs")))

    site.app.test_cli_runner().invoke(args=["warm"])
    assert said == [("aa", 1)]
