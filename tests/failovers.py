"""Writers who note what was said to be done, while servers change their places, and what of it is lost afterwards."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from asynccache.model import BaseCacheBackend
from tests.load import healthy, under_load
from tests.storms import expect_bounds, seconds_until_hit

DEADLINE = 0.15
BACK = 0.5
"""Seconds after a failover within which the cache is in use again."""


@dataclass
class Writers:
    """Some on a loop and one in a thread, each with keys of its own that are written once."""

    cache: BaseCacheBackend
    done: dict[str, int] = field(default_factory=dict)
    over: threading.Event = field(default_factory=threading.Event)

    async def write(self, name: str) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            if await self.cache.set_async(f"{name} {number}", number, None):
                self.done[f"{name} {number}"] = number
            await asyncio.sleep(0.005)

    def write_in_thread(self) -> None:
        number = 0
        while not self.over.is_set():
            number += 1
            if self.cache.set(f"thread {number}", number, None):
                self.done[f"thread {number}"] = number
            time.sleep(0.005)

    async def lost(self) -> list[str]:
        """Give what was said to be stored and is not there; what could not be asked is asked again."""
        async with asyncio.timeout(5):
            errors, found = -1, {}
            while errors != self.cache.stats()["errors"]:
                errors = self.cache.stats()["errors"]
                found = await self.cache.get_many_async(list(self.done))
        return [key for key, number in self.done.items() if found.get(key) != number]


@asynccontextmanager
async def writing(cache: BaseCacheBackend) -> AsyncIterator[Writers]:
    """Write for a second before the body, during it, and for half a second after it."""
    writers = Writers(cache)
    thread = threading.Thread(target=writers.write_in_thread)
    tasks = [asyncio.create_task(writers.write(f"task {number}")) for number in range(5)]
    thread.start()
    try:
        await asyncio.sleep(0.5)
        yield writers
        await asyncio.sleep(0.5)
    finally:
        writers.over.set()
        await asyncio.gather(*tasks)
        await asyncio.to_thread(thread.join)


async def lose_no_write(cache: BaseCacheBackend, fail_over: Callable[[], None]) -> None:
    """Change the master as planned, while all write; what was said to be stored is there, and it goes on soon."""
    async with writing(cache) as writers:
        before = len(writers.done)
        await asyncio.to_thread(fail_over)
        assert await seconds_until_hit(cache) <= BACK
        after = len(writers.done)
    assert len(writers.done) > after > before > 100
    assert await writers.lost() == []


async def survive_a_failover(
    cache: BaseCacheBackend, fail: Callable[[], None], wait_for_another: Callable[[], None]
) -> None:
    """Let a master fail under load; nobody sees an error, and it goes on soon after another has taken over."""
    await healthy(cache)
    fail()
    load = asyncio.create_task(under_load(cache, 4))
    await asyncio.to_thread(wait_for_another)
    assert await seconds_until_hit(cache) <= BACK
    expect_bounds(await load, 2 * DEADLINE + 0.05)
    report = await under_load(cache, 0.5)
    assert report.faultless()
    assert len(report.hits) > 0.5 * len(report.seconds)
