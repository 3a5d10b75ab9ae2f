"""`@Cache(policy=...)`: pages are renewed behind the back of their readers, and stand in where a new one fails."""

import asyncio
import time
from contextvars import ContextVar
from itertools import pairwise

import pytest
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, Router

from asynccache import Cache, CachePolicy, ConfigurationError, current_load, get_cache_service
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.core.events import LoadFailed
from asynccache.http.current import installed
from asynccache.testing import FakeClock, recorded_events
from tests.http.serving import app_of, ask

AHEAD = CachePolicy(ttl=100, refresh_ahead=0.8)
STALE = CachePolicy(ttl=100, stale_while_revalidate=50)
IF_ERROR = CachePolicy(ttl=100, stale_if_error=50)


class Site:
    """An app with one cached handler, whose calls are counted."""

    def __init__(self, policy, *, answer=None, backend=None, middleware=(), route=None, **options):
        self.clock = FakeClock()
        self.calls = 0
        self.seen = []
        self.failing = None
        self.answer = answer or (lambda request: PlainTextResponse(f"call {self.calls}"))

        @Cache(policy=policy, **options)
        async def handler(request):
            self.calls += 1
            self.seen.append(dict(request.scope, read=None))
            if isinstance(self.failing, Exception):
                raise self.failing
            if self.failing is not None:
                return PlainTextResponse("failed", self.failing)
            return self.answer(request)

        self.handler = handler
        self.backend = backend or LocalMemCacheBackend(clock=self.clock)
        self.app = app_of(route(handler) if route else handler, backend=self.backend, middleware=middleware)
        self.runner = get_cache_service(self.app).loader.runner

    async def ask(self, path="/", **options):
        answer = await ask(self.app, path, **options)
        return answer.body.decode(), answer.cache

    async def settled(self):
        async with asyncio.timeout(5):
            while self.runner.running:
                await asyncio.sleep(0.001)


async def test_a_page_that_is_due_is_served_and_renewed_behind():
    site = Site(AHEAD)
    assert await site.ask() == ("call 1", "fwd=uri-miss; stored")
    site.clock.advance(79)
    assert await site.ask() == ("call 1", "hit")
    assert site.runner.running == 0
    site.clock.advance(2)
    assert await site.ask() == ("call 1", "hit")
    assert site.runner.running == 1
    await site.settled()
    assert await site.ask() == ("call 2", "hit")
    assert site.calls == 2


async def test_a_page_that_is_over_is_served_for_a_while_and_renewed_behind():
    site = Site(STALE)
    await site.ask()
    site.clock.advance(120)
    assert await site.ask() == ("call 1", "hit; ttl=-20")
    await site.settled()
    assert await site.ask() == ("call 2", "hit")
    site.clock.advance(151)
    assert await site.ask() == ("call 3", "fwd=uri-miss; stored")


async def test_a_hundred_readers_of_a_due_page_have_it_rendered_once():
    site = Site(AHEAD)
    await site.ask()
    site.clock.advance(81)
    answers = await asyncio.gather(*(site.ask() for _ in range(100)))
    assert set(answers) == {("call 1", "hit")}
    await site.settled()
    assert site.calls == 2


async def test_a_page_that_is_read_often_makes_nobody_wait_and_is_rendered_once_per_expiry():
    let_go = asyncio.Event()
    made = []

    @Cache(policy=AHEAD)
    async def handler(request):
        if made:
            await let_go.wait()
        made.append(clock())
        return PlainTextResponse("x")

    clock = FakeClock()
    app = app_of(handler, backend=LocalMemCacheBackend(clock=clock))
    runner = get_cache_service(app).loader.runner
    await ask(app)
    for step in range(100):
        clock.advance(10)
        let_go.clear()
        async with asyncio.timeout(5):  # nobody waits for the handler
            answers = await asyncio.gather(*(ask(app) for _ in range(10)))
        assert {answer.cache for answer in answers} == {"hit"}, step
        let_go.set()
        while runner.running:
            await asyncio.sleep(0)
    assert [later - sooner for sooner, later in pairwise(made)] == [80] * 12


async def test_the_copy_is_a_plain_get_with_the_headers_that_matter():
    site = Site(AHEAD)
    headers = [(b"accept", b"a"), (b"if-none-match", b'"x"'), (b"range", b"bytes=0-1"), (b"If-Modified-Since", b"y")]
    await site.ask("/a?b=1", headers=headers[:1])
    site.clock.advance(81)
    await site.ask("/a?b=1", headers=headers, method="HEAD")
    await site.settled()
    assert len(site.seen) == 2
    copy = site.seen[1]
    assert [copy[name] for name in ("method", "path", "query_string")] == ["GET", "/a", b"b=1"]
    assert [(bytes(name), bytes(value)) for name, value in copy["headers"]] == [(b"host", b"h"), (b"accept", b"a")]


