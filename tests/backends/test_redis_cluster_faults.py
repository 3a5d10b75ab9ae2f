"""Masters of a cluster fail, hand over, and give slots away: no error, and other slots hear nothing of it."""

import asyncio
import time
from functools import partial
from unittest.mock import ANY

import pytest
from redis.crc import key_slot

from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.redis_parts import Parts
from asynccache.core.claims import Hit, Lead
from asynccache.core.events import BackendDown, BackendUp
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.testing import recorded_events
from tests.backends.making import making
from tests.failovers import DEADLINE, lose_no_write, survive_a_failover
from tests.load import KEYS, healthy, under_load
from tests.outages import close_and_leave
from tests.servers.process import wait_until
from tests.servers.redis_cluster import is_master, tell
from tests.storms import expect_bounds

KEYS_OF_LOAD = [f"load {number}" for number in range(KEYS)]


@pytest.fixture
def cluster(fresh_redis_cluster):
    return fresh_redis_cluster


@pytest.fixture
def make(cluster):
    with making(RedisCacheBackend, cluster.url, deadline=DEADLINE) as make:
        yield make


def wire_of(key, cache):
    """Give the key in the cluster."""
    return Parts(16).spot(cache.stored_key(key)).entry


def move_each(cluster, wires):
    """Give each of these slots to the next master."""
    for slot, wire in wires.items():
        source = cluster.node_of(wire)
        cluster.move_slot(slot, source, cluster.nodes[(cluster.nodes.index(source) + 1) % 3])


def kept_by(node, cluster, cache):
    return {key for key in KEYS_OF_LOAD if cluster.node_of(wire_of(key, cache)) is node}


@pytest.mark.timed
class TestMasters:
    @pytest.mark.parametrize("how", ["kill", "freeze"])
    async def test_the_replica_of_a_master_that_fails_takes_over(self, cluster, make, how):
        cache = make()
        master = cluster.nodes[1]
        replica = cluster.replica_of(master)
        with recorded_events(cache) as events:
            await survive_a_failover(
                cache,
                getattr(master, how),
                lambda: wait_until(lambda: is_master(replica), "the replica has taken over"),
            )
        assert [type(event) for event in events] == [BackendDown, BackendUp]
        await cache.aclose()

    @pytest.mark.parametrize("how", ["kill", "freeze"])
    async def test_other_slots_are_untouched(self, cluster, make, how):
        cache = make(deadline=0.5)
        await cache.set_many_async({key: f"value of {key}" for key in KEYS_OF_LOAD}, None)
        gone = kept_by(cluster.nodes[0], cluster, cache)
        assert 0 < len(gone) < KEYS
        getattr(cluster.nodes[0], how)()
        getattr(cluster.replica_of(cluster.nodes[0]), how)()
        others = [key for key in KEYS_OF_LOAD if key not in gone]
        for _ in range(3):
            await asyncio.gather(*[cache.get_async(key) for key in gone])
        for _ in range(20):
            found = await asyncio.gather(*[cache.get_async(key) for key in others])
            assert found == [cache.get(key) for key in others] == [f"value of {key}" for key in others]
        assert set(await cache.get_many_async(KEYS_OF_LOAD)) == set(others)
        assert set(cache.get_many(KEYS_OF_LOAD)) == set(others)
        assert set(await cache.set_many_async(dict.fromkeys(KEYS_OF_LOAD, 1))) == gone
        for claims in (await cache.claim_many(LOOP, KEYS_OF_LOAD), run(cache.claim_many(BLOCKING, KEYS_OF_LOAD))):
            assert claims == {key: Hit(ANY) for key in others}
        await asyncio.gather(*[cache.delete_async(key) for key in others])
        claims = await cache.claim_many(LOOP, KEYS_OF_LOAD)
        assert {key for key, claim in claims.items() if isinstance(claim, Lead)} == claims.keys() == set(others)
        for operation in (cache.delete_async(min(gone)), cache.delete_many_async(KEYS_OF_LOAD)):
            with pytest.raises(BackendUnavailableError):
                await operation
        assert await cache.get_many_async(KEYS_OF_LOAD) == {}
        await cache.aclose()

    async def test_whoever_wants_to_know_is_told_what_is_missing(self, cluster, make):
        cache = make(on_error="raise")
        await cache.set_many_async(dict.fromkeys(KEYS_OF_LOAD, 1))
        for node in (cluster.nodes[0], cluster.replica_of(cluster.nodes[0])):
            await asyncio.to_thread(node.kill)
        for operation in (cache.get_many_async(KEYS_OF_LOAD), cache.set_many_async(dict.fromkeys(KEYS_OF_LOAD, 1))):
            with pytest.raises(BackendUnavailableError):
                await operation
        await cache.aclose()

    async def test_a_planned_failover_loses_no_write_that_was_said_to_be_done(self, cluster, make):
        cache = make()
        await lose_no_write(cache, partial(cluster.fail_over, cluster.nodes[2]))
        await cache.aclose()

    async def test_it_is_found_again_when_all_nodes_were_away(self, cluster, make):
        cache = make()
        assert await cache.set_async("a", 1) is True
        for node in cluster.nodes:
            node.freeze()
        began = time.monotonic()
        for _ in range(50):
            await cache.get_async("a")
            cache.get("b")
        assert time.monotonic() - began <= 20 * DEADLINE
        for node in cluster.nodes:
            node.thaw()
        wait_until(lambda: cache.set("back", 1), "it is in use again", 5)
        await cache.aclose()

    async def test_closing_does_not_wait_for_the_frozen(self, cluster, make):
        cache = make(deadline=5.0)
        await cache.set_many_async(dict.fromkeys(KEYS_OF_LOAD, 1))
        cache.get_many(KEYS_OF_LOAD)
        for node in cluster.nodes:
            node.freeze()
        await close_and_leave(cache, cache.set_async("k", b"x" * 10_000_000))


