"""What is in memcached and is not ours, not whole, or too much, hurts nobody."""

import asyncio
import time

import pytest

from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.core import codec
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import LOOP
from asynccache.testing import FakeClock
from tests.backends import memcached_bytes
from tests.backends.memcached_bytes import wire_key
from tests.backends.wire import plant

PATIENT = 5.0


@pytest.fixture
def cache(memcached_server, unique_prefix):
    return MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)


def flip(raw: bytes, bit: int) -> bytes:
    flipped = bytearray(raw)
    flipped[bit // 8] ^= 1 << bit % 8
    return bytes(flipped)


@pytest.fixture
def one_line():
    return MemcachedCacheBackend


class TestHostileBytes(memcached_bytes.HostileBytes):
    pass


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
