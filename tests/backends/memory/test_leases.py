import asyncio
import os
import threading
from math import inf

import pytest
import trio

from asynccache.backends.memory.leases import SLACK, Leases
from asynccache.core.claims import Held, Lead
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def leases(clock):
    return Leases(threading.RLock(), clock)


def locked(leases, name="k", seconds=10):
    claimed = leases.claim(name, seconds)
    assert isinstance(claimed, Lead)
    return claimed.ticket


def test_lease_ends_by_the_clock_of_the_store_unless_it_is_renewed(leases, clock):
    first = locked(leases)
    clock.advance(9.5)
    assert leases.claim("k", 10) == Held(0.5)
    assert leases.renew(first, 10) is True
    clock.advance(9.5)
    assert leases.claim("k", 10) == Held(0.5)
    clock.advance(0.5)
    second = locked(leases)
    assert second.born > first.born
    assert [leases.renew(first, 10), leases.end(first), leases.renew(second, 10)] == [False, False, True]


def test_lease_that_is_over_is_nobodys_even_if_nobody_else_came(leases, clock):
    ticket = locked(leases)
    clock.advance(10)
    assert [leases.renew(ticket, 10), leases.end(ticket)] == [False, False]


def test_numbers_grow_from_one_process_to_the_next(leases):
    born = [locked(leases, str(number)).born for number in range(100)]
    assert born == sorted(set(born))
    assert locked(Leases(threading.RLock(), FakeClock())).born > born[0]


def test_locks_that_nobody_frees_do_not_pile_up(leases, clock):
    for number in range(1000):
        locked(leases, f"k{number}", 1)
        clock.advance(0.1)
    assert len(leases._leases) <= 2 * SLACK


def test_free_lock_is_not_waited_for(leases, clock):
    run(leases.wait(BLOCKING, "k", inf))
    asyncio.run(leases.wait(LOOP, "k", inf))
    locked(leases)
    clock.advance(10)
    run(leases.wait(BLOCKING, "k", inf))


def test_all_who_wait_are_woken_wherever_they_are(leases):
    ticket = locked(leases)
    ways = [
        lambda: run(leases.wait(BLOCKING, "k", inf)),
        lambda: asyncio.run(leases.wait(LOOP, "k", inf)),
        lambda: trio.run(leases.wait, LOOP, "k", inf),
        lambda: asyncio.run(leases.wait(LOOP, "k", 60)),
        lambda: trio.run(leases.wait, LOOP, "k", 60),
    ]
    waiting = [threading.Thread(target=way, daemon=True) for way in ways]
    for thread in waiting:
        thread.start()
    while len(leases._waiting.get("k", ())) < len(waiting):
        assert not leases._waiting.get("other")
    leases.end(ticket)
    for thread in waiting:
        thread.join(30)
    assert [thread.is_alive() for thread in waiting] == [False] * len(waiting)
    assert leases._waiting == {}


def test_who_stops_waiting_leaves_nothing_behind(leases):
    locked(leases)

    async def cancelled():
        waiting = [asyncio.create_task(leases.wait(LOOP, "k", inf)) for _ in range(3)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    async def cancelled_in_trio():
        with trio.move_on_after(0.01):
            await leases.wait(LOOP, "k", inf)

    asyncio.run(cancelled())
    trio.run(cancelled_in_trio)
    run(leases.wait(BLOCKING, "k", 0.01))
    asyncio.run(leases.wait(LOOP, "k", 0.01))
    trio.run(leases.wait, LOOP, "k", 0.01)
    assert leases._waiting == {}


def test_loop_that_was_closed_is_not_missed(leases):
    ticket = locked(leases)
    loop = asyncio.new_event_loop()
    task = loop.create_task(leases.wait(LOOP, "k", inf))
    loop.run_until_complete(asyncio.sleep(0))
    tell = leases._waiting["k"][0]
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    leases._waiting["k"] = [tell]
    assert leases.end(ticket) is True


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_child_holds_none_of_its_parents_locks(leases):
    ticket = locked(leases)
    child = os.fork()
    if child == 0:
        free = not leases.renew(ticket, 10) and isinstance(leases.claim("k", 10), Lead)
        os._exit(0 if free else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert leases.renew(ticket, 10) is True