@pytest.mark.timed
class TestSlots:
    async def test_slots_move_under_load(self, cluster, make):
        """Each slot of the load goes to the next master, key by key, and is asked for all the time."""
        cache = make()
        await healthy(cache)
        assert await cache.set_many_async({key: f"value of {key}" for key in KEYS_OF_LOAD}, None) == []
        wires = {key_slot(wire): wire for key in KEYS_OF_LOAD if (wire := wire_of(key, cache))}
        moving = asyncio.create_task(asyncio.to_thread(move_each, cluster, wires))
        reports = []
        while not reports or not moving.done():
            reports.append(await under_load(cache, 2))
            expect_bounds(reports[-1], DEADLINE + 0.05)
        await moving
        asked, hits = (sum(len(getattr(report, what)) for report in reports) for what in ("seconds", "hits"))
        assert cache.stats()["errors"] <= asked / 10  # a busy machine is late now and then: a miss
        assert hits >= asked * 0.9
        await cache.aclose()

    async def test_a_slot_that_nobody_serves_is_a_miss_and_comes_back(self, cluster, make):
        cache = make()
        await cache.set_many_async(dict.fromkeys(KEYS_OF_LOAD, 1))
        wire = wire_of("load 0", cache)
        slot, keeper = key_slot(wire), cluster.node_of(wire)
        others = {key for key in KEYS_OF_LOAD if key_slot(wire_of(key, cache)) != slot}
        for node in cluster.nodes[:3]:
            tell(node, "CLUSTER DELSLOTS", slot)
        assert await cache.get_async("load 0") is None
        with pytest.raises(BackendUnavailableError):
            cache.delete("load 0")
        with recorded_events(cache) as events:
            assert set(await cache.get_many_async(KEYS_OF_LOAD)) == others
        assert events == []
        tell(keeper, "CLUSTER ADDSLOTS", slot)
        wait_until(lambda: cache.set("load 0", 2), "it is served again", 5)
        await cache.aclose()