async def test_middleware_and_the_context_are_as_for_any_request():
    told = ContextVar("told", default="nothing")

    class Telling:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            token = told.set("by middleware")
            scope["state"]["own"] = object()
            await self.app(scope, receive, send)
            told.reset(token)

    site = Site(AHEAD, middleware=[Middleware(Telling)])
    site.answer = lambda request: PlainTextResponse(f"{site.calls} {told.get()}")
    await site.ask()
    site.clock.advance(81)
    await site.ask()
    await site.settled()
    assert await site.ask() == ("2 by middleware", "hit")


@pytest.mark.parametrize(
    "route",
    [
        lambda handler: Mount("/a", routes=[Route("/b/{c}", handler)]),
        lambda handler: Mount("/a", app=Router([Mount("/b", app=Router([Route("/{c}", handler)]))])),
    ],
    ids=["routes", "routers"],
)
async def test_pages_below_mounts_are_renewed(route):
    site = Site(AHEAD, route=route)
    site.answer = lambda request: PlainTextResponse(f"{site.calls} {request.path_params['c']}")
    await site.ask("/a/b/x", root_path="")
    site.clock.advance(81)
    await site.ask("/a/b/x")
    await site.settled()
    assert await site.ask("/a/b/x") == ("2 x", "hit")


async def test_variants_are_renewed_each_by_itself():
    site = Site(AHEAD)
    site.answer = lambda request: PlainTextResponse(f"{site.calls} {request.headers.get('x-a')}")
    one, two = {"headers": [(b"x-a", b"1")]}, {"headers": [(b"x-a", b"2")]}
    await site.ask(**one)
    site.clock.advance(30)
    await site.ask(**two)
    site.clock.advance(60)
    assert [await site.ask(**one), await site.ask(**two)] == [("1 1", "hit"), ("2 2", "hit")]
    await site.settled()
    assert [await site.ask(**one), await site.ask(**two)] == [("3 1", "hit"), ("2 2", "hit")]


async def test_variants_stand_in_after_their_end_too():
    site = Site(STALE)
    site.answer = lambda request: PlainTextResponse(f"{site.calls} {request.headers.get('x-a')}")
    await site.ask(headers=[(b"x-a", b"1")])
    site.clock.advance(130)
    assert await site.ask(headers=[(b"x-a", b"1")]) == ("1 1", "hit; ttl=-30")
    await site.settled()
    assert await site.ask(headers=[(b"x-a", b"1")]) == ("2 1", "hit")


async def test_a_renewal_that_fails_is_told_and_not_tried_again_at_once(caplog):
    site = Site(STALE)
    service = get_cache_service(site.app)
    with recorded_events(service) as events:
        await site.ask()
        site.clock.advance(120)
        site.failing = KeyError("broken")
        for _ in range(3):
            assert (await site.ask())[0] == "call 1"
            await site.settled()
        assert site.calls == 2
        site.clock.advance(1.1)
        await site.ask()
        await site.settled()
        assert site.calls == 3
    assert [type(event) for event in events].count(LoadFailed) == 2
    assert "could not be renewed" in caplog.text


@pytest.mark.parametrize("failing", [KeyError("x"), 500, 503, HTTPException(502)], ids=["raises", "500", "503", "502"])
async def test_an_older_page_stands_in_for_a_failure(failing, caplog):
    site = Site(IF_ERROR)
    await site.ask()
    site.clock.advance(120)
    site.failing = failing
    assert await site.ask() == ("call 1", "hit; ttl=-20")
    assert await site.ask() == ("call 1", "hit; ttl=-20")
    assert site.calls == 2
    assert sum("stands in for" in line for line in caplog.messages) == 1
    site.clock.advance(2)
    site.failing = None
    assert await site.ask() == ("call 3", "fwd=stale; stored")
    assert await site.ask() == ("call 3", "hit")


@pytest.mark.parametrize("failing", [404, 429, HTTPException(404), 302], ids=str)
async def test_an_answer_that_is_no_failure_of_the_server_goes_out(failing):
    site = Site(IF_ERROR)
    await site.ask()
    site.clock.advance(120)
    site.failing = failing
    answer = await ask(site.app)
    assert answer.status == getattr(failing, "status_code", failing)


async def test_too_old_a_page_does_not_stand_in():
    site = Site(IF_ERROR)
    await site.ask()
    site.clock.advance(151)
    site.failing = 500
    assert (await ask(site.app)).status == 500


async def test_those_who_wait_for_a_failure_get_what_stands_in():
    site = Site(IF_ERROR)
    await site.ask()
    site.clock.advance(120)
    site.failing = 500
    answers = await asyncio.gather(*(site.ask() for _ in range(20)))
    assert {body for body, _ in answers} == {"call 1"}
    assert site.calls == 2


