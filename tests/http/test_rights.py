"""Several apps on one store: one of them renders a page, and none stores what was begun before an invalidation."""

import asyncio
import time
from contextlib import AsyncExitStack

import pytest
from starlette.responses import PlainTextResponse, StreamingResponse

from asynccache import Cache, CachePolicy, get_cache_service
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.core.entry import Kind
from asynccache.core.page_keys import page_key
from asynccache.http import following, rights
from asynccache.plan.io import LOOP
from tests.http.serving import app_of, ask
from tests.load import crowding

KEY = page_key("GET", "http://h/")
PATIENT = 5.0
"""A deadline for a loaded machine: a page that was not found is one for which a handler waits."""


@pytest.fixture(params=["redis", "memcached", "sqlite"])
def make_backend(request, unique_prefix, tmp_path):
    """Make backends on the same store, each as in a process of its own."""
    if request.param == "redis":
        server = request.getfixturevalue("redis_server")
        return lambda: RedisCacheBackend(server.url, key_prefix=unique_prefix, deadline=PATIENT)
    if request.param == "memcached":
        server = request.getfixturevalue("memcached_server")
        return lambda: MemcachedCacheBackend(servers=server.url, key_prefix=unique_prefix, deadline=PATIENT)
    return lambda: SQLCacheBackend(f"sqlite:///{tmp_path}/cache.db")


class Node:
    """An app on a shared store, whose handler goes on when it is told to."""

    def __init__(self, backend, ttl=60, **options):
        self.calls = 0
        self.go, self.started = asyncio.Event(), asyncio.Event()
        self.answer = lambda request: PlainTextResponse(f"call {self.calls}")

        async def handler(request):
            self.calls += 1
            self.started.set()
            answer = self.answer(request)
            await self.go.wait()
            if isinstance(answer, Exception):
                raise answer
            return answer

        handler.__qualname__ = "page"  # the same in all processes
        self.app = app_of(Cache(ttl, **options)(handler), backend=backend)
        self.service = get_cache_service(self.app)

    async def ask(self, **options):
        answer = await ask(self.app, **options)
        return answer.body.decode(), answer.cache

    async def settled(self):
        async with asyncio.timeout(5):
            while self.service.loader.runner.running:
                await asyncio.sleep(0.001)

    async def begin(self, **options):
        """Let somebody ask, until the handler runs."""
        asking = asyncio.create_task(self.ask(**options))
        async with asyncio.timeout(5):
            await self.started.wait()
        return asking


@pytest.fixture
async def nodes(make_backend):
    """Make two apps with the same options."""
    async with AsyncExitStack() as stack:

        async def make(**options):
            made = [Node(make_backend(), **options) for _ in range(2)]
            for node in made:
                await stack.enter_async_context(node.service)
            return made

        yield make


async def test_one_app_renders_and_the_others_wait(nodes):
    one, two = await nodes()
    first = await one.begin()
    others = [asyncio.create_task(node.ask()) for node in (one, two, two)]
    await asyncio.sleep(0.05)
    one.go.set()
    assert await first == ("call 1", "fwd=uri-miss; stored")
    assert [body for body, _ in await asyncio.gather(*others)] == ["call 1"] * 3
    assert (one.calls, two.calls) == (1, 0)


async def test_without_a_lock_others_render_for_themselves_and_store_nothing(nodes):
    one, two = await nodes(policy=CachePolicy(lock=False))
    first = await one.begin()
    two.go.set()
    assert await two.ask() == ("call 1", "fwd=uri-miss")
    one.go.set()
    assert (await first)[1] == "fwd=uri-miss; stored"


async def test_whoever_waits_takes_over_when_the_first_goes_away(nodes):
    one, two = await nodes()
    first = await one.begin()
    other = asyncio.create_task(two.ask())
    await asyncio.sleep(0.05)
    two.go.set()
    first.cancel()
    async with asyncio.timeout(2.5):  # less than a lease
        assert await other == ("call 1", "fwd=uri-miss; stored")


