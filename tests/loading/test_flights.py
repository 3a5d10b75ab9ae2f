"""Flights: who leads, who waits, and what happens to them when somebody leaves."""

import asyncio
import os
import threading
import time

import pytest

from asynccache.loading.flights import Flights


def test_the_first_leads_and_the_others_join():
    flights = Flights()
    flight, leads = flights.join("key")
    assert leads
    assert flights.join("key") == (flight, False)
    assert flights.join("other")[1]


def test_a_settled_flight_makes_way_for_the_next():
    flights = Flights()
    flight, _ = flights.join("key")
    flight.settle("value")
    assert len(flights) == 0
    assert flights.join("key")[1]


async def test_whoever_comes_after_the_outcome_has_it_at_once():
    flights = Flights()
    flight, _ = flights.join("key")
    flight.settle("value")
    assert await flight.wait() == "value"
    assert flight.wait_in_thread() == "value"


def test_only_the_first_outcome_counts():
    flight, _ = Flights().join("key")
    flight.settle("first")
    flight.settle("second")
    assert flight.wait_in_thread() == "first"


async def test_waiters_on_loops_and_in_threads_get_the_same_outcome():
    flight, _ = Flights().join("key")
    in_thread = asyncio.create_task(asyncio.to_thread(flight.wait_in_thread))
    on_other_loop = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(flight.wait())))
    here = asyncio.create_task(flight.wait())
    await asyncio.sleep(0.05)
    flight.settle(42)
    assert await asyncio.gather(in_thread, on_other_loop, here) == [42, 42, 42]


async def test_an_outcome_from_another_thread_wakes_this_loop():
    flight, _ = Flights().join("key")
    threading.Timer(0.02, flight.settle, ["value"]).start()
    async with asyncio.timeout(5):
        assert await flight.wait() == "value"


async def test_a_cancelled_waiter_disturbs_nobody():
    flight, _ = Flights().join("key")
    waiters = [asyncio.create_task(flight.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    await asyncio.sleep(0)
    flight.settle("value")
    outcomes = await asyncio.gather(*waiters, return_exceptions=True)
    assert isinstance(outcomes[0], asyncio.CancelledError)
    assert outcomes[1:] == ["value", "value"]


async def test_the_last_to_leave_abandons_the_flight():
    flights, gone = Flights(), []
    flight, _ = flights.join("key")
    flight.when_abandoned(lambda: gone.append("abandoned"))
    waiters = [asyncio.create_task(flight.wait()) for _ in range(2)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    await asyncio.gather(*waiters[:1], return_exceptions=True)
    assert gone == []
    waiters[1].cancel()
    await asyncio.gather(*waiters, return_exceptions=True)
    assert gone == ["abandoned"]
    assert flights.join("key")[1], "whoever comes next loads afresh"


def test_a_detached_flight_is_doomed_and_the_next_caller_leads():
    flights = Flights()
    flight, _ = flights.join("key")
    flights.detach("key")
    flights.detach("key")
    assert flight.doomed
    follower, leads = flights.join("key")
    assert leads
    assert not follower.doomed
    flight.settle("old")
    assert flights.join("key") == (follower, False), "an old flight does not take the new one off the table"


def test_a_waiter_whose_loop_has_gone_does_not_stop_the_others():
    flight, _ = Flights().join("key")
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(flight.wait())
    loop.call_later(0.01, loop.stop)
    loop.run_forever()
    result = []
    thread = threading.Thread(target=lambda: result.append(flight.wait_in_thread()))
    thread.start()
    time.sleep(0.02)
    loop.close()
    flight.settle("value")
    thread.join(5)
    assert result == ["value"]
    with pytest.raises(asyncio.InvalidStateError):
        waiting.exception()
    waiting._log_destroy_pending = False


def test_a_forked_child_starts_with_no_flights_and_a_free_lock():
    flights = Flights()
    flights.join("key")
    held, release = threading.Event(), threading.Event()

    def hold():
        with flights.lock:
            held.set()
            release.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    child = os.fork()
    if not child:
        os._exit(0 if flights.join("key")[1] else 1)
    release.set()
    thread.join(5)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
