"""A chain whose first store comes and goes: nobody sees an error, and nobody sees what was changed since."""

import asyncio
import os
import random
import threading
import time
import warnings
from dataclasses import dataclass, field
from functools import partial

import pytest

from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.core.events import BackendDown, BackendUp
from tests.conftest import LONG
from tests.load import healthy, under_load
from tests.servers import Redis
from tests.servers.process import wait_until
from tests.storms import Storm, expect_as_before, expect_bounds, follow_models, in_threads

DEADLINE = 0.15
pytestmark = pytest.mark.timed

FLAPS = 60 if LONG else 4
KEYS = 30


@dataclass
class Ledger:
    """Keys that are changed by one writer each, in numbered steps; a reader may see the last one or a newer."""

    cache: FallbackCacheBackend
    done: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    seen: int = 0
    over: bool = False

    async def write(self, key: str) -> None:
        dice, number = random.Random(key), 0
        while not self.over:
            number += 1
            await self.tried(dice.choices([self.set, self.set_many, self.delete], [4, 1, 3])[0](key, number))
            await asyncio.sleep(dice.uniform(0, 0.05))

    async def read(self, seed: int) -> None:
        dice = random.Random(seed)
        while not self.over:
            await self.tried(dice.choices([self.get, self.get_many], [4, 1])[0](f"k{dice.randrange(KEYS)}"))
            await asyncio.sleep(dice.uniform(0, 0.01))

    async def tried(self, operation) -> None:
        try:
            await operation
        except Exception as error:
            self.errors.append(error)

    async def set(self, key: str, number: int) -> None:
        if await self.cache.set_async(key, number):
            self.done[key] = number

    async def set_many(self, key: str, number: int) -> None:
        if not await self.cache.set_many_async({key: number, f"{key} too": number}):
            self.done[key] = number

    async def delete(self, key: str, number: int) -> None:
        await self.cache.delete_async(key)
        self.done[key] = number

    async def get(self, key: str) -> None:
        at_least = self.done.get(key, 0)
        self.judge(key, await self.cache.get_async(key), at_least)

    async def get_many(self, key: str) -> None:
        others = [f"k{number}" for number in range(0, KEYS, 5)]
        at_least = {each: self.done.get(each, 0) for each in [key, *others]}
        for each, number in (await self.cache.get_many_async(at_least)).items():
            self.judge(each, number, at_least[each])

    def judge(self, key: str, number: int | None, at_least: int) -> None:
        self.seen += number is not None
        if number is not None and number < at_least:
            self.wrong.append(f"{key} is {number}, after {at_least} was done")


class Flapping:
    """What comes and goes once a second, in one of several ways."""

    def __init__(self, server, proxy):
        self.server, self.proxy = server, proxy

    def killed(self):
        self.server.kill()
        time.sleep(0.5)
        self.server.restart()

    def frozen(self):
        self.server.freeze()
        time.sleep(0.5)
        self.server.thaw()

    def hole(self):
        self.proxy.blackhole()
        time.sleep(0.5)
        self.proxy.heal()

    def reset(self):
        self.proxy.set(reset_p=1.0)
        time.sleep(0.5)
        self.proxy.heal()

    def flap(self, way):
        getattr(self, way)()
        time.sleep(0.5)


@pytest.fixture
def flapping(fresh_redis, fault_proxy):
    return Flapping(fresh_redis, fault_proxy(fresh_redis.host, fresh_redis.port))


def chain_over(flapping, *behind):
    redis = RedisCacheBackend(flapping.proxy.address, deadline=DEADLINE)
    return FallbackCacheBackend([redis, *behind, LocalMemCacheBackend()])


def all_is_back(chain):
    """Tell whether each store of a chain is in use, and none has anything outdated."""
    stats = chain.stats()
    return stats["away"] == stats["outdated"] == 0


@pytest.mark.parametrize("way", ["killed", "frozen", "hole", "reset"])
async def test_flapping_once_a_second_misleads_nobody(flapping, way):
    chain = chain_over(flapping)
    ledger = Ledger(chain)
    await chain.get_async("k0")
    works = [ledger.write(f"k{number}") for number in range(KEYS)] + [ledger.read(seed) for seed in range(10)]
    tasks = [asyncio.create_task(work) for work in works]
    for _ in range(FLAPS):
        await asyncio.to_thread(flapping.flap, way)
    await asyncio.sleep(1)
    await asyncio.to_thread(wait_until, lambda: all_is_back(chain), "keys return")
    ledger.over = True
    await asyncio.gather(*tasks)
    assert ledger.errors == []
    assert ledger.wrong == []
    assert ledger.seen > 100 * FLAPS
    assert chain.stats()["fallbacks"] > 0
    await chain.aclose()


