"""Loads and invalidations that race over one database: nothing loaded before an invalidation lands after it."""

import asyncio
import os
import random
import signal
import time
from functools import partial
from multiprocessing import get_context

import pytest

from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.core.claims import Lead
from asynccache.plan.io import LOOP
from tests.backends.sql_workers import load_slowly
from tests.storms import in_threads

PATIENT = 30.0
SECONDS = 1.0
LEASE_SECONDS = 3.0
NEWEST = 10**9
"""What is set by hand: not a number of the origin's, which another one may have overtaken when it is stored."""


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request, tmp_path):
    """Give the URL of each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db"
    return request.getfixturevalue(f"{request.param}_server").url


class Origin:
    """What is cached: a number that only grows, and the least that a reader may be given."""

    def __init__(self):
        self.number = 0
        self.required = 0
        self.wrong = []
        self.landed = 0
        self.lost = 0


class Node:
    """One of those who share the database, on a loop of its own."""

    def __init__(self, url, prefix, origin, seed):
        self.cache = SQLCacheBackend(url, key_prefix=prefix, deadline=PATIENT, on_error="raise")
        self.origin = origin
        self.dice = random.Random(seed)

    async def work(self):
        """Load, invalidate and read for a while, and until some loads were stored and some were not."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until or not (self.origin.landed and self.origin.lost):
            await self.dice.choice([self.load, self.load, self.read, self.invalidate])()
        await self.cache.aclose()

    async def load(self):
        origin = self.origin
        claimed = await self.cache.claim(LOOP, "k")
        if not isinstance(claimed, Lead):
            return
        number = origin.number
        await asyncio.sleep(self.dice.choice([0, 0.001, 0.01]))
        if await self.cache.land(LOOP, "k", [number], 60.0, claimed.ticket, tags=("x",)):
            origin.landed += 1
        else:
            origin.lost += 1

    async def invalidate(self):
        origin = self.origin
        origin.number = number = origin.number + 1
        cache = self.cache
        change = self.dice.choice(
            [
                lambda: cache.delete_async("k"),
                lambda: cache.delete_many_async(["a", "k"]),
                lambda: cache.invalidate_tags_async("x"),
                cache.clear_async,
                lambda: cache.set_async("k", [NEWEST], tags=["x"]),
                lambda: cache.set_async("k", "of no use", 0),
            ]
        )
        await change()
        origin.required = max(origin.required, number)

    async def read(self):
        required = self.origin.required
        found = await self.cache.get_async("k")
        if found is not None and found[0] < required:
            self.origin.wrong.append((found[0], required))


def test_nothing_stale_lands_while_eight_loops_race(url, unique_prefix):
    origin = Origin()
    nodes = [Node(url, unique_prefix, origin, seed) for seed in range(8)]
    assert in_threads(*[lambda node=node: asyncio.run(node.work()) for node in nodes]) == []
    assert origin.wrong == []


def test_threads_that_call_plainly_race_too(url, unique_prefix):
    cache = SQLCacheBackend(url, key_prefix=unique_prefix, deadline=PATIENT, on_error="raise")
    cache.set("n", 0)
    work = [partial(cache.incr, "n"), partial(cache.delete, "k"), partial(cache.invalidate_tags, "x")]
    assert in_threads(*[plan for plan in work for _ in range(10)]) == []
    assert cache.get("n") == 10
    cache.close()


@pytest.mark.parametrize("url", ["sqlite", "mariadb"], indirect=True)
def test_one_of_all_processes_loads(url, unique_prefix):
    context = get_context("spawn")
    with context.Manager() as manager, context.Pool(2) as pool:
        loads = manager.list()
        values = pool.starmap(load_slowly, [(url, unique_prefix, 0.5, loads)] * 2)
        assert len(loads) == 1
        assert values == [loads[0]] * 2


@pytest.mark.parametrize("url", ["sqlite", "postgresql"], indirect=True)
def test_load_of_a_process_that_is_killed_is_taken_over(url, unique_prefix):
    context = get_context("spawn")
    with context.Manager() as manager:
        loads = manager.list()
        leader = context.Process(target=load_slowly, args=(url, unique_prefix, 60, loads))
        leader.start()
        while not loads:
            time.sleep(0.01)
        os.kill(leader.pid, signal.SIGKILL)
        began = time.monotonic()
        assert load_slowly(url, unique_prefix, 0, loads) == os.getpid()
        assert time.monotonic() - began < LEASE_SECONDS + 1
        leader.join()
        assert list(loads) == [leader.pid, os.getpid()]
