"""What is in memcached and is not ours, not whole, or too much, hurts nobody."""

import asyncio
import marshal
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.core import codec
from asynccache.core.keys import memcached_key
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import LOOP
from asynccache.testing import FakeClock
from tests.backends.wire import ask, plant, stat
from tests.servers import Memcached

PATIENT = 5.0
MEBI = 1024 * 1024


class Executed:
    """Unpickling one of these is the end of the world."""

    def __reduce__(self):
        return pytest.exit, ("bytes from the cache were executed",)


@pytest.fixture
def cache(memcached_server, unique_prefix):
    return MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)


def wire_key(cache: MemcachedCacheBackend, key: str) -> bytes:
    return memcached_key(cache.stored_key(key))


def flip(raw: bytes, bit: int) -> bytes:
    flipped = bytearray(raw)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


@given(keys=st.lists(st.text(st.characters(), max_size=400), min_size=1, max_size=20, unique=True))
def test_any_text_is_a_key_of_its_own(memcached_server, keys):
    async def use() -> None:
        cache = MemcachedCacheBackend(servers=memcached_server.url, key_prefix="any text", deadline=PATIENT)
        values = {key: number for number, key in enumerate(keys)}
        assert await cache.set_many_async(values) == []
        connections = stat(memcached_server, "total_connections")
        assert await cache.get_many_async(keys) == values
        for key, value in values.items():
            assert await cache.add_async(key, 0) is False
            assert await cache.get_async(key) == value
            assert await cache.incr_async(key) == value + 1
            assert await cache.touch_async(key, 9) is True
            assert await cache.delete_async(key) is True
        assert await cache.delete_many_async(keys) == 0
        assert cache.stats()["errors"] == 0
        assert stat(memcached_server, "total_connections") == connections + 1  # out of step would be a new one
        await cache.aclose()

    asyncio.run(use())


@pytest.mark.parametrize("flags", [0, 1, 2, 16, 4_294_967_295])
@pytest.mark.parametrize(
    "raw", [b"", b"text", b"12", pickle.dumps(Executed()), marshal.dumps(["x"]), b"\x00" * 200, b"END\r\n", b"\r\n"]
)
async def test_what_others_stored_is_a_miss_and_goes(cache, memcached_server, raw, flags):
    plant(memcached_server, wire_key(cache, "k"), raw, flags=flags)
    assert await cache.get_async("k", default="a miss") == "a miss"
    assert cache.stats() == {"hits": 0, "misses": 1, "errors": 0, "damaged": 1}
    assert ask(memcached_server, b"get %s\r\n" % wire_key(cache, "k")) == b"END\r\n"
    await cache.aclose()


async def test_every_operation_takes_what_others_stored_for_nothing(cache, memcached_server):
    for operation, result in (
        (cache.get_async("k"), None),
        (cache.get_many_async(["k"]), {}),
        (cache.has_key_async("k"), False),
        (cache.touch_async("k"), False),
        (cache.incr_async("k"), 1),
        (cache.add_async("k", 2), True),
        (cache.set_async("k", 3), True),
        (cache.delete_async("k"), True),
    ):
        plant(memcached_server, wire_key(cache, "k"), b"somebody else's", flags=1)
        assert await operation == result
    assert cache.stats()["errors"] == 0
    await cache.aclose()


@pytest.mark.parametrize("value", ["text", 12_345, {"a": [1, (2, b"3")]}], ids=["text", "counter", "structure"])
async def test_damaged_entries_are_misses_and_go(cache, value):
    key = cache.stored_key("k")
    await cache.set_async("k", value)
    whole = await cache._fetch(LOOP, key)
    cut = [whole[:length] for length in range(len(whole))]
    flipped = [flip(whole, bit) for bit in range(len(whole) * 8)]
    damaged = 0
    for raw in [*cut, *flipped]:
        assert await cache._store(LOOP, key, raw, 60)
        if await cache.get_async("k", default="a miss") == "a miss":
            damaged += 1
            assert await cache._fetch(LOOP, key) is None
        else:
            assert await cache.get_async("k") == value
    assert cache.stats()["damaged"] == damaged
    unsealed = codec.HEAD_SIZE + 4 * isinstance(value, int)  # the head, and a counter's load time: no part of the value
    assert damaged >= len(cut) + 8 * (len(whole) - unsealed)
    assert cache.stats()["errors"] == 0
    await cache.aclose()


