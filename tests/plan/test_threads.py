"""At most so many threads at a time, also where callers are cancelled while their threads are busy."""

import asyncio
import threading
import time

import pytest
import trio

from asynccache.plan.threads import THREADS, in_thread


class Counter:
    """Count those that run at the same time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self.now = self.peak = self.calls = 0

    def work(self) -> int:
        with self._lock:
            self.now += 1
            self.calls += 1
            self.peak = max(self.peak, self.now)
        time.sleep(self._seconds)
        with self._lock:
            self.now -= 1
        return self.calls


async def test_cancelled_callers_leave_no_more_threads_than_allowed():
    counter = Counter(0.05)
    for _ in range(5):
        crowd = [asyncio.create_task(in_thread(counter.work)) for _ in range(100)]
        await asyncio.sleep(0.02)
        for task in crowd:
            task.cancel()
        await asyncio.wait(crowd)
    assert counter.peak <= THREADS
    assert await in_thread(counter.work) == counter.calls


async def test_places_come_back():
    counter = Counter(0.001)
    for ticks in range(12):
        crowd = [asyncio.create_task(in_thread(counter.work)) for _ in range(THREADS + 10)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in crowd:
            task.cancel()
        ended = await asyncio.gather(*crowd, return_exceptions=True)
        assert {type(one) for one in ended} <= {asyncio.CancelledError, int}
    assert len(await asyncio.gather(*[in_thread(counter.work) for _ in range(THREADS * 2)])) == THREADS * 2
    assert counter.peak <= THREADS


async def test_call_that_has_not_begun_when_its_caller_leaves_never_does():
    counter = Counter(0)
    task = asyncio.create_task(in_thread(counter.work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await in_thread(counter.work) == 1


async def test_errors_come_through():
    def fail() -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        await in_thread(fail)


def test_loop_that_ends_before_its_thread_does():
    over = threading.Event()

    async def leave() -> None:
        task = asyncio.create_task(in_thread(lambda: over.wait(5)))
        await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(leave())
    over.set()
    counter = Counter(0)
    assert asyncio.run(in_thread(counter.work)) == 1


def test_trio_waits_for_the_thread():
    counter = Counter(0.05)

    async def leave() -> None:
        with trio.move_on_after(0.01):
            await in_thread(counter.work)
        assert counter.now == 0
        assert await in_thread(counter.work) == 2

    trio.run(leave)
