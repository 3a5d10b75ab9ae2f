"""A steady load on a cache: 200 requests a second, each get-or-compute, with a heartbeat beside it."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest

from asynccache.model import BaseCacheBackend

PACE = 0.005
KEYS = 50
BEAT = 0.01
HEALTHY_P99 = 0.1


def crowding() -> float:
    """Give how many wanted each of the machine's cores in the last minute, at least 1: so much longer all may take."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@dataclass
class Heartbeat:
    """How late the loop was at worst, and how late a thread with nothing to do: that is the machine's fault."""

    lag: float = 0.0
    machine_lag: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def excess(self) -> float:
        """Give by how much the loop was later than the machine."""
        return max(0.0, self.lag - self.machine_lag)

    async def watch_loop(self) -> None:
        while True:
            due = time.monotonic() + BEAT
            await asyncio.sleep(BEAT)
            self.lag = max(self.lag, time.monotonic() - due)

    def watch_machine(self) -> None:
        due = time.monotonic() + BEAT
        while not self._over.wait(BEAT):
            self.machine_lag = max(self.machine_lag, time.monotonic() - due)
            due = time.monotonic() + BEAT

    def stop(self) -> None:
        self._over.set()


@asynccontextmanager
async def heartbeat() -> AsyncIterator[Heartbeat]:
    """Watch the loop's lag during the body."""
    heart = Heartbeat()
    thread = threading.Thread(target=heart.watch_machine)
    thread.start()
    task = asyncio.create_task(heart.watch_loop())
    try:
        yield heart
    finally:
        task.cancel()
        heart.stop()
        await asyncio.to_thread(thread.join)


@dataclass
class Report:
    """What users saw in one phase."""

    seconds: list[float] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    wrong: list[object] = field(default_factory=list)
    hits: list[float] = field(default_factory=list)
    """When, in seconds since the phase began."""
    unfinished: int = 0
    heart: Heartbeat = field(default_factory=Heartbeat)

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]

    @property
    def worst(self) -> float:
        """Give the longest request, less what the loop was late for each of its two operations."""
        return max(self.seconds) - 2 * self.heart.lag

    def faultless(self) -> bool:
        """Tell whether nobody saw an error or a wrong value, and everybody got an answer."""
        return not (self.errors or self.wrong or self.unfinished)


Request = Callable[[str, float, Report], Awaitable[None]]
"""What one user does with a key: notes in the report what became of it, in a phase that began then."""


async def under_load(cache: BaseCacheBackend, seconds: float, request: Request | None = None) -> Report:
    """Run one phase."""
    report = Report()
    request = request or partial(_request, cache)
    async with heartbeat() as report.heart:
        began = time.monotonic()
        tasks = []
        while (now := time.monotonic()) < began + seconds:
            tasks.append(asyncio.create_task(request(f"load {len(tasks) % KEYS}", began, report)))
            await asyncio.sleep(max(0.0, began + len(tasks) * PACE - now))
        _, unfinished = await asyncio.wait(tasks, timeout=5)
    report.unfinished = len(unfinished)
    return report


async def healthy(cache: BaseCacheBackend, request: Request | None = None) -> Report:
    """Run a phase without faults; where even that is slow, a fault test shows nothing and is void."""
    for _ in range(10):
        report = await under_load(cache, 0.5, request)
        assert report.faultless(), report
        if report.p99 <= HEALTHY_P99 * crowding():
            return report
    return pytest.fail(f"void: without a fault p99 is {report.p99:.3f} s")


async def _request(cache: BaseCacheBackend, key: str, began: float, report: Report) -> None:
    start = time.monotonic()
    try:
        value = await cache.get_async(key)
        if value is None:
            await cache.set_async(key, f"value of {key}")
        elif value == f"value of {key}":
            report.hits.append(time.monotonic() - began)
        else:
            report.wrong.append(value)
    except Exception as error:
        report.errors.append(error)
    report.seconds.append(time.monotonic() - start)
