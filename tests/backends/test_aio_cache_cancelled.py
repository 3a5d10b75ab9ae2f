"""Nobody gets another's data from memcached: cancelled calls, crowds, threads, loops."""

import asyncio
from itertools import chain

import pytest

from asynccache.backends.aio_cache import AioMemCacheBackend
from tests.backends.wire import stat
from tests.conftest import LONG
from tests.outages import survive_crowds, take_turns
from tests.servers import Memcached
from tests.storms import Storm, follow_models, share_one_service

PATIENT = 5.0
OWN_CONNECTION = 1  # that of `stat`


@pytest.mark.parametrize(("unix", "cancels"), [(True, 1_000_000 if LONG else 20_000), (False, 2_000)])
@pytest.mark.timeout(1200 if LONG else 120)
async def test_cancelled_operations_disturb_nobody(launch, unix, cancels):
    server = launch(Memcached(unix=unix))  # a closed TCP connection keeps its port for a minute: hence few on TCP
    cache = AioMemCacheBackend(servers=server.path if unix else server.address, deadline=PATIENT)
    storm = Storm(cache, cancels)
    await storm.run()
    assert set(storm.seen) == {"right"}
    assert cache.stats()["errors"] == cache.stats()["damaged"] == 0
    assert stat(server, "curr_connections") <= 10 + OWN_CONNECTION + 1
    await cache.aclose()


async def test_results_of_cancelled_neighbours_reach_nobody(memcached_unix, unique_prefix):
    cache = AioMemCacheBackend(servers=memcached_unix.path, key_prefix=unique_prefix, deadline=PATIENT)
    differences = await asyncio.gather(*[follow_models(cache, seed, 100) for seed in range(20)])
    assert list(chain(*differences)) == []
    assert cache.stats()["errors"] == 0
    await cache.aclose()


def test_sixteen_threads_and_four_loops_share_one_service(memcached_server, unique_prefix):
    share_one_service(AioMemCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT))


async def test_two_thousand_concurrent_operations_wait_for_their_turn(fresh_memcached):
    cache = AioMemCacheBackend(servers=fresh_memcached.url, deadline=PATIENT)
    await cache.set_async("k", "v")
    before = stat(fresh_memcached, "total_connections")
    await take_turns(cache)
    assert stat(fresh_memcached, "total_connections") - before <= 10
    await cache.aclose()


async def test_crowd_that_is_cancelled_leaves_every_connection_free(fresh_memcached):
    cache = AioMemCacheBackend(servers=fresh_memcached.url, pool_size=3, deadline=PATIENT)
    await survive_crowds(cache)
    assert stat(fresh_memcached, "curr_connections") <= 3 + OWN_CONNECTION + 1
    await cache.aclose()
