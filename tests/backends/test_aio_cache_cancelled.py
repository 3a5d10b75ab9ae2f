"""Nobody gets another's data from memcached: cancelled calls, crowds, threads, loops (RELIABILITY A1, A2, A4, C6)."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from itertools import chain
from typing import Any

import anyio
import pytest

from asynccache.backends.aio_cache import AioMemCacheBackend
from asynccache.errors import NotAnIntegerError
from asynccache.service import CacheService
from tests.backends.wire import stat
from tests.conftest import LONG
from tests.servers import Memcached

PATIENT = 5.0
KEYS = [f"warm {number}" for number in range(20)]
OWN_CONNECTION = 1  # that of `stat`


def value_of(key: str) -> str:
    return f"value of {key}"


async def cut_by_cancel(work: Coroutine[Any, Any, Any], dice: random.Random) -> Any:
    task = asyncio.create_task(work)
    for _ in range(dice.randrange(10)):
        await asyncio.sleep(0)
    task.cancel()
    return await task


async def cut_by_wait_for(work: Coroutine[Any, Any, Any], dice: random.Random) -> Any:
    return await asyncio.wait_for(work, dice.uniform(0.0001, 0.006))


async def cut_by_scope(work: Coroutine[Any, Any, Any], dice: random.Random) -> Any:
    with anyio.fail_after(dice.uniform(0.0001, 0.006)):
        return await work


async def cut(work: Coroutine[Any, Any, Any], dice: random.Random) -> Any:
    """Run an operation that is cancelled at any moment; raise if it was, else give its result."""
    way = dice.choices([cut_by_cancel, cut_by_wait_for, cut_by_scope], [18, 1, 1])[0]
    try:
        return await way(work, dice)
    finally:
        work.close()


class Storm:
    """Readers and writers of warm keys who are cancelled all the time, and one who is not."""

    def __init__(self, cache: AioMemCacheBackend, cancels: int) -> None:
        self.cache = cache
        self.left = cancels
        self.seen: Counter[str] = Counter()

    async def run(self) -> None:
        await self.cache.set_many_async({key: value_of(key) for key in KEYS})
        watcher = asyncio.create_task(self._watch())
        await asyncio.gather(*[self._suffer(random.Random(seed)) for seed in range(20)])
        watcher.cancel()
        for key in KEYS:
            self._note(key, await self.cache.get_async(key))

    async def _suffer(self, dice: random.Random) -> None:
        while self.left > 0:
            key = dice.choice(KEYS)
            operation = dice.choices([self._get, self._get_many, self._set, self._has], [6, 1, 2, 1])[0]
            try:
                await cut(operation(key), dice)
            except (asyncio.CancelledError, TimeoutError):
                self.left -= 1

    async def _watch(self) -> None:
        dice = random.Random(99)
        while True:
            key = dice.choice(KEYS)
            self._note(key, await self.cache.get_async(key))
            await asyncio.sleep(0.001)

    async def _get(self, key: str) -> None:
        self._note(key, await self.cache.get_async(key))

    async def _get_many(self, key: str) -> None:
        for each, value in (await self.cache.get_many_async([key, KEYS[0]])).items():
            self._note(each, value)

    async def _set(self, key: str) -> None:
        self.seen["right" if await self.cache.set_async(key, value_of(key)) is True else "not set"] += 1

    async def _has(self, key: str) -> None:
        self.seen["right" if await self.cache.has_key_async(key) is True else "lost"] += 1

    def _note(self, key: str, value: object) -> None:
        self.seen["right" if value == value_of(key) else "lost" if value is None else "wrong"] += 1


@pytest.mark.parametrize(("unix", "cancels"), [(True, 1_000_000 if LONG else 100_000), (False, 5_000)])
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


class Model:
    """One key and what it must hold, as long as nobody was cancelled on it."""

    def __init__(self, cache: AioMemCacheBackend, key: str, start: int) -> None:
        self.cache, self.key, self.start = cache, key, start
        self.value: int | None = None

    def incr(self) -> tuple[Coroutine[Any, Any, Any], object]:
        by = 1 if self.value is not None else self.start
        self.value = (self.value or 0) + by
        return self.cache.incr_async(self.key, by), self.value

    def add(self) -> tuple[Coroutine[Any, Any, Any], object]:
        absent = self.value is None
        self.value = self.start if absent else self.value
        return self.cache.add_async(self.key, self.start), absent

    def delete(self) -> tuple[Coroutine[Any, Any, Any], object]:
        present, self.value = self.value is not None, None
        return self.cache.delete_async(self.key), present

    def touch(self) -> tuple[Coroutine[Any, Any, Any], object]:
        return self.cache.touch_async(self.key, 60), self.value is not None

    def get(self) -> tuple[Coroutine[Any, Any, Any], object]:
        return self.cache.get_async(self.key), self.value


async def follow_models(cache: AioMemCacheBackend, seed: int, rounds: int) -> list[str]:
    """Compare every completed result with a model; what was cancelled may still happen, so its key is given up."""
    dice, differences = random.Random(seed), []
    for number in range(rounds):
        model = Model(cache, f"{seed}:{number}", start=(seed * rounds + number + 1) * 1000)
        while True:
            operation = dice.choice([model.incr, model.incr, model.add, model.delete, model.touch, model.get])
            work, expected = operation()
            try:
                result = await (cut(work, dice) if dice.random() < 0.3 else work)
            except (asyncio.CancelledError, TimeoutError):
                break
            if result != expected:
                differences.append(f"{operation.__name__} of {model.key}: {result}, not {expected}")
    return differences


async def test_results_of_cancelled_neighbours_reach_nobody(memcached_unix, unique_prefix):
    cache = AioMemCacheBackend(servers=memcached_unix.path, key_prefix=unique_prefix, deadline=PATIENT)
    differences = await asyncio.gather(*[follow_models(cache, seed, 100) for seed in range(20)])
    assert list(chain(*differences)) == []
    assert cache.stats()["errors"] == 0
    await cache.aclose()


def in_threads(*works: Callable[[], None]) -> list[BaseException]:
    """Run all of them at once, each in a thread, and give what they raised."""
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def test_sixteen_threads_and_four_loops_share_one_service(memcached_server, unique_prefix):
    backend = AioMemCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
    numbers: list[int] = []

    def visit(name: str) -> None:
        for turn in range(40):
            key = f"{name} {turn % 5}"
            assert service.set(key, key) is True
            assert service.get(key) == key
            assert service.get_many([key, "missing"]) == {key: key}
            numbers.append(service.incr("visits"))

    async def visit_async(name: str) -> None:
        for turn in range(10):
            key = f"{name} {turn % 5}"
            assert await service.set_async(key, key) is True
            assert await service.get_async(key) == key
            assert await service.get_many_async([key, "missing"]) == {key: key}
            numbers.append(await service.incr_async("visits"))

    async def crowd(name: str) -> None:
        await asyncio.gather(*[visit_async(f"{name} {number}") for number in range(4)])

    with CacheService(default=backend) as service:
        threads = [partial(visit, f"thread {number}") for number in range(16)]
        loops = [lambda name=f"loop {number}": asyncio.run(crowd(name)) for number in range(4)]
        assert in_threads(*threads, *loops) == []
    assert sorted(numbers) == list(range(1, 16 * 40 + 4 * 4 * 10 + 1))
    assert backend.stats()["errors"] == 0


async def test_two_thousand_concurrent_operations_wait_for_their_turn(fresh_memcached):
    cache = AioMemCacheBackend(servers=fresh_memcached.url, deadline=PATIENT)
    await cache.set_async("k", "v")
    before = stat(fresh_memcached, "total_connections")
    values = await asyncio.gather(*[cache.get_async("k") for _ in range(2_000)])
    assert values == ["v"] * 2_000
    assert cache.stats()["errors"] == 0
    assert stat(fresh_memcached, "total_connections") - before <= 10
    await cache.aclose()


async def test_crowd_that_is_cancelled_leaves_every_connection_free(fresh_memcached):
    cache = AioMemCacheBackend(servers=fresh_memcached.url, pool_size=3, deadline=PATIENT)
    await cache.set_async("k", "v")
    for ticks in range(20):
        crowd = [asyncio.create_task(cache.get_async("k")) for _ in range(200)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in crowd:
            task.cancel()
        await asyncio.wait(crowd)
    assert await asyncio.gather(*[cache.get_async("k") for _ in range(6)]) == ["v"] * 6
    assert stat(fresh_memcached, "curr_connections") <= 3 + OWN_CONNECTION + 1
    await cache.aclose()


async def test_rivals_from_everywhere_count_exactly(memcached_server, unique_prefix):
    cache = AioMemCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
    await cache.set_async("n", 0, 60)

    async def count() -> list[int]:
        return await asyncio.gather(*[cache.incr_async("n") for _ in range(100)])

    numbers = await asyncio.gather(count(), *[asyncio.to_thread(asyncio.run, count()) for _ in range(3)])
    assert sorted(chain(*numbers)) == list(range(1, 401))
    await cache.aclose()


async def test_what_is_no_counter_stays_with_several_rivals(memcached_server, unique_prefix):
    cache = AioMemCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
    await cache.set_async("k", "text")
    outcomes = await asyncio.gather(*[cache.incr_async("k") for _ in range(20)], return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {NotAnIntegerError}
    assert await cache.get_async("k") == "text"
    await cache.aclose()
