"""Whatever becomes of the store, the app answers, and soon (rule 52); what was not invalidated is told."""

import asyncio

import pytest

from asynccache import CacheMiddleware
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.core.entry import Kind
from asynccache.errors import BackendUnavailableError
from asynccache.model import Capability
from tests.http.edge.origins import FRESH, Edge, Held, lines, part, settle, start, whole


class Broken(LocalMemCacheBackend):
    """A backend of somebody's own that raises whatever it likes in these operations."""

    peek = None

    def __init__(self, *broken):
        super().__init__()
        for name in broken:
            setattr(self, name, self._raise)

    async def _raise(self, *args, **options):
        raise RuntimeError("broken")


OPERATIONS = ["read", "read_many", "claim", "land", "hold", "release", "extend", "write", "remove", "void"]
STREAM = [start(FRESH, (b"vary", b"accept")), part(b"a", more=True), part(b"b")]


@pytest.mark.parametrize("broken", [*([name] for name in OPERATIONS), OPERATIONS], ids=" ".join)
async def test_a_store_that_raises_fails_no_request(broken, caplog):
    edge = Edge(lambda scope, number: [*STREAM, RuntimeError("unseen")][:3], backend=Broken(*broken))
    for options in ({}, {}, {"method": "HEAD"}, {"method": "PUT"}, {"headers": lines(range="bytes=0-0")}):
        answer = await edge.ask(**options)
        assert answer.status in {200, 206}
    edge.clock.advance(100)
    assert (await edge.ask()).body == b"ab"
    assert ("edge GET http://h/ was not invalidated" in caplog.text) is ("remove" in broken)


async def test_a_part_goes_on_as_it_was_asked_for_where_nothing_can_be_kept():
    edge = Edge(lambda *_: whole(b"0123", FRESH), backend=Broken("claim"), whole_ranges=True)
    answer = await edge.ask(headers=lines(range="bytes=0-1", cookie="a=1"))
    assert (answer.status, edge.origin.sent("range")) == (200, ["bytes=0-1"])


class Shared(LocalMemCacheBackend):
    """A store that other processes seem to use, too; `claims` counts the rights that were asked for."""

    peek = None
    capabilities = LocalMemCacheBackend.capabilities | {Capability.SHARED}
    claims = 0

    async def claim(self, *args, **options):
        self.claims += 1
        return await super().claim(*args, **options)


async def test_a_shared_store_is_not_asked_for_rights_in_vain():
    edge = Edge(lambda scope, _: whole(b"", (b"cache-control", b"no-store")), backend=Shared())
    for _ in range(6):
        await edge.ask()
    assert edge.backend.claims == 3
    await edge.ask("/other", method="HEAD")
    assert edge.backend.claims == 3


async def test_who_looked_before_somebody_else_had_stored_looks_again():
    kept, gates = {}, []

    async def read(key):
        found = kept.get(key)
        if gates:
            await gates.pop().wait()
        return found

    edge = Edge(backend=CallableCacheBackend(read, kept.__setitem__, kept.__delitem__))
    gates.append(go := asyncio.Event())
    late = asyncio.create_task(edge.ask())
    await settle()
    await edge.ask()
    go.set()
    assert ((await late).cache, edge.calls) == ("hit; ttl=60", 1)


async def test_what_the_store_does_not_take_is_told_in_debug():
    edge = Edge(lambda *_: whole(b"x" * 100_000, FRESH), backend=LocalMemCacheBackend(max_bytes=10_000), debug=True)
    answers = [(await edge.ask()).cache for _ in range(2)]
    assert "stored" not in answers[1].partition(";")[0]
    assert 'detail="the store did not take it: away, full, or too small for it"' in answers[1]


async def test_requests_go_on_where_the_store_is_away_and_still_share(fresh_redis, caplog):
    edge = Held(backend=RedisCacheBackend(fresh_redis.url, deadline=0.15))
    edge.go.set()
    assert [(await edge.ask()).cache for _ in range(2)] == ["fwd=uri-miss; stored", "hit; ttl=60"]
    fresh_redis.kill()
    for _ in range(3):
        answer = await edge.ask()
        assert (answer.status, answer.cache) == (200, "fwd=uri-miss")
    calls = edge.calls
    edge.go.clear()
    tasks = await edge.asked(20)
    edge.go.set()
    answers = await asyncio.gather(*tasks)
    assert ({answer.status for answer in answers}, edge.calls) == ({200}, calls + 1)
    assert (await edge.ask(method="DELETE")).status == 200
    assert sum("was not invalidated" in line for line in caplog.messages) == 1
    await edge.app._home.found({})[0].aclose()


