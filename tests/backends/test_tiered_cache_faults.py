"""Tiers whose Redis, or whose way to it, comes and goes: nobody sees what is older than it may be."""

import asyncio
import random
import time
from dataclasses import dataclass, field

import pytest
import redis.asyncio

from asynccache import BackendUnavailableError, CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.core.entry import Kind
from tests.backends.test_fallback_cache_faults import Flapping, Ledger
from tests.backends.test_tiered_cache_near import eventually
from tests.conftest import LONG
from tests.load import healthy, under_load
from tests.storms import expect_bounds

DEADLINE = 0.15
STALENESS = 0.5
MARGIN = 0.1
OUTAGE = 5.0 if LONG else 1.0
FLAPS = 60 if LONG else 1
pytestmark = pytest.mark.timed


def tiers(address, **options):
    return TieredCacheBackend(
        LocalMemCacheBackend(), RedisCacheBackend(address, deadline=DEADLINE, **options), max_staleness=STALENESS
    )


async def held(node, key, value):
    async with asyncio.timeout(5):
        while node.peek(key, None, Kind.VALUE) != value:
            await node.get_async(key)
            await asyncio.sleep(0.002)


async def queue_is_empty(*nodes, seconds=3.0):
    async with asyncio.timeout(seconds):
        while any(node.stats()["queued"] for node in nodes):
            await asyncio.sleep(0.01)


@dataclass
class Staleness:
    """A writer elsewhere that counts up, and readers here: by how long what they see is outdated."""

    writer: object
    reader: object
    done: list[float] = field(default_factory=list)
    worst: float = 0.0
    seen: int = 0
    over: bool = False

    async def write(self):
        while not self.over:
            if await self.writer.set_async("k", f"{len(self.done) + 1}"):
                self.done.append(time.monotonic())
            await asyncio.sleep(0.02)

    async def read(self):
        while not self.over:
            began = time.monotonic()
            found = await self.reader.get_async("k")
            if found is not None:
                self.seen += 1
                if int(found) < len(self.done):
                    self.worst = max(self.worst, began - self.done[int(found)])
            await asyncio.sleep(0.001)

    async def during(self, seconds, *faults):
        tasks = [asyncio.create_task(work) for work in (self.write(), self.read())]
        for fault in faults:
            await asyncio.sleep(0.3)
            await asyncio.to_thread(fault)
            await asyncio.sleep(seconds)
        self.over = True
        await asyncio.gather(*tasks)


@pytest.fixture
async def apart(fresh_redis, fault_proxy):
    """A node that reaches Redis through a proxy, and one that does so by itself."""
    proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
    mine, other = tiers(proxy.address), tiers(fresh_redis.address)
    await other.set_async("to begin with", "v")
    await held(mine, "to begin with", "v")
    yield mine, other, proxy, fresh_redis
    proxy.heal()
    await mine.aclose()
    await other.aclose()


async def test_a_reset_link_delays_nothing(apart):
    mine, other, proxy, _ = apart
    watch = Staleness(other, mine)
    await watch.during(0.4, proxy.reset_all, proxy.half_close)
    assert watch.worst <= STALENESS + MARGIN
    assert watch.seen > 50


async def test_in_a_black_hole_nothing_older_than_allowed_is_served(apart):
    mine, other, proxy, _ = apart
    watch = Staleness(other, mine)
    await watch.during(0.8, proxy.blackhole, proxy.heal)
    assert watch.worst <= STALENESS + MARGIN
    last = f"{len(watch.done)}"
    await eventually(lambda: mine.get_async("k"), last, 1.0)
    assert mine.stats()["flushes"] == 0


async def test_behind_a_frozen_server_too(apart):
    mine, _, _, server = apart
    await mine.set_async("k", "old")
    await held(mine, "k", "old")
    server.freeze()
    began = time.monotonic()
    while await mine.get_async("k") is not None:
        await asyncio.sleep(0.005)
    assert time.monotonic() - began <= STALENESS + MARGIN + DEADLINE
    server.thaw()
    await eventually(lambda: mine.get_async("k"), "old", 1.0)


async def test_after_a_restart_nothing_that_was_held_is_left(apart):
    mine, other, _, server = apart
    await other.set_async("k", "old")
    await held(mine, "k", "old")
    await asyncio.to_thread(server.restart)
    await eventually(lambda: mine.get_async("k"), None, 1.0)
    async with CacheService(default=mine) as cache:
        assert await cache.get_or_set_async("k", lambda: "new") == "new"
        await eventually(lambda: other.get_async("k"), "new", 1.0)


async def test_after_a_restart_with_older_data_nothing_of_that_is_used(apart):
    mine, other, _, server = apart
    for node in (mine, other):
        await node.set_async("deleted", "old")
        await node.set_async("changed", "old")
    await mine.set_async("tagged", "old", tags=["t"])
    async with redis.asyncio.Redis.from_url(server.url) as raw:
        await raw.save()
    await mine.delete_async("deleted")
    await mine.set_async("changed", "new")
    await mine.invalidate_tags_async("t")
    await asyncio.to_thread(server.restart)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        for node in (mine, other):
            found = await node.get_many_async(["deleted", "changed", "tagged"])
            assert found in ({}, {"changed": "new"})
            for key in ("deleted", "tagged"):
                assert await node.get_async(key) is None
        await asyncio.sleep(0.01)
    assert await other.get_many_async(["deleted", "changed", "tagged"]) == {}