async def test_what_stands_in_goes_out_whole_in_place_of_a_stream():
    site = Site(IF_ERROR)

    async def parts():
        for part in (b"a", b"b"):
            yield part

    await site.ask()
    site.clock.advance(120)
    site.answer = lambda request: StreamingResponse(parts(), 503)
    answer = await ask(site.app)
    assert (answer.status, answer.body) == (200, b"call 1")
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]


async def test_conditions_and_head_hold_for_what_stands_in():
    site = Site(IF_ERROR)
    site.answer = lambda request: PlainTextResponse("x", headers={"etag": '"a"'})
    await site.ask()
    site.clock.advance(120)
    site.failing = 500
    assert (await ask(site.app, headers=[(b"if-none-match", b'"a"')])).status == 304


async def test_error_backoff_says_for_how_long_the_older_page_stands_in_at_once():
    site = Site(CachePolicy(ttl=100, stale_if_error=500, error_backoff=30))
    await site.ask()
    site.clock.advance(120)
    site.failing = KeyError()
    for _ in range(3):
        await site.ask()
        site.clock.advance(9)
    assert site.calls == 2
    site.clock.advance(9)
    await site.ask()
    assert site.calls == 3


async def test_with_a_soft_timeout_a_slow_handler_is_waited_for_so_long_and_renews_all_the_same():
    go = asyncio.Event()
    calls = []

    @Cache(policy=CachePolicy(ttl=100, stale_if_error=50, soft_timeout=0.05))
    async def handler(request):
        calls.append(1)
        if len(calls) > 1:
            await go.wait()
        return PlainTextResponse(f"call {len(calls)}")

    clock = FakeClock()
    app = app_of(handler, backend=LocalMemCacheBackend(clock=clock))
    await ask(app)
    clock.advance(120)
    for _ in range(3):
        assert (await ask(app)).cache == "hit; ttl=-20"
    go.set()
    await asyncio.sleep(0.01)
    assert ((await ask(app)).body, len(calls)) == (b"call 2", 2)


async def test_with_a_soft_timeout_a_quick_handler_answers_itself():
    site = Site(CachePolicy(ttl=100, stale_if_error=50, soft_timeout=5))
    await site.ask()
    site.clock.advance(120)
    assert await site.ask() == ("call 2", "hit")


async def test_a_hard_timeout_ends_a_renewal():
    site = Site(CachePolicy(ttl=100, stale_while_revalidate=500, hard_timeout=0.05))
    ended = []

    async def for_ever(request):
        site.calls += 1
        try:
            if site.calls > 1:
                await asyncio.sleep(60)
        finally:
            ended.append(site.calls)
        return PlainTextResponse("x")

    app = app_of(
        Cache(policy=CachePolicy(ttl=100, stale_while_revalidate=500, hard_timeout=0.05))(for_ever),
        backend=site.backend,
    )
    await ask(app)
    site.clock.advance(120)
    assert (await ask(app)).cache == "hit; ttl=-20"
    await asyncio.sleep(0.1)
    assert ended == [1, 2]
    await ask(app)
    assert site.calls == 2


async def test_closing_ends_renewals():
    started, ended = asyncio.Event(), []

    @Cache(policy=STALE)
    async def handler(request):
        if started.is_set():
            return PlainTextResponse("x")
        try:
            if clock() > clock.began:
                started.set()
                await asyncio.sleep(60)
        finally:
            ended.append(1)
        return PlainTextResponse("x")

    clock = FakeClock()
    clock.began = clock()
    app = app_of(handler, backend=LocalMemCacheBackend(clock=clock))
    await ask(app)
    clock.advance(120)
    await ask(app)
    await started.wait()
    await get_cache_service(app).aclose()
    assert ended == [1, 1]
    assert len(get_cache_service(app).flights) == 0


@pytest.mark.parametrize("change", ["delete", "tag"])
async def test_a_renewal_that_began_before_an_invalidation_is_not_stored(change):
    go, started = asyncio.Event(), asyncio.Event()
    calls = []

    @Cache(policy=STALE, tags=["t"])
    async def handler(request):
        calls.append(1)
        if len(calls) == 2:
            started.set()
            await go.wait()
        return PlainTextResponse(f"call {len(calls)}")

    clock = FakeClock()
    app = app_of(handler, backend=LocalMemCacheBackend(clock=clock))
    service = get_cache_service(app)
    await ask(app)
    clock.advance(120)
    await ask(app)
    await started.wait()
    await (service.invalidate_url_async("http://h/") if change == "delete" else service.invalidate_tags_async("t"))
    go.set()
    async with asyncio.timeout(5):
        while service.loader.runner.running:
            await asyncio.sleep(0.001)
    assert (await ask(app)).body == b"call 3"