async def test_an_invalidation_that_is_remembered_says_so(fresh_redis, caplog):
    edge = Edge(backend=TieredCacheBackend(LocalMemCacheBackend(), RedisCacheBackend(fresh_redis.url, deadline=0.15)))
    await edge.ask()
    fresh_redis.kill()
    assert (await edge.ask(method="PUT")).status == 200
    assert "edge GET http://h/ will be invalidated when it is back" in caplog.text
    await edge.app._home.found({})[0].aclose()


async def test_what_is_lost_of_an_invalidation_is_told_for_each_key(caplog):
    class Away(LocalMemCacheBackend):
        async def remove(self, io, key, version=None):
            raise BackendUnavailableError("away")

    def reply(scope, number):
        return whole(b"", FRESH, *(lines(location="/b", cache_group_invalidation='"red"')))

    edge = Edge(reply, backend=Away())
    assert (await edge.ask("/a", method="POST")).status == 200
    assert [line.partition(" was")[0] for line in caplog.messages] == ["edge GET http://h/a", "edge GET http://h/b"]


@pytest.mark.parametrize("age", [0, 100])
@pytest.mark.parametrize("turns", range(24))
async def test_a_request_that_is_cancelled_at_any_turn_leaves_nothing_behind(turns, age):
    edge = Edge(lambda *_: STREAM, backend=Slow())
    if age:
        await edge.ask()
        edge.clock.advance(age)
    task = asyncio.create_task(edge.ask())
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(edge.app._home.found({})[0].flights) == 0
    later = await asyncio.wait_for(edge.ask(), 5)
    assert (later.body, await edge.is_stored()) == (b"ab", True)


async def test_a_right_is_given_up_wherever_its_request_is_cancelled(redis_server, unique_prefix):
    edge = Edge(lambda *_: STREAM, backend=RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=5))
    await edge.ask("/first")
    for number in range(30):
        task = asyncio.create_task(edge.ask(f"/{number}"))
        await asyncio.sleep(number / 10_000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        later = await asyncio.wait_for(edge.ask(f"/{number}"), 1)  # a right that is left behind stands for three
        assert (later.body, await edge.is_stored(f"/{number}")) == (b"ab", True)
    await edge.app._home.found({})[0].aclose()


async def test_an_invalidation_is_seen_through_where_its_request_is_cancelled():
    removing, go = asyncio.Event(), asyncio.Event()

    class Lingering(LocalMemCacheBackend):
        async def remove(self, io, key, version=None):
            removing.set()
            await go.wait()
            return await super().remove(io, key, version)

    edge = Edge(backend=Lingering())
    await edge.ask()
    task = asyncio.create_task(edge.ask(method="PUT"))
    await removing.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await edge.is_stored()
    go.set()
    await settle()
    assert not await edge.is_stored()


def slowly(plan):
    async def slow(self, *args, **options):
        await asyncio.sleep(0)
        result = await plan(self, *args, **options)
        await asyncio.sleep(0)
        return result

    return slow


class Slow(LocalMemCacheBackend):
    """A store that takes a turn of the loop before and after each answer."""

    peek = None
    read, read_many, claim = map(
        slowly, (LocalMemCacheBackend.read, LocalMemCacheBackend.read_many, LocalMemCacheBackend.claim)
    )
    land, write, release = map(
        slowly, (LocalMemCacheBackend.land, LocalMemCacheBackend.write, LocalMemCacheBackend.release)
    )


async def test_a_page_of_cache_at_the_same_backend_is_none_of_these():
    backend = LocalMemCacheBackend()
    backend.set("edge GET http://h/", "a value")
    edge = Edge(backend=backend)
    assert [(await edge.ask()).body for _ in range(2)] == [b"1", b"1"]
    assert backend.peek("edge GET http://h/", None, Kind.PAGE) is not None
    assert isinstance(edge.app, CacheMiddleware)
