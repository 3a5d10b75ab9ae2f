"""What is in memcached and is not ours, not whole, or too much; each test class says which backend it is.

The fixture `one_line` makes a backend that asks over one connection at a time.
"""

import asyncio
import marshal
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.keys import memcached_key
from asynccache.model import BaseCacheBackend
from asynccache.plan.io import LOOP
from tests.backends.wire import ask, plant, stat
from tests.servers import Memcached

PATIENT = 5.0
MEBI = 1024 * 1024


class Executed:
    """Unpickling one of these is the end of the world."""

    def __reduce__(self):
        return pytest.exit, ("bytes from the cache were executed",)


def wire_key(cache: BaseCacheBackend, key: str) -> bytes:
    return memcached_key(cache.stored_key(key))


class Limits:
    async def test_entry_of_another_key_is_a_miss_and_its_connection_goes(self, fresh_memcached, one_line):
        cache = one_line(servers=fresh_memcached.url, deadline=PATIENT)
        await cache.set_many_async({"mine": "mine", "theirs": "theirs"})
        theirs = await cache._fetch(LOOP, cache.stored_key("theirs"))
        plant(fresh_memcached, wire_key(cache, "mine"), theirs)
        before = stat(fresh_memcached, "total_connections")
        assert await cache.get_async("mine") is None
        assert cache.stats()["damaged"] == 1
        assert await cache.get_async("theirs") == "theirs"
        assert stat(fresh_memcached, "total_connections") == before + 2  # a new one, and that of `stat`
        await cache.aclose()

    async def test_server_that_is_full_refuses_and_is_not_down(self, launch, one_line):
        server = launch(Memcached("-M", "-m", "2"))  # full: errors, instead of evictions
        cache = one_line(servers=server.address, deadline=PATIENT)
        stored = [await cache.set_async(f"k{number}", b"x" * 100_000) for number in range(60)]
        assert set(stored) == {True, False}
        assert await cache.get_async("k0") == b"x" * 100_000
        assert cache.stats()["errors"] == 0
        await cache.aclose()


class HostileBytes(Limits):
    """From the loop."""

    def test_any_text_is_a_key_of_its_own(self, memcached_server, one_line):
        async def use(keys: list[str]) -> None:
            cache = one_line(servers=memcached_server.url, key_prefix="any text", deadline=PATIENT)
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

        @given(keys=st.lists(st.text(st.characters(), max_size=400), min_size=1, max_size=20, unique=True))
        def use_any(keys: list[str]) -> None:
            asyncio.run(use(keys))

        use_any()

    @pytest.mark.parametrize("flags", [0, 1, 2, 16, 4_294_967_295])
    @pytest.mark.parametrize(
        "raw", [b"", b"text", b"12", pickle.dumps(Executed()), marshal.dumps(["x"]), b"\x00" * 200, b"END\r\n", b"\r\n"]
    )
    async def test_what_others_stored_is_a_miss_and_goes(self, memcached_server, unique_prefix, one_line, raw, flags):
        cache = one_line(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        plant(memcached_server, wire_key(cache, "k"), raw, flags=flags)
        assert await cache.get_async("k", default="a miss") == "a miss"
        assert cache.stats() == {"hits": 0, "misses": 1, "errors": 0, "damaged": 1}
        assert ask(memcached_server, b"get %s\r\n" % wire_key(cache, "k")) == b"END\r\n"
        await cache.aclose()

    @pytest.mark.parametrize("size", [MEBI - 2048, MEBI, 5 * MEBI])
    async def test_value_too_large_is_refused_and_the_connection_stays_in_step(self, fresh_memcached, one_line, size):
        cache = one_line(servers=fresh_memcached.url, deadline=PATIENT, on_error="raise")
        await cache.set_async("k", "old")
        before = stat(fresh_memcached, "total_connections")
        await expect_size_to_decide(cache, size)
        assert stat(fresh_memcached, "total_connections") == before + 1  # that of `stat`
        await cache.aclose()


async def expect_size_to_decide(cache: BaseCacheBackend, size: int) -> None:
    """Store something of this size in the place of `k`: what is too large is refused, and nothing is in its place."""
    kept = await cache.set_async("k", b"x" * size)
    assert kept is (size < MEBI)
    assert (await cache.get_async("k") is not None) is kept
    assert await cache.add_async("added", b"x" * size) is kept
    assert await cache.set_many_async({"k": b"x" * size, "small": 1}) == ([] if kept else ["k"])
    assert await cache.get_async("small") == 1
    assert cache.stats()["errors"] == 0
