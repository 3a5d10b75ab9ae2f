"""Loads that need each other, and loops that are blocked or gone: nobody waits for ever."""

import asyncio
import threading
import time

import pytest

from asynccache import CacheService
from asynccache.loading import flight as flight_module
from asynccache.loading.circles import waiting
from asynccache.loading.flights import Flights


@pytest.fixture
def cache():
    with CacheService(default="local") as service:
        yield service


async def hang():
    await asyncio.sleep(3600)


def test_a_circle_is_found_over_however_many_others():
    flights = Flights()
    first, second, third = (flights.join(key)[0] for key in ("first", "second", "third"))
    with (
        waiting(flights, (first,), second) as one,
        waiting(flights, (second,), third) as two,
        waiting(flights, (third,), first) as closing,
    ):
        assert (one, two, closing) == (True, True, False)
    with waiting(flights, (third,), first) as alone:
        assert alone
    assert [flight.waits_for for flight in (first, second, third)] == [[], [], []]


async def test_two_loads_that_need_each_other_both_end(cache):
    async def left():
        await asyncio.sleep(0.02)
        return "left of " + await cache.get_or_set_async("right", lambda: "a right of its own")

    async def right():
        await asyncio.sleep(0.02)
        return "right of " + await cache.get_or_set_async("left", lambda: "a left of its own")

    async with asyncio.timeout(5):
        both = await asyncio.gather(cache.get_or_set_async("left", left), cache.get_or_set_async("right", right))
    assert both == ["left of right of a left of its own", "right of a left of its own"]


@pytest.mark.parametrize("loop_waits_first", [True, False])
def test_a_blocked_loop_is_not_waited_for_by_the_load_that_blocks_it(cache, loop_waits_first):
    in_thread, blocked = threading.Event(), threading.Event()
    threads = []

    async def on_loop():
        await asyncio.sleep(0.2)
        return "theirs"

    def needs_the_loop():
        in_thread.set()
        if loop_waits_first:
            blocked.wait(5)
            time.sleep(0.1)
        return "with " + cache.get_or_set("on loop", lambda: "its own")

    async def main():
        pending = asyncio.create_task(cache.get_or_set_async("on loop", on_loop))
        await asyncio.sleep(0.01)
        threads.append(threading.Thread(target=cache.get_or_set, args=("in thread", needs_the_loop), daemon=True))
        threads[0].start()
        in_thread.wait(5)
        if not loop_waits_first:
            time.sleep(0.1)
        blocked.set()
        return cache.get_or_set("in thread", lambda: "its own"), await pending

    expected = "with its own" if loop_waits_first else "its own"
    assert asyncio.run(main()) == (expected, "theirs")
    threads[0].join(5)


@pytest.fixture
def stopped_loop(cache):
    """A loop with a load under way that does not run any more."""
    loop = asyncio.new_event_loop()
    pending = loop.create_task(cache.get_or_set_async("key", hang))
    loop.run_until_complete(asyncio.sleep(0.01))
    yield loop
    if not loop.is_closed():
        pending.cancel()
        loop.run_until_complete(asyncio.gather(pending, return_exceptions=True))
        loop.close()


def test_the_load_of_a_loop_that_stopped_in_this_thread_is_taken_over(cache, stopped_loop):
    async def ask():
        async with asyncio.timeout(5):
            return await cache.get_or_set_async("key", lambda: "mine")

    assert asyncio.run(ask()) == "mine"
    assert cache.get("key") == "mine"


def test_a_sync_call_takes_over_the_load_of_a_loop_that_stopped_in_this_thread(cache, stopped_loop):
    assert cache.get_or_set("key", lambda: "mine") == "mine"
    assert cache.get("key") == "mine"


class DyingLoop:
    """A loop in a thread of its own, that stops with a load under way, and is closed when it is told to."""

    def __init__(self, cache):
        self._cache = cache
        self._stopped, self._told = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._stopped.wait(5)

    def _run(self):
        loop = asyncio.new_event_loop()
        caller = loop.create_task(self._cache.get_or_set_async("key", hang))
        loop.run_until_complete(asyncio.sleep(0.01))
        self._stopped.set()
        self._told.wait(5)
        for task in (caller, *(launched.task for launched in self._cache.loader.runner._launched)):
            task._log_destroy_pending = False
        loop.close()

    def die(self):
        self._told.set()
        self._thread.join()


def test_the_load_of_a_dead_loop_is_taken_over(cache):
    DyingLoop(cache).die()
    assert cache.get_or_set("key", lambda: "mine") == "mine"


async def test_those_who_wait_for_a_loop_that_dies_take_over(cache, monkeypatch):
    monkeypatch.setattr(flight_module, "LOOK_SECONDS", 0.02)
    dying = DyingLoop(cache)
    in_thread = asyncio.create_task(asyncio.to_thread(cache.get_or_set, "key", lambda: "taken over"))
    here = asyncio.create_task(cache.get_or_set_async("key", lambda: "taken over"))
    await asyncio.sleep(0.05)
    assert not in_thread.done()
    assert not here.done()
    dying.die()
    async with asyncio.timeout(5):
        assert await asyncio.gather(in_thread, here) == ["taken over", "taken over"]
    await cache.aclose()
    assert cache.loader.runner._launched == {}