@pytest.mark.timed
async def test_whoever_waits_takes_over_from_a_process_that_died(nodes):
    one, two = await nodes()
    two.go.set()
    await one.service.get_backend().claim(LOOP, KEY, 1.0, kind=Kind.PAGE)  # and is never renewed
    began = time.monotonic()
    assert await two.ask() == ("call 1", "fwd=uri-miss; stored")
    counts_whole_seconds = isinstance(one.service.get_backend(), MemcachedCacheBackend)
    assert 0.5 < time.monotonic() - began < 1 + (1.5 if counts_whole_seconds else 0.3) * crowding()


@pytest.mark.parametrize("failing", ["raises", "private", "503"])
async def test_whoever_waits_goes_on_at_once_when_nothing_is_stored(nodes, failing):
    one, two = await nodes()

    private = {"cache-control": "private"}
    answers = {
        "raises": KeyError(),
        "private": PlainTextResponse("x", headers=private),
        "503": PlainTextResponse("x", 503),
    }
    one.answer = lambda request: answers[failing]
    first = await one.begin()
    other = asyncio.create_task(two.ask())
    await asyncio.sleep(0.05)
    for node in (one, two):
        node.go.set()
    async with asyncio.timeout(2):
        assert (await other)[0] == "call 1"
        await asyncio.gather(first, return_exceptions=True)


AUTHORIZED = {"headers": [(b"authorization", b"me")]}


async def test_nobody_waits_for_a_request_whose_answer_is_its_own(nodes):
    one, two = await nodes()
    first = await one.begin(**AUTHORIZED)
    two.go.set()
    async with asyncio.timeout(2):
        assert await two.ask() == ("call 1", "fwd=uri-miss; stored")
    one.go.set()
    assert (await first)[1] == "fwd=uri-miss"


async def test_an_answer_that_its_response_lets_all_have_is_stored_when_that_is_known(nodes):
    one, two = await nodes()
    one.answer = lambda request: PlainTextResponse("for all", headers={"cache-control": "public"})
    one.go.set()
    answers = [await one.ask(**AUTHORIZED) for _ in range(3)]
    assert answers == [("for all", cache) for cache in ("fwd=uri-miss", "fwd=uri-miss; stored", "hit")]
    assert (await two.ask(**AUTHORIZED))[1] == "hit"


async def test_nobody_waits_for_ever_for_another_process(nodes, monkeypatch):
    monkeypatch.setattr(following, "FOLLOW_SECONDS", 0.1)
    one, two = await nodes()
    first = await one.begin()
    two.go.set()
    assert await two.ask() == ("call 1", "fwd=uri-miss")
    one.go.set()
    assert (await first)[1] == "fwd=uri-miss; stored"


@pytest.mark.timed  # a loop that is held up loses its right
async def test_the_right_is_renewed_as_long_as_the_handler_runs(nodes, monkeypatch):
    monkeypatch.setattr(rights, "LEASE_SECONDS", 0.3)
    one, two = await nodes()
    first = await one.begin()
    other = asyncio.create_task(two.ask())
    await asyncio.sleep(0.8)
    one.go.set()
    assert (await first)[1] == "fwd=uri-miss; stored"
    assert (await other)[0] == "call 1"
    assert two.calls == 0


async def test_a_slow_reader_of_a_stream_keeps_others_waiting_for_a_while_only(nodes, monkeypatch):
    monkeypatch.setattr(following, "SLOW_SECONDS", 0.2)
    one, two = await nodes()
    go_on = asyncio.Event()

    async def parts():
        yield b"a"
        await go_on.wait()
        yield b"b"

    one.answer = lambda request: StreamingResponse(parts())
    one.go.set()
    two.go.set()
    first = await one.begin()
    async with asyncio.timeout(10):
        assert await two.ask() == ("call 1", "fwd=uri-miss; stored")
    go_on.set()
    assert (await first)[0] == "ab"
    assert await two.ask() == ("call 1", "hit")


def by_header(request):
    return PlainTextResponse(f"{request.headers.get('x-a')}")


INVALIDATIONS = {
    "delete": lambda service: service.delete_async(KEY),
    "url": lambda service: service.invalidate_url_async("http://h/"),
    "tag": lambda service: service.invalidate_tags_async("t"),
    "clear": lambda service: service.clear_async(),
}


