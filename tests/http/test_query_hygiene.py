"""`@Cache(query=...)`: a page is kept by what counts of a query, and its handler sees nothing else of it."""

import asyncio

import pytest
from starlette.endpoints import HTTPEndpoint
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from asynccache import Cache, CachePolicy, ConfigurationError, get_cache_service
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.decorator import handler_of
from asynccache.testing import FakeClock
from tests.http.serving import app_of, ask

LEAVE_OUT = ["-utm_*", "-fbclid"]


def seen_of(request):
    """Give all that a handler can see of a query."""
    return {
        "query_string": request.scope["query_string"].decode(),
        "params": request.query_params.multi_items(),
        "url": request.url.query,
    }


def telling(query, **options):
    @Cache(60, query=query, **options)
    async def page(request):
        return JSONResponse(seen_of(request))

    return page


ALIKE = ["/p?a=1&b=2", "/p?b=2&a=1", "/p?utm_source=x&a=1&b=2", "/p?%75tm_x=1&b=2&a=1&fbclid", "/p?a=1&fbclid=1&b=2"]
OTHERS = ["/p", "/p?a=1", "/p?a=1&b=3", "/p?a=1&b=2&c=3", "/p?a=1&a=1&b=2", "/p?A=1&b=2", "/p?a=1&b=2&UTM_source=x"]


@pytest.mark.parametrize("query", [LEAVE_OUT, ["a", "b", "c", "A", "UTM_*"]], ids=["left out", "named"])
async def test_pages_are_kept_by_what_counts(query):
    app = app_of(telling(query))
    await ask(app, ALIKE[0])
    assert [(await ask(app, path)).cache for path in ALIKE] == ["hit"] * len(ALIKE)
    assert {(await ask(app, path)).cache for path in OTHERS} == {"fwd=uri-miss; stored"}


async def test_duplicates_stay_in_order():
    app = app_of(telling(["a"]))
    await ask(app, "/?a=1&a=2")
    assert (await ask(app, "/?x=0&a=1&x=1&a=2")).cache == "hit"
    assert (await ask(app, "/?a=2&a=1")).cache != "hit"


async def test_nothing_of_a_query_may_count():
    app = app_of(telling(()))
    assert b"evil" not in (await ask(app, "/?a=evil")).body
    assert (await ask(app, "/?b=2")).cache == "hit"


async def test_a_handler_sees_what_its_page_is_kept_by():
    app = app_of(telling(LEAVE_OUT))
    answer = await ask(app, "/?b=2&utm_source=evil&a=1&fbclid")
    assert answer.body == b'{"query_string":"b=2&a=1","params":[["b","2"],["a","1"]],"url":"b=2&a=1"}'


