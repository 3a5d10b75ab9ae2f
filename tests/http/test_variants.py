"""One URL, several pages: by the headers it depends on, side by side, and gone together."""

import pytest
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, get_cache_service
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.page_keys import page_key
from asynccache.testing import FakeClock
from tests.http.serving import app_of, ask, client_of, is_hit, status_of

KEY = page_key("GET", "http://testserver/")


def speaking(**options):
    """Make a handler that answers in the language asked for, without our seeing what it reads."""

    @Cache(60, **options)
    async def handler(request):
        handler.calls += 1
        return PlainTextResponse(handler.text(request), headers=handler.headers)

    handler.calls = 0
    handler.headers = {}
    handler.text = lambda request: f"call {handler.calls}"
    return handler


def test_headers_named_in_vary_keep_pages_apart_and_go_out_in_vary():
    client = client_of(speaking(vary=("Accept-Language",)))
    texts = [client.get("/", headers={"accept-language": language}).text for language in ("de", "fr", "de", "fr")]
    assert texts == ["call 1", "call 2", "call 1", "call 2"]
    assert client.get("/", headers={"accept-language": "de"}).headers["vary"] == "accept-language"


def test_absent_matches_absent_only():
    client = client_of(speaking(vary=("x-tenant",)))
    texts = [client.get("/", headers=headers).text for headers in ({}, {"x-tenant": ""}, {}, {"x-tenant": ""})]
    assert texts == ["call 1", "call 2", "call 1", "call 2"]


def test_the_responses_own_vary_is_heeded_and_not_repeated():
    handler = speaking()
    handler.headers = {"vary": "Accept, Accept-Encoding"}
    client = client_of(handler)
    client.get("/", headers={"accept": "a"})
    hit = client.get("/", headers={"accept": "a"})
    assert is_hit(hit)
    assert hit.headers.get_list("vary") == ["Accept, Accept-Encoding"]
    assert not is_hit(client.get("/", headers={"accept": "b"}))


def test_a_header_of_several_lines_counts_as_a_whole():
    client = client_of(speaking(vary=("x-a",)))
    one, two, three = ([("x-a", "1"), ("x-a", "2")], [("x-a", "1")], [("x-a", "2"), ("x-a", "1")])
    texts = [client.get("/", headers=headers).text for headers in (one, two, three, one)]
    assert texts == ["call 1", "call 2", "call 3", "call 1"]


def test_two_lines_are_not_one_line_with_a_comma():
    @Cache(60)
    async def first(request):
        return PlainTextResponse(request.headers["x-a"])

    client = client_of(first)
    assert client.get("/", headers=[("x-a", "1"), ("x-a", "2")]).text == "1"
    for line in ("1,2", "1, 2"):
        assert client.get("/", headers={"x-a": line}).text == line


def test_names_learnt_later_join_those_that_are_known():
    handler = speaking()
    handler.text = lambda request: (
        request.headers.get("x-a", "-") + (request.headers.get("x-b", "-") if "x-a" in request.headers else "")
    )
    client = client_of(handler)
    asked = [{}, {"x-a": "1"}, {"x-a": "1", "x-b": "2"}, {"x-b": "2"}]
    expected = ["-", "1-", "12", "-"]
    for _ in range(4):
        assert [client.get("/", headers=headers).text for headers in asked] == expected
    assert all(is_hit(client.get("/", headers=headers)) for headers in asked)


def test_deleting_the_key_deletes_all_variants():
    app = app_of(speaking(vary=("accept",)))
    service, client = get_cache_service(app), TestClient(app)
    for accept in ("a", "b"):
        client.get("/", headers={"accept": accept})
    assert service.delete(KEY)
    assert not service.has_key(KEY)
    assert [client.get("/", headers={"accept": accept}).text for accept in "ab"] == ["call 3", "call 4"]


def test_a_variant_keeps_the_others_alive():
    clock = FakeClock()
    client = client_of(speaking(vary=("accept",)), backend=LocalMemCacheBackend(clock=clock))
    client.get("/", headers={"accept": "a"})
    clock.advance(50)
    client.get("/", headers={"accept": "b"})
    clock.advance(20)
    assert is_hit(client.get("/", headers={"accept": "b"}))
    assert not is_hit(client.get("/", headers={"accept": "a"}))


def test_more_than_eight_names_are_logged_and_not_cached(caplog):
    handler = speaking()
    handler.headers = {"vary": ", ".join(f"x-{number}" for number in range(9))}
    client = client_of(handler)
    client.get("/")
    assert not is_hit(client.get("/"))
    assert "depends on 9 headers" in caplog.text


def test_two_handlers_under_one_key_never_answer_for_each_other():
    def same(ctx, prefix):
        return "same"

    def answering(text):
        async def handler(request):
            return PlainTextResponse(text)

        handler.__qualname__ = text
        return Cache(60, make_key_callback=same)(handler)

    client = client_of(Route("/a", answering("a")), Route("/b", answering("b")))
    for _ in range(3):
        assert [client.get(path).text for path in ("/a", "/b")] == ["a", "b"]
    assert is_hit(client.get("/a"))
    assert is_hit(client.get("/b"))


def test_an_unstorable_variant_leaves_the_others():
    handler = speaking(vary=("accept",))
    client = client_of(handler)
    client.get("/", headers={"accept": "a"})
    handler.headers = {"cache-control": "no-store"}
    client.get("/", headers={"accept": "b"})
    assert status_of(client.get("/", headers={"accept": "b"})) == "fwd=bypass"
    assert is_hit(client.get("/", headers={"accept": "a"}))


async def test_a_mark_ends_after_a_minute():
    clock = FakeClock()
    handler = speaking()
    handler.headers = {"cache-control": "private"}
    app = app_of(handler, backend=LocalMemCacheBackend(clock=clock))
    await ask(app)
    handler.headers = {}
    clock.advance(59)
    assert (await ask(app)).cache == "fwd=bypass"
    clock.advance(2)
    assert (await ask(app)).cache == "fwd=uri-miss; stored"


@pytest.mark.parametrize("rewrites", ["path", "root_path"])
async def test_what_a_middleware_rewrote_by_a_header_poisons_nothing(rewrites):
    class Rewriting:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            for name, value in scope["headers"]:
                if name == b"x-original-url":
                    scope[rewrites] = value.decode()
            await self.app(scope, receive, send)

    handler = speaking()
    handler.text = lambda request: f"{request.scope['root_path']} {request.scope['path']}"
    app = app_of(handler, middleware=[Middleware(Rewriting)])
    evil = [(b"x-original-url", b"/evil")]
    for _ in range(2):
        assert b"evil" in (await ask(app, "/a", headers=evil)).body
        assert b"evil" not in (await ask(app, "/a")).body
    assert (await ask(app, "/a")).cache == "hit"
