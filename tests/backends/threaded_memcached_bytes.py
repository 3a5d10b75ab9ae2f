"""What is in memcached, or comes from it, and is not ours, not whole, or too much, hurts nobody."""

import asyncio
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.keys import memcached_key
from tests.backends.memcached_bytes import MEBI, Limits, expect_size_to_decide
from tests.backends.wire import ask, plant

# The machine that runs the tests is busy.
PATIENT = 5.0


class HostileBytes(Limits):
    @pytest.fixture
    def one_line(self, make):
        return partial(make, pool_size=1)

    @pytest.mark.parametrize("flags", [0, 1, 2, 4, 8, 16, 4_294_967_295])
    @pytest.mark.parametrize("raw", [b"", b"text", b"cos\nabort\n(tR.", b"\x00" * 200, b"END\r\n", b"\r\n"])
    async def test_what_others_stored_is_a_miss_and_goes(self, memcached_server, unique_prefix, make, raw, flags):
        cache = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        wire = memcached_key(cache.stored_key("k"))
        plant(memcached_server, wire, raw, flags=flags)
        assert await cache.get_async("k", default="a miss") == "a miss"
        assert cache.stats() == {"hits": 0, "misses": 1, "errors": 0, "damaged": 1}
        assert ask(memcached_server, b"get %s\r\n" % wire) == b"END\r\n"
        plant(memcached_server, wire, raw, flags=flags)
        assert await cache.incr_async("k") == 1
        plant(memcached_server, wire, raw, flags=flags)
        assert await cache.get_many_async(["k", "l"]) == {}
        await cache.aclose()

    @pytest.mark.parametrize("size", [MEBI - 2048, MEBI, 5 * MEBI])
    async def test_value_too_large_is_refused_and_the_old_one_is_gone(self, fresh_memcached, one_line, size):
        cache = one_line(servers=fresh_memcached.url, deadline=PATIENT, on_error="raise")
        await cache.set_async("k", "old")
        await expect_size_to_decide(cache, size)
        await cache.aclose()

    async def test_counter_keeps_its_lifetime_and_touch_renews_it(self, memcached_server, unique_prefix, make):
        cache = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        await cache.set_many_async({"brief": 1, "renewed": 1}, 2)
        await cache.touch_async("renewed", 60)
        began = time.monotonic()
        while time.monotonic() < began + 2.2:
            await asyncio.sleep(0.2)
            await cache.incr_async("brief", 0)
        assert await cache.get_many_async(["brief", "renewed"]) == {"brief": 0, "renewed": 1}
        await cache.aclose()


class AnyKey:
    def test_any_text_is_a_key_of_its_own(self, memcached_server, make):
        cache = make(servers=memcached_server.url, key_prefix="any text", deadline=PATIENT)

        @given(keys=st.lists(st.text(st.characters(), max_size=400), min_size=1, max_size=20, unique=True))
        def use(keys: list[str]) -> None:
            values = {key: number for number, key in enumerate(keys)}
            assert cache.set_many(values) == []
            assert cache.get_many(keys) == values
            for key, value in values.items():
                assert cache.add(key, 0) is False
                assert cache.incr(key) == value + 1
                assert cache.touch(key, 9) is True
                assert cache.delete(key) is True
            assert cache.delete_many(keys) == 0

        use()
        assert cache.stats()["errors"] == cache.stats()["damaged"] == 0
        cache.close()
