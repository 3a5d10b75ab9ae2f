"""Replit's store that is killed, frozen, slow or confused fails nobody, and nobody gets another's data from it."""

import asyncio
from itertools import chain

import pytest

from asynccache import BackendUnavailableError
from asynccache.backends.replit_cache import ReplitCacheBackend
from tests.outages import (
    DEADLINE,
    NETWORK_FAULTS,
    bring_into,
    close_and_leave,
    replace_connections,
    survive_a_frost,
    survive_a_kill,
    survive_crowds,
    survive_the_network,
)
from tests.servers.replitdb import SECRET
from tests.storms import Storm, follow_models, seconds_until_hit, work_on_a_lying_wire

PATIENT = 5.0
STRAYS = {
    "another's value": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nSTRAY",
    "a miss": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"$5\r\nSTRAY\r\n",
}


@pytest.fixture
def store(replitdb_server):
    replitdb_server.clear()
    return replitdb_server


@pytest.mark.parametrize("status", [429, 500, 503, 301])
async def test_store_that_asks_for_a_pause_gets_one(fresh_replitdb, status, caplog):
    cache = ReplitCacheBackend(fresh_replitdb.url, deadline=PATIENT)
    await cache.set_async("k", 1)
    fresh_replitdb.answer(status)
    assert [await cache.get_async("k") for _ in range(20)] == [None] * 20
    with pytest.raises(BackendUnavailableError, match="not asked, down for"):
        await cache.delete_async("k")
    assert f"down, asked again every 0.25 s: {fresh_replitdb.address}: OverloadedError: {status}" in caplog.text
    assert SECRET not in caplog.text
    await cache.aclose()


@pytest.mark.parametrize("status", [400, 401, 403, 418])
async def test_refused_read_is_no_outage(fresh_replitdb, status, caplog):
    cache = ReplitCacheBackend(fresh_replitdb.url, deadline=PATIENT)
    await cache.set_async("k", 1)
    fresh_replitdb.answer(status)
    assert [await cache.get_async("k") for _ in range(20)] == [None] * 20
    with pytest.raises(BackendUnavailableError, match=f"was refused: {status}") as raised:
        await cache.delete_async("k")
    fresh_replitdb.answer(0)
    assert await cache.get_async("k") == 1
    assert len([record for record in caplog.records if "refused" in record.message]) == 1
    assert SECRET not in f"{caplog.text}{raised.value}"
    await cache.aclose()


@pytest.mark.timed
async def test_store_that_is_killed_and_restarted(fresh_replitdb):
    await survive_a_kill(ReplitCacheBackend(fresh_replitdb.url, deadline=DEADLINE), fresh_replitdb)


@pytest.mark.timed
async def test_store_that_is_frozen_and_thawed(fresh_replitdb):
    await survive_a_frost(ReplitCacheBackend(fresh_replitdb.url, deadline=DEADLINE), fresh_replitdb)


@pytest.mark.parametrize("fault", NETWORK_FAULTS[:3], ids=lambda fault: next(iter(fault)))
@pytest.mark.timed
async def test_network_that_goes_wrong(store, fault_proxy, fault):
    proxy = fault_proxy(store.host, store.port)
    cache = ReplitCacheBackend(store.url.replace(store.address, proxy.address), deadline=DEADLINE)
    await survive_the_network(cache, proxy, fault)


async def test_connection_that_the_store_closed_is_replaced(store, fault_proxy):
    proxy = fault_proxy(store.host, store.port)
    cache = ReplitCacheBackend(store.url.replace(store.address, proxy.address), deadline=PATIENT, on_error="raise")
    await replace_connections(cache, proxy)


async def test_lost_invalidation_is_never_silent(fresh_replitdb):
    cache = ReplitCacheBackend(fresh_replitdb.url)
    await asyncio.to_thread(fresh_replitdb.kill)
    operations = (
        cache.delete_async("k"),
        cache.delete_many_async(["k"]),
        cache.incr_async("k"),
        cache.touch_async("k"),
    )
    for operation in operations:
        with pytest.raises(BackendUnavailableError, match=fresh_replitdb.address):
            await operation
    assert await cache.set_many_async({"k": 1, "l": 2}) == ["k", "l"]
    assert await cache.get_many_async(["k", "l"]) == {}
    await cache.aclose()


# Nobody gets another's


async def test_cancelled_operations_disturb_nobody(store):
    cache = ReplitCacheBackend(store.url, deadline=PATIENT)
    storm = Storm(cache, 2_000)
    await storm.run()
    assert set(storm.seen) == {"right"}
    assert cache.stats()["errors"] == cache.stats()["damaged"] == 0
    await cache.aclose()


async def test_results_of_cancelled_neighbours_reach_nobody(store):
    cache = ReplitCacheBackend(store.url, deadline=PATIENT)
    differences = await asyncio.gather(*[follow_models(cache, seed, 10) for seed in range(10)])
    assert list(chain(*differences)) == []
    await cache.aclose()


async def test_crowd_that_is_cancelled_leaves_every_connection_free(store):
    await survive_crowds(cache := ReplitCacheBackend(store.url, pool_size=3, deadline=PATIENT))
    await cache.aclose()


@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
async def test_stray_and_lost_replies_mislead_nobody(store, fault_proxy, stray):
    proxy = fault_proxy(store.host, store.port)
    cache = ReplitCacheBackend(store.url.replace(store.address, proxy.address), deadline=DEADLINE)
    wrong: list[str] = []
    proxy.set(prepend_p=0.05, drop_p=0.02, prepend=stray)
    await asyncio.gather(*[work_on_a_lying_wire(cache, f"worker {number}", wrong) for number in range(10)])
    # `add` is not atomic here: it reads first, and where it is told of a miss, whosever that was, it stores.
    assert [what for what in wrong if not what.startswith("add ")] == []
    proxy.heal()
    assert await seconds_until_hit(cache) <= 1
    await cache.aclose()


@pytest.mark.parametrize("state", ["alive", "frozen", "killed"])
async def test_closing_takes_a_second_at_most(fresh_replitdb, state):
    cache = ReplitCacheBackend(fresh_replitdb.url, deadline=PATIENT)
    await bring_into(state, cache, fresh_replitdb)
    await close_and_leave(cache, cache.get_async("k"))