@pytest.mark.parametrize("path", ["/?a=1&utm_x=evil", "/?utm_x=evil"])
@pytest.mark.parametrize("kind", ["function", "sync", "class", "stream", "bypassed", "head"])
async def test_nothing_that_is_left_out_gets_into_an_answer(kind, path):
    def text_of(request):
        return str(seen_of(request))

    cache = Cache(60, query=LEAVE_OUT)

    @cache
    async def function(request):
        return PlainTextResponse(text_of(request))

    @cache
    def sync(request):
        return PlainTextResponse(text_of(request))

    @cache
    class InClass(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse(text_of(request) + text_of(self.scope and request))

    @cache
    async def stream(request):
        async def parts():
            for _ in range(3):
                yield text_of(request)

        return StreamingResponse(parts())

    handlers = {"function": function, "sync": sync, "class": InClass, "stream": stream}
    app = app_of(handlers.get(kind, function))
    options = {"bypassed": {"headers": [(b"content-length", b"1")]}, "head": {"method": "HEAD"}}.get(kind, {})
    answer = await ask(app, path, **options)
    assert b"evil" not in answer.body
    assert b"query_string" in answer.body or kind == "head"


class Looking:
    """A middleware, or a decorator, that looks at the query before, while and after a handler answers."""

    def __init__(self, app):
        self.app = app
        self.seen = []

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def look(message):
            self.seen.append(scope["query_string"])
            await send(message)

        self.seen.append(scope["query_string"])
        await self.app(scope, receive, look)
        self.seen.append(scope["query_string"])


@pytest.mark.parametrize("fails", [False, True])
async def test_all_others_see_the_whole_query_all_the_time(fails):
    @Cache(60, query=["a"])
    async def page(request):
        if fails:
            raise LookupError
        return StreamingResponse(iter(["a", "b"]))

    looking = Looking(app_of(page))
    for _ in range(2):
        try:
            await ask(looking, "/?a=1&b=2")
        except LookupError:
            continue
    assert len(looking.seen) >= 4
    assert set(looking.seen) == {b"a=1&b=2"}


async def test_a_decorator_above_sees_the_whole_query_before_and_after():
    seen = []

    def look(function):
        async def looking(request):
            seen.append(seen_of(request))
            try:
                return await function(request)
            finally:
                seen.append(seen_of(request))

        return looking

    app = app_of(look(telling(["a"])))
    assert b"b=2" not in (await ask(app, "/?a=1&b=2")).body
    assert seen[0] == seen[1]
    assert seen[0]["url"] == "a=1&b=2"


async def test_requests_with_other_junk_wait_for_the_same_page():
    go, calls = asyncio.Event(), []

    @Cache(60, query=LEAVE_OUT)
    async def page(request):
        calls.append(1)
        await go.wait()
        return PlainTextResponse("page")

    app = app_of(page)
    asked = [asyncio.create_task(ask(app, f"/?utm_id={number}")) for number in range(5)]
    await asyncio.sleep(0.01)
    go.set()
    assert {(await answer).body for answer in asked} == {b"page"}
    assert calls == [1]


async def test_what_renews_a_page_sees_no_more_than_what_made_it():
    clock, seen = FakeClock(), []

    @Cache(policy=CachePolicy(ttl=10, stale_while_revalidate=60), query=["a"])
    async def page(request):
        seen.append(seen_of(request)["url"])
        return PlainTextResponse("page")

    app = app_of(page, backend=LocalMemCacheBackend(clock=clock))
    await ask(app, "/?a=1&b=2")
    clock.advance(20)
    assert (await ask(app, "/?b=3&a=1")).cache.startswith("hit")
    for _ in range(20):
        await asyncio.sleep(0)
    assert seen == ["a=1", "a=1"]


async def test_methods_with_a_body():
    @Cache(60, methods=("POST",), query=["a"])
    async def search(request):
        return JSONResponse([seen_of(request), (await request.body()).decode()])

    app = app_of(Route("/", search, methods=["POST"]))
    body = {"method": "POST", "headers": [(b"content-length", b"1")], "body": b"q"}
    assert b"evil" not in (await ask(app, "/?a=1&b=evil", **body)).body
    assert (await ask(app, "/?b=other&a=1", **body)).cache == "hit"


async def test_methods_that_are_not_cached_see_everything():
    @Cache(60, query=["a"])
    async def page(request):
        return JSONResponse(seen_of(request))

    app = app_of(Route("/", page, methods=["GET", "PUT"]))
    assert b"b=2" in (await ask(app, "/?a=1&b=2", method="PUT")).body


async def test_a_page_goes_by_the_url_that_counts():
    app = app_of(telling(["a"]))
    await ask(app, "/p?a=1&b=2")
    service = get_cache_service(app)
    assert not await service.invalidate_url_async("http://h/p?a=1&b=2")
    assert await service.invalidate_url_async("http://h/p?a=1")


async def test_a_million_links_with_junk_are_one_page_and_one_key():
    page = telling(LEAVE_OUT)
    backend = LocalMemCacheBackend()
    app = app_of(page, backend=backend)
    for number in range(300):
        await ask(app, f"/?utm_id={number}&a=1&fbclid={number}")
    assert backend.stats()["entries"] == 1
    assert len(handler_of(page)._keys.known) == 1


async def test_what_counts_is_bounded_by_the_store_and_by_what_keys_remember():
    page = telling(["a"])
    backend = LocalMemCacheBackend(max_entries=50)
    app = app_of(page, backend=backend)
    for number in range(5_000):
        handler_of(page)._keys.of({**SCOPE, "query_string": b"a=%d&b=%d" % (number, number)}, b"h")
    assert len(handler_of(page)._keys.known) <= 4096
    for number in range(200):
        await ask(app, f"/?a={number}")
    assert backend.stats()["entries"] <= 50


SCOPE = {"type": "http", "method": "GET", "scheme": "http", "path": "/", "raw_path": b"/", "root_path": ""}


# What cannot be meant


@pytest.mark.parametrize("query", ["page", ["a", "-b"], ["*"], [""]], ids=repr)
def test_nonsense_is_told_by_the_decorator(query):
    with pytest.raises(ConfigurationError, match="query"):
        Cache(query=query)


@pytest.mark.parametrize("query", [["a"], "declared"], ids=repr)
def test_a_key_callback_makes_its_own_key(query):
    with pytest.raises(ConfigurationError, match="make_key_callback"):
        Cache(query=query, make_key_callback=lambda ctx, prefix: "key")


async def test_in_starlette_nobody_declares_parameters():
    app = app_of(telling("declared"))
    with pytest.raises(ConfigurationError, match="nobody knows there"):
        async with app.router.lifespan_context(app):
            pass
    with pytest.raises(ConfigurationError, match="name those that count"):
        await ask(app, "/?a=1")