async def test_two_stores_that_flap_in_turn_mislead_nobody(flapping, launch, fault_proxy):
    second = launch(Redis())
    proxies = [flapping.proxy, fault_proxy(second.host, second.port)]
    chain = chain_over(flapping, RedisCacheBackend(proxies[1].address, deadline=DEADLINE))
    ledger = Ledger(chain)
    works = [ledger.write(f"k{number}") for number in range(KEYS)] + [ledger.read(seed) for seed in range(5)]
    tasks = [asyncio.create_task(work) for work in works]
    dice = random.Random(1)
    for _ in range(2 * FLAPS):
        for proxy in proxies:
            proxy.heal()
            dice.choice([partial(proxy.set, reset_p=1.0), proxy.blackhole, proxy.set])()
        await asyncio.sleep(0.4)
    for proxy in proxies:
        proxy.heal()
    await asyncio.sleep(2.5)
    ledger.over = True
    await asyncio.gather(*tasks)
    assert ledger.errors == []
    assert ledger.wrong == []
    await chain.aclose()


async def test_nobody_notices_a_kill(flapping):
    chain = chain_over(flapping)
    before = await healthy(chain)
    events = []
    chain.listeners.append(events.append)
    await asyncio.to_thread(flapping.server.kill)
    report = await under_load(chain, 2)
    expect_bounds(report, 2 * DEADLINE + 0.05)
    expect_as_before(report, before)
    assert len(report.hits) > 0.5 * len(report.seconds)
    await asyncio.to_thread(flapping.server.restart)
    report = await under_load(chain, 3)
    expect_bounds(report, 2 * DEADLINE + 0.05)
    assert len(report.hits) > 0.5 * len(report.seconds)
    assert [type(event) for event in events] == [BackendDown, BackendUp]
    await chain.aclose()


@pytest.mark.parametrize("way", ["frozen", "hole"])
async def test_nobody_waits_for_a_store_that_does_not_answer(flapping, way):
    chain = chain_over(flapping)
    await healthy(chain)
    flap = asyncio.create_task(asyncio.to_thread(getattr(flapping, way)))
    expect_bounds(await under_load(chain, 1), 2 * DEADLINE + 0.05)
    await flap
    await chain.aclose()


async def test_cancelled_operations_disturb_nobody(fresh_redis):
    chain = FallbackCacheBackend([RedisCacheBackend(fresh_redis.url, deadline=5), LocalMemCacheBackend()])
    storm = Storm(chain, 2_000)
    await storm.run()
    assert set(storm.seen) == {"right"}
    differences = await asyncio.gather(*[follow_models(chain, seed, 20) for seed in range(10)])
    assert [difference for found in differences for difference in found] == []
    assert chain.stats()["errors"] == chain.stats()["fallbacks"] == 0
    await chain.aclose()


def test_threads_see_nothing_outdated_either(flapping):
    chain = chain_over(flapping)
    over = threading.Event()
    wrong = []

    def work(name):
        number, dice = 0, random.Random(name)
        while not over.is_set():
            number += 1
            if dice.random() < 0.5:
                expected = {number if chain.set(name, number) else None, None}
            else:
                chain.delete(name)
                expected = {None}
            found = {chain.get(name) for _ in range(3)}
            if found - expected:
                wrong.append(f"{name} is {found}, not of {expected}")

    def flap():
        for way in ("reset", "hole", "killed"):
            flapping.flap(way)
        time.sleep(1.5)
        over.set()

    assert in_threads(flap, *[partial(work, f"k{number}") for number in range(4)]) == []
    assert wrong == []
    chain.close()


def test_forked_children_know_what_is_outdated(flapping):
    chain = chain_over(flapping)
    chain.set("k", "old")
    flapping.proxy.set(reset_p=1.0)
    chain.delete("k")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        flapping_is_over = time.monotonic() + 10
        fine = True
        while fine and (chain.stats()["outdated"] or chain.stats()["away"]) and time.monotonic() < flapping_is_over:
            fine = chain.get("k") is None
            chain.get("any")
            time.sleep(0.01)
        os._exit(0 if fine and chain.get("k") is None and chain.stats()["outdated"] == 0 else 1)
    flapping.proxy.heal()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert chain.get("k") is None
    chain.close()