@pytest.mark.parametrize("invalidate", INVALIDATIONS.values(), ids=INVALIDATIONS)
@pytest.mark.parametrize("there", ["nothing", "page"])
@pytest.mark.parametrize("vary", [(), ("x-a",)], ids=["plain", "varying"])
async def test_what_began_before_an_invalidation_elsewhere_is_not_stored(nodes, invalidate, there, vary):
    one, two = await nodes(tags=["t"], vary=vary)
    mine = {"headers": [(b"x-a", b"1")]}
    if there == "page":  # of another variant, where there are variants
        two.go.set()
        await two.ask(headers=[(b"x-a", b"2")])
        if not vary:
            await two.service.delete_async(KEY)
    begun = await one.begin(**mine)
    await invalidate(two.service)
    one.go.set()
    assert (await begun)[1] in {"fwd=uri-miss", "fwd=vary-miss"}
    two.go.set()
    calls = two.calls
    assert (await two.ask(**mine))[1].endswith("; stored")
    assert two.calls == calls + 1
    assert (await one.ask(**mine))[1] == "hit"


@pytest.mark.parametrize("invalidate", INVALIDATIONS.values(), ids=INVALIDATIONS)
async def test_what_learns_its_names_while_it_is_invalidated_elsewhere_is_not_stored(nodes, invalidate):
    one, two = await nodes(tags=["t"])
    one.answer = two.answer = by_header
    mine = {"headers": [(b"x-a", b"1")]}
    begun = await one.begin(**mine)
    await invalidate(two.service)
    one.go.set()
    assert await begun == ("1", "fwd=uri-miss")
    two.go.set()
    assert (await two.ask(**mine))[1] == "fwd=uri-miss; stored"
    assert (await one.ask(**mine))[1] == "hit"


@pytest.mark.parametrize("invalidate", INVALIDATIONS.values(), ids=INVALIDATIONS)
async def test_all_variants_go_everywhere(nodes, invalidate):
    one, two = await nodes(tags=["t"])
    one.answer = two.answer = by_header
    for node in (one, two):
        node.go.set()
    asked = [{"headers": [(b"x-a", b"%d" % number)]} for number in range(3)]
    for mine in asked:
        await one.ask(**mine)
    assert [(await two.ask(**mine))[1] for mine in asked] == ["hit"] * 3
    await invalidate(one.service)
    assert ["hit" in (await two.ask(**mine))[1] for mine in asked] == [False] * 3


async def test_who_asks_after_an_invalidation_gets_no_answer_from_before(nodes):
    one, two = await nodes(tags=["t"])
    begun = await one.begin()
    await two.service.invalidate_tags_async("t")
    later = asyncio.create_task(one.ask())
    await asyncio.sleep(0.05)
    one.go.set()
    assert (await begun)[0] == "call 1"
    assert (await later)[0] == "call 2"


async def test_apps_renew_a_page_once_for_all(nodes):
    one, two = await nodes(ttl=0.2, policy=CachePolicy(stale_while_revalidate=60))
    for node in (one, two):
        node.go.set()
    await one.ask()
    for node in (one, two):
        node.go.clear()
        node.started.clear()
    await asyncio.sleep(0.25)
    answers = [await node.ask() for _ in range(5) for node in (one, two)]
    assert {body for body, _ in answers} == {"call 1"}
    for node in (one, two):
        node.go.set()
        await node.settled()
    assert one.calls + two.calls == 2


@pytest.mark.parametrize("invalidate", INVALIDATIONS.values(), ids=INVALIDATIONS)
async def test_a_renewal_that_began_before_an_invalidation_elsewhere_is_not_stored(nodes, invalidate):
    one, two = await nodes(ttl=0.1, tags=["t"], policy=CachePolicy(stale_while_revalidate=60))
    one.go.set()
    await one.ask()
    one.go.clear()
    one.started.clear()
    await asyncio.sleep(0.15)
    assert "ttl=-" in (await one.ask())[1]
    await one.started.wait()
    await invalidate(two.service)
    one.go.set()
    await one.settled()
    two.go.set()
    assert (await two.ask())[1] == "fwd=uri-miss; stored"
    assert two.calls == 1