@pytest.mark.parametrize("identity", ["cookie", "authorization"])
async def test_a_page_under_somebodys_own_key_is_not_renewed_behind(identity):
    site = Site(STALE, vary=[identity])
    mine = {"headers": [(identity.encode(), b"me")]}
    await site.ask(**mine)
    site.clock.advance(120)
    assert (await site.ask(**mine))[0] == "call 2"
    assert site.runner.running == 0


async def test_answers_to_other_methods_are_not_renewed_behind():
    site = Site(STALE, methods=("GET", "HEAD", "POST"), route=lambda handler: Route("/", handler, methods=["POST"]))
    await site.ask(method="POST")
    site.clock.advance(120)
    assert (await site.ask(method="POST"))[0] == "call 2"


async def test_where_the_way_in_is_not_known_nothing_is_renewed_behind():
    site = Site(STALE)
    found = installed({"app": site.app})

    async def below(scope, receive, send):
        await site.app.router({**scope, "asynccache": found, "app": site.app}, receive, send)

    await ask(below)
    site.clock.advance(120)
    assert (await ask(below)).body == b"call 2"


async def test_the_older_page_is_not_to_be_seen_inside():
    site = Site(STALE)
    site.answer = lambda request: PlainTextResponse(f"{current_load().has_stale} {current_load().stale}")
    await site.ask()
    site.clock.advance(120)
    await site.ask()
    await site.settled()
    assert (await site.ask())[0] == "False None"


async def test_the_ttl_set_inside_beats_all_others():
    site = Site(CachePolicy(ttl=100), ttl=50)

    def answer(request):
        current_load().ttl = 10
        return PlainTextResponse(f"call {site.calls}")

    site.answer = answer
    await site.ask()
    site.clock.advance(9)
    assert await site.ask() == ("call 1", "hit")
    site.clock.advance(2)
    assert await site.ask() == ("call 2", "fwd=uri-miss; stored")


async def test_a_ttl_of_zero_inside_stores_nothing_and_removes_what_there_was():
    site = Site(STALE)
    await site.ask()
    site.clock.advance(120)

    def answer(request):
        current_load().ttl = 0
        return PlainTextResponse("gone")

    site.answer = answer
    await site.ask()
    await site.settled()
    assert await site.ask() == ("gone", "fwd=uri-miss")


async def test_an_explicit_ttl_beats_the_policys():
    site = Site(CachePolicy(ttl=1000, stale_while_revalidate=50), ttl=100)
    await site.ask()
    site.clock.advance(120)
    assert (await site.ask())[1] == "hit; ttl=-20"


async def test_jitter_shortens_lifetimes():
    site = Site(CachePolicy(ttl=100, jitter=1.0))
    for number in range(20):
        await site.ask(f"/{number}")
    left = []
    for _ in range(4):
        left.append(sum(site.backend.has_key(f"GET http://h/{number}") for number in range(20)))
        site.clock.advance(25)
    assert left == sorted(left, reverse=True)
    assert left[0] > left[2] > 0


async def test_plain_operations_do_not_see_what_is_kept():
    site = Site(STALE)
    key = "GET http://h/"
    await site.ask()
    service = get_cache_service(site.app)
    assert await service.has_key_async(key)
    site.clock.advance(120)
    assert not await service.has_key_async(key)
    await service.delete_async(key)
    assert (await site.ask())[0] == "call 2"


async def test_touch_gives_a_page_a_new_beginning():
    site = Site(AHEAD)
    await site.ask()
    site.clock.advance(70)
    assert await get_cache_service(site.app).touch_async("GET http://h/", 100)
    site.clock.advance(75)
    assert await site.ask() == ("call 1", "hit")
    assert site.runner.running == 0


async def test_it_is_so_over_a_store_that_other_processes_share(tmp_path):
    clock = FakeClock(int(time.time()))
    backend = SQLCacheBackend(f"sqlite:///{tmp_path}/cache.db", clock=clock)
    site = Site(CachePolicy(ttl=100, stale_while_revalidate=50, stale_if_error=400), backend=backend)
    await site.ask()
    clock.advance(120)
    assert await site.ask() == ("call 1", "hit; ttl=-20")
    await site.settled()
    assert await site.ask() == ("call 2", "hit")
    clock.advance(200)
    site.failing = 500
    assert await site.ask() == ("call 2", "hit; ttl=-100")
    await backend.aclose()


async def test_a_lock_that_the_backend_cannot_keep_is_told_at_the_start_and_at_the_first_request():
    site = Site(CachePolicy(lock=True), backend=CallableCacheBackend({}.get, {}.__setitem__))
    with pytest.raises(ConfigurationError, match="lock=True"):
        await site.ask()
    with pytest.raises(ConfigurationError, match="lock=True"):
        async with site.app.router.lifespan_context(site.app):
            pass
