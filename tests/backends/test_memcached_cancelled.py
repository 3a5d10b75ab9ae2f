"""Nobody gets another's data from memcached: cancelled calls, crowds, threads, loops."""

import asyncio
from itertools import chain

import pytest

from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.errors import NotAnIntegerError
from tests.backends.wire import stat
from tests.conftest import LONG
from tests.outages import count_from_everywhere, survive_crowds, take_turns
from tests.storms import Storm, follow_models, share_one_service

PATIENT = 5.0
OWN_CONNECTION = 1  # that of `stat`


@pytest.mark.timeout(1200 if LONG else 120)
async def test_cancelled_operations_disturb_nobody(fresh_memcached):
    cache = MemcachedCacheBackend(servers=fresh_memcached.url, deadline=PATIENT)
    storm = Storm(cache, 1_000_000 if LONG else 100_000)
    before = stat(fresh_memcached, "total_connections")
    await storm.run()
    assert set(storm.seen) == {"right"}
    assert cache.stats()["errors"] == cache.stats()["damaged"] == 0
    assert stat(fresh_memcached, "total_connections") == before + 1 + OWN_CONNECTION
    await cache.aclose()


async def test_a_get_many_that_is_cancelled_before_it_asks_leaves_nothing_behind(memcached_unix, unique_prefix):
    cache = MemcachedCacheBackend(servers=memcached_unix.path, key_prefix=unique_prefix, deadline=PATIENT)
    asking = asyncio.create_task(cache.get_many_async(map(str, range(1_000))))
    await asyncio.sleep(0)  # it has begun, and those who ask for parts of it have not
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await cache.aclose()


async def test_results_of_cancelled_neighbours_reach_nobody(memcached_unix, unique_prefix):
    cache = MemcachedCacheBackend(servers=memcached_unix.path, key_prefix=unique_prefix, deadline=PATIENT)
    differences = await asyncio.gather(*[follow_models(cache, seed, 100) for seed in range(20)])
    assert list(chain(*differences)) == []
    assert cache.stats()["errors"] == 0
    await cache.aclose()


def test_sixteen_threads_and_four_loops_share_one_service(memcached_server, unique_prefix):
    share_one_service(MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT))


async def test_two_thousand_concurrent_operations_wait_for_their_turn(fresh_memcached):
    cache = MemcachedCacheBackend(servers=fresh_memcached.url, deadline=PATIENT)
    await cache.set_async("k", "v")
    before = stat(fresh_memcached, "total_connections")
    await take_turns(cache)
    assert stat(fresh_memcached, "total_connections") == before + OWN_CONNECTION
    await cache.aclose()


async def test_crowd_that_is_cancelled_leaves_every_connection_free(fresh_memcached):
    cache = MemcachedCacheBackend(servers=fresh_memcached.url, deadline=PATIENT)
    await survive_crowds(cache)
    assert stat(fresh_memcached, "curr_connections") == 1 + OWN_CONNECTION
    await cache.aclose()


async def test_rivals_from_everywhere_count_exactly(memcached_server, unique_prefix):
    cache = MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
    await count_from_everywhere(cache, 100)
    await cache.aclose()


async def test_what_is_no_counter_stays_with_several_rivals(memcached_server, unique_prefix):
    cache = MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
    await cache.set_async("k", "text")
    outcomes = await asyncio.gather(*[cache.incr_async("k") for _ in range(20)], return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {NotAnIntegerError}
    assert await cache.get_async("k") == "text"
    await cache.aclose()
