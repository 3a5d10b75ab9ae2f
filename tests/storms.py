"""Crowds that use a cache roughly: cancelled at any moment, from many threads and loops, over a wire that lies."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import anyio

from asynccache.errors import BackendUnavailableError
from asynccache.model import BaseCacheBackend
from asynccache.service import CacheService
from tests.load import Report, crowding

KEYS = [f"warm {number}" for number in range(20)]


def value_of(key: str) -> str:
    """Give what is stored under a key, for all to check."""
    return f"value of {key}"


def expect_bounds(report: Report, longest: float) -> None:
    """No error, nothing unfinished, nobody waited longer, and the loop was never held up."""
    assert report.faultless(), report
    assert report.worst <= longest * crowding()
    assert report.heart.excess <= 0.05 * crowding() + report.heart.machine_lag


def expect_as_before(report: Report, before: Report) -> None:
    """Hardly anybody waited longer than before."""
    assert report.p99 <= (before.p99 + 0.02) * crowding() + report.heart.lag


async def seconds_until_hit(cache: BaseCacheBackend) -> float:
    """Wait until the cache is of use again; give how long that takes on a machine that is not crowded."""
    began = time.monotonic()
    while time.monotonic() < began + 5 * crowding():
        if await cache.set_async("back", 1) and await cache.get_async("back") == 1:
            return (time.monotonic() - began) / crowding()
        await asyncio.sleep(0.01)
    return float("inf")


async def cut_by_cancel(work: Coroutine[Any, Any, Any], dice: random.Random) -> Any:
    """Cancel it after a few turns of the loop."""
    task = asyncio.create_task(work)
    for _ in range(dice.randrange(10)):
        await asyncio.sleep(0)
    task.cancel()
    return await task


async def cut_by_wait_for(work: Coroutine[Any, Any, Any], dice: random.Random) -> Any:
    """Cancel it after a few milliseconds."""
    return await asyncio.wait_for(work, dice.uniform(0.0001, 0.006))


async def cut_by_scope(work: Coroutine[Any, Any, Any], dice: random.Random) -> Any:
    """Cancel it after a few milliseconds, as anyio does."""
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
    """Readers and writers of warm keys who are cancelled all the time, and one who is not.

    In the end `seen` has counted every result that somebody got, and only as "right" if all is well.
    """

    def __init__(self, cache: BaseCacheBackend, cancels: int, crowd: int = 20) -> None:
        self.cache = cache
        self.left = cancels
        self.crowd = crowd
        self.seen: Counter[str] = Counter()

    async def run(self) -> None:
        """Go on until so many operations were cancelled."""
        await self.cache.set_many_async({key: value_of(key) for key in KEYS})
        watcher = asyncio.create_task(self._watch())
        await asyncio.gather(*[self._suffer(random.Random(seed)) for seed in range(self.crowd)])
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


class Model:
    """One key and what it must hold, as long as nobody was cancelled on it."""

    def __init__(self, cache: BaseCacheBackend, key: str, start: int) -> None:
        self.cache, self.key, self.start = cache, key, start
        self.value: int | None = None

    def incr(self) -> tuple[Coroutine[Any, Any, Any], object]:
        """Count up, from a number that no other key has."""
        by = 1 if self.value is not None else self.start
        self.value = (self.value or 0) + by
        return self.cache.incr_async(self.key, by), self.value

    def add(self) -> tuple[Coroutine[Any, Any, Any], object]:
        """Store unless there is something."""
        absent = self.value is None
        self.value = self.start if absent else self.value
        return self.cache.add_async(self.key, self.start), absent

    def delete(self) -> tuple[Coroutine[Any, Any, Any], object]:
        """Remove."""
        present, self.value = self.value is not None, None
        return self.cache.delete_async(self.key), present

    def touch(self) -> tuple[Coroutine[Any, Any, Any], object]:
        """Give a new lifetime."""
        return self.cache.touch_async(self.key, 60), self.value is not None

    def get(self) -> tuple[Coroutine[Any, Any, Any], object]:
        """Read."""
        return self.cache.get_async(self.key), self.value


async def follow_models(cache: BaseCacheBackend, seed: int, rounds: int) -> list[str]:
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


async def work_on_a_lying_wire(cache: BaseCacheBackend, name: str, wrong: list[str]) -> None:
    """Use keys that nobody else uses, and note every result that cannot be one's own."""
    dice = random.Random(name)
    for turn in range(15):
        key = f"{name} {dice.randrange(5)}"
        if await cache.get_async(key) not in (None, value_of(key)):
            wrong.append(f"get {key}")
        await cache.set_async(key, value_of(key))
        if set((await cache.get_many_async([key])).values()) - {value_of(key)}:
            wrong.append(f"get_many {key}")
        try:
            if await cache.add_async(key := f"{name} once {turn}", 1) and await cache.add_async(key, 2):
                wrong.append(f"add {key}")
            if (number := await cache.incr_async(f"{name} counter", 1_000)) % 1_000 or number <= 0:
                wrong.append(f"incr {name}: {number}")
        except BackendUnavailableError:
            pass


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


def share_one_service(backend: BaseCacheBackend, *, threads: int = 16, loops: int = 4) -> None:
    """Use one service from threads and loops at once, and expect that every result is one's own."""
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

    def loop(name: str) -> None:
        asyncio.run(crowd(name))

    with CacheService(default=backend) as service:
        works = [partial(visit, f"thread {number}") for number in range(threads)]
        works += [partial(loop, f"loop {number}") for number in range(loops)]
        assert in_threads(*works) == []
    assert sorted(numbers) == list(range(1, threads * 40 + loops * 40 + 1))
    assert backend.stats()["errors"] == 0
