"""Those who wait for the same load: what is made for each of them, and how they are woken."""

import asyncio
import threading
from collections import Counter

import pytest

from asynccache import CachePolicy, CacheService
from asynccache.core.events import Hit, Loaded, Miss
from asynccache.loading.flight import Flight
from asynccache.loading.flights import Flights

CALLERS = 50


@pytest.fixture
def cache():
    with CacheService(default="local") as service:
        yield service


@pytest.fixture
async def made(monkeypatch):
    """Count the tasks, timers and calls from other threads that this loop is asked for."""
    loop, counts = asyncio.get_running_loop(), Counter()
    counts.handles = []

    def count(name):
        original = getattr(loop, name)

        def counting(*args, **kwargs):
            counts[name] += 1
            handle = original(*args, **kwargs)
            counts.handles += [handle] if name == "call_at" else []
            return handle

        monkeypatch.setattr(loop, name, counting)

    for name in ("create_task", "create_future", "call_at", "call_soon_threadsafe"):
        count(name)
    return counts


async def test_for_each_who_waits_one_future_is_made_and_nothing_else(cache, made):
    loads, go = [], asyncio.Event()

    async def load():
        loads.append("load")
        await go.wait()
        return "value"

    callers = [asyncio.create_task(cache.get_or_set_async("key", load)) for _ in range(CALLERS)]
    made.clear()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    go.set()
    assert await asyncio.gather(*callers) == ["value"] * CALLERS
    assert loads == ["load"]
    assert made == {"create_future": CALLERS + 1, "create_task": 1}, "besides, that of the event"


async def test_those_who_wait_for_a_limited_time_have_a_timer_each_and_none_is_left(cache, made):
    async def load():
        await asyncio.sleep(0)
        return "value"

    policy = CachePolicy(hard_timeout=3600)
    callers = [asyncio.create_task(cache.get_or_set_async("key", load, policy=policy)) for _ in range(CALLERS)]
    made.clear()
    await asyncio.sleep(0)
    assert made == {"create_future": CALLERS, "create_task": 1, "call_at": CALLERS}
    assert await asyncio.gather(*callers) == ["value"] * CALLERS
    assert all(timer.cancelled() for timer in made.handles)


async def test_a_load_in_another_thread_wakes_all_of_a_loop_by_one_call(made):
    flights = Flights()
    flight, _ = await asyncio.to_thread(flights.join, "key")
    callers = [asyncio.create_task(flight.wait()) for _ in range(CALLERS)]
    await asyncio.sleep(0)
    made.clear()
    thread = threading.Thread(target=flight.settle, args=["value"])
    thread.start()
    assert await asyncio.gather(*callers) == ["value"] * CALLERS
    thread.join()
    assert made["call_soon_threadsafe"] == 1


async def test_who_left_is_not_woken_and_the_others_are():
    flight, _ = Flights().join("key")
    callers = [asyncio.create_task(flight.wait()) for _ in range(CALLERS)]
    await asyncio.sleep(0)
    for caller in callers[::2]:
        caller.cancel()
    flight.settle("value")
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert outcomes[1::2] == ["value"] * (CALLERS // 2)
    assert {type(outcome) for outcome in outcomes[::2]} == {asyncio.CancelledError}


async def test_who_loses_patience_leaves_a_load_that_goes_on():
    abandoned = []
    flight, _ = Flights().join("key")
    flight.when_abandoned(lambda: abandoned.append("abandoned"))
    with pytest.raises(TimeoutError):
        await flight.wait(0.01)
    assert not flight.doomed
    assert abandoned == []
    flight.doom_if_alone()
    assert flight.doomed, "nobody is left who waits"
    flight.settle("value")
    assert await flight.wait(0.01) == "value"


def test_a_thread_that_loses_patience_leaves_a_load_that_goes_on():
    abandoned = []
    flight, _ = Flights().join("key")
    flight.when_abandoned(lambda: abandoned.append("abandoned"))
    with pytest.raises(TimeoutError):
        flight.wait_in_thread(0.01)
    assert not flight.doomed
    assert abandoned == []


async def test_a_value_that_comes_as_patience_ends_is_taken():
    flight, _ = Flights().join("key")
    caller = asyncio.create_task(flight.wait(0))
    await asyncio.sleep(0)  # it waits, and its timer is due
    asyncio.get_running_loop().call_soon(flight.settle, "value")
    assert await caller == "value"


class Late:
    """A lock after which, once a second one is awaited no more, the load is settled in the very moment."""

    def __init__(self, lock, settle):
        self._lock, self._settle, self.uses = lock, settle, 0

    def __enter__(self):
        self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()
        self.uses += 1
        if self.uses == 3:  # to wait, to see it through, and to leave it
            self._settle("value")


@pytest.mark.parametrize("waits", [Flight.wait_in_thread, lambda flight, left: asyncio.run(flight.wait(left))])
def test_a_value_that_comes_as_somebody_leaves_is_taken(waits):
    flights = Flights()
    flight, _ = flights.join("key")
    flight.leave_for_a_thread()
    flights.lock = Late(flights.lock, flight.settle)
    assert waits(flight, 0.01) == "value"


async def test_a_value_that_is_none_is_a_hit(cache):
    await cache.set_async("key", None)
    assert await cache.get_or_set_async("key", lambda: 1 / 0) is None
    assert cache.get_or_set("key", lambda: 1 / 0) is None


async def test_each_call_is_one_hit_or_one_miss(cache):
    async def load():
        return "value"

    for _ in range(3):
        await cache.get_or_set_async("key", load)
    await cache.get_or_set_many_async(["key", "other"], lambda keys: dict.fromkeys(keys, "value"))
    assert {name: cache.stats()["default"][name] for name in ("hits", "misses")} == {"hits": 3, "misses": 2}


class Heard(list):
    """A listener that is false as long as it has heard nothing."""

    def __call__(self, event):
        self.append(type(event))


@pytest.mark.parametrize("by", ["service", "backend"])
def test_a_listener_that_is_false_hears_all_the_same(cache, by):
    heard = Heard()
    (cache if by == "service" else cache.get_backend()).listeners.append(heard)
    cache.get_or_set("key", lambda: "value")
    cache.get_or_set("key", lambda: "value")
    assert heard == [Miss, Loaded, Hit]