@pytest.mark.parametrize("way", ["killed", "frozen"])
async def test_nobody_who_reads_through_notices(fresh_redis, way):
    node = tiers(fresh_redis.address)
    async with CacheService(default=node) as cache:

        async def request(key, began, report):
            start = time.monotonic()
            try:
                value = await cache.get_or_set_async(key, lambda: f"value of {key}", 0.2)
                report.wrong += [value] if value != f"value of {key}" else []
            except Exception as error:
                report.errors.append(error)
            report.seconds.append(time.monotonic() - start)

        await healthy(node, request)
        await asyncio.to_thread(fresh_redis.kill if way == "killed" else fresh_redis.freeze)
        expect_bounds(await under_load(node, 0.7, request), 2 * DEADLINE + 0.05)
        await asyncio.to_thread(fresh_redis.restart if way == "killed" else fresh_redis.thaw)
        expect_bounds(await under_load(node, 0.5, request), 2 * DEADLINE + 0.05)
        await eventually(lambda: node.set_async("back", "v"), True, 1.0)
        await held(node, "back", "v")


async def test_nodes_that_wrote_in_an_outage_agree_when_it_is_over(fresh_redis, fault_proxy):
    proxies = [fault_proxy(fresh_redis.host, fresh_redis.port) for _ in range(3)]
    nodes = [tiers(proxy.address) for proxy in proxies]
    keys = [f"k{number}" for number in range(40)]
    await nodes[0].set_many_async(dict.fromkeys(keys, "old"), ttl=60)
    await nodes[0].set_async("tagged", "old", tags=["t"])
    for node in nodes:
        for key in keys:
            await held(node, key, "old")
    for proxy in proxies:
        proxy.refuse()
    dice, touched = random.Random(1), {"tagged"}
    until = time.monotonic() + OUTAGE
    while time.monotonic() < until:
        node, key = dice.choice(nodes), dice.choice(keys[:30])
        touched.add(key)
        if dice.random() < 0.5:
            assert await node.set_async(key, "new") is False
        else:
            with pytest.raises(BackendUnavailableError) as failed:
                await node.delete_async(key)
            assert failed.value.queued
        assert await node.get_async(key) is None
        await asyncio.sleep(0.01)
    with pytest.raises(BackendUnavailableError):
        await nodes[1].invalidate_tags_async("t")
    for proxy in dice.sample(proxies, 3):
        proxy.heal()
        await asyncio.sleep(0.1)
    healed = time.monotonic()
    expected = dict.fromkeys([key for key in keys if key not in touched], "old")
    for node in nodes:
        await eventually(lambda node=node: node.get_many_async([*keys, "tagged"]), expected, 3.0)
    assert time.monotonic() - healed <= 3.0
    await queue_is_empty(*nodes)
    await asyncio.sleep(STALENESS)
    for node in nodes:
        assert await node.get_many_async([*keys, "tagged"]) == expected
        await node.aclose()


class TierLedger(Ledger):
    """What was not done is said, and from then on as good as done on this node."""

    async def set(self, key, number):
        await self.cache.set_async(key, f"{number}")
        self.done[key] = number

    async def set_many(self, key, number):
        await self.cache.set_many_async({key: f"{number}", f"{key} too": f"{number}"})
        self.done[key] = number

    async def delete(self, key, number):
        try:
            await self.cache.delete_async(key)
        except BackendUnavailableError as error:
            if not error.queued:
                raise
        self.done[key] = number

    def judge(self, key, number, at_least):
        super().judge(key, None if number is None else int(number), at_least)


@pytest.mark.parametrize("way", ["killed", "hole"])
async def test_flapping_once_a_second_misleads_nobody(fresh_redis, fault_proxy, way):
    flapping = Flapping(fresh_redis, fault_proxy(fresh_redis.host, fresh_redis.port))
    mine, other = tiers(flapping.proxy.address), tiers(fresh_redis.address)
    ledger = TierLedger(mine)
    tasks = [asyncio.create_task(ledger.write(f"k{number}")) for number in range(20)]
    tasks += [asyncio.create_task(ledger.read(seed)) for seed in range(5)]
    for _ in range(FLAPS):
        await asyncio.sleep(0.4)
        await asyncio.to_thread(flapping.flap, way)
    ledger.over = True
    await asyncio.gather(*tasks)
    await queue_is_empty(mine)
    assert ledger.errors == []
    assert ledger.wrong == []
    assert ledger.seen > 30 * FLAPS
    assert mine.stats()["near"] > 30 * FLAPS
    await asyncio.sleep(STALENESS)
    for node in (mine, other):
        for key, number in (await node.get_many_async(ledger.done)).items():
            assert int(number) >= ledger.done[key]
        await node.aclose()