async def test_entry_of_another_key_is_a_miss_and_its_connection_goes(fresh_memcached):
    cache = MemcachedCacheBackend(servers=fresh_memcached.url, deadline=PATIENT)
    await cache.set_many_async({"mine": "mine", "theirs": "theirs"})
    theirs = await cache._fetch(LOOP, cache.stored_key("theirs"))
    plant(fresh_memcached, wire_key(cache, "mine"), theirs)
    before = stat(fresh_memcached, "total_connections")
    assert await cache.get_async("mine") is None
    assert cache.stats()["damaged"] == 1
    assert await cache.get_async("theirs") == "theirs"
    assert stat(fresh_memcached, "total_connections") == before + 2  # a new one, and that of `stat`
    await cache.aclose()


@pytest.mark.parametrize("size", [MEBI - 2048, MEBI, 5 * MEBI])
async def test_value_too_large_is_refused_and_the_connection_stays_in_step(fresh_memcached, size):
    cache = MemcachedCacheBackend(servers=fresh_memcached.url, deadline=PATIENT, on_error="raise")
    await cache.set_async("k", "old")
    before = stat(fresh_memcached, "total_connections")
    kept = await cache.set_async("k", b"x" * size)
    assert kept is (size < MEBI)
    assert (await cache.get_async("k") is not None) is kept
    assert await cache.add_async("added", b"x" * size) is kept
    assert await cache.set_many_async({"k": b"x" * size, "small": 1}) == ([] if kept else ["k"])
    assert await cache.get_async("small") == 1
    assert stat(fresh_memcached, "total_connections") == before + 1  # that of `stat`
    assert cache.stats()["errors"] == 0
    await cache.aclose()


async def test_server_that_is_full_refuses_and_is_not_down(launch):
    server = launch(Memcached("-M", "-m", "2"))  # full: errors, instead of evictions
    cache = MemcachedCacheBackend(servers=server.address, deadline=PATIENT)
    stored = [await cache.set_async(f"k{number}", b"x" * 100_000) for number in range(100)]
    assert set(stored) == {True, False}
    assert await cache.get_async("k0") == b"x" * 100_000
    assert cache.stats()["errors"] == 0
    await cache.aclose()


async def test_counter_keeps_its_lifetime_and_touch_renews_it(cache):
    await cache.set_many_async({"brief": 1, "renewed": 1, "shortened": 1}, 2)
    await cache.touch_async("renewed", 60)
    await cache.touch_async("shortened", 1)
    for key in ("brief", "renewed", "shortened"):
        assert await cache.incr_async(key) == 2
    began = time.monotonic()
    while time.monotonic() < began + 2.2:
        await asyncio.sleep(0.2)
        await cache.incr_async("brief", 0)
    assert await cache.get_many_async(["brief", "renewed", "shortened"]) == {"brief": 0, "renewed": 2}
    await cache.aclose()


@pytest.mark.parametrize("jump", [-3600, 3600])
async def test_clock_that_jumps_costs_a_counter_its_lifetime_at_most(memcached_server, unique_prefix, jump):
    clock = FakeClock()
    cache = MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, clock=clock, deadline=PATIENT)
    await cache.set_async("long", 1, 7200)
    await cache.set_async("text", "t", 60)
    clock.advance(jump)
    assert await cache.incr_async("long") == 2
    assert await cache.get_async("text") == "t"
    await cache.set_async("new", 1, 60)
    assert await cache.incr_async("new") == 2
    await cache.aclose()


class Outrun(MemcachedCacheBackend):
    """Somebody else is faster every time."""

    async def _swapped(self, io, sight, frame, ttl):
        await self._store(io, sight.spot.key, self._stamped(frame, sight.spot.key, ttl), ttl)
        return await super()._swapped(io, sight, frame, ttl)


async def test_contended_entry_is_given_up_in_the_end(memcached_server, unique_prefix):
    cache = Outrun(servers=memcached_server.url, key_prefix=unique_prefix, deadline=0.05)
    await cache.set_async("k", 1)
    with pytest.raises(BackendUnavailableError, match="changed by others"):
        await cache.incr_async("k")
    await cache.aclose()
