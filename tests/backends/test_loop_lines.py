"""Connections of a loop: in turn, in time, and never held by somebody who has gone."""

import asyncio
import time
from contextlib import suppress

import pytest

from asynccache.backends.loop_lines import LoopLines
from asynccache.wire.faults import BusyError


class Line:
    """A connection that notes what becomes of it."""

    def __init__(self):
        self.fate = []
        self.fit = True
        self.connected = True
        self.cut = asyncio.Event()

    def is_fit(self):
        return self.fit

    def abort(self):
        self.cut.set()
        return self.connected

    def drop(self):
        self.fate.append("dropped")

    async def end(self):
        self.fate.append("ended")


@pytest.fixture
def made():
    return []


@pytest.fixture
def lines(made):
    def make():
        made.append(Line())
        return made[-1]

    return LoopLines(make, 1)


async def answer(line):
    await asyncio.sleep(0)
    return line


async def hang(line):
    await line.cut.wait()
    raise ConnectionResetError


async def sleep(line):
    await asyncio.sleep(60)


async def test_connection_is_used_again(lines, made):
    assert await lines.use(answer, 1) is await lines.use(answer, 1)
    assert len(made) == 1


async def test_unfit_connection_is_replaced(lines, made):
    await lines.use(answer, 1)
    made[0].fit = False
    await lines.use(answer, 1)
    assert [line.fate for line in made] == [["dropped"], []]


async def test_callers_wait_for_their_turn(lines, made):
    assert await asyncio.gather(*[lines.use(answer, 5) for _ in range(100)]) == made * 100


async def test_connection_that_raised_is_not_used_again(lines, made):
    async def fail(line):
        raise EOFError

    with pytest.raises(EOFError):
        await lines.use(fail, 1)
    await lines.use(answer, 1)
    assert [line.fate for line in made] == [["dropped"], []]


async def test_cancelled_caller_leaves_the_connection_in_use(lines, made):
    done = asyncio.Event()

    async def slow(line):
        await done.wait()

    caller = asyncio.create_task(lines.use(slow, 5))
    await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    done.set()
    assert await lines.use(answer, 1) is made[0]
    assert made[0].fate == []


async def test_exchange_that_its_caller_left_ends_in_time(lines, made):
    caller = asyncio.create_task(lines.use(hang, 0.05))
    await asyncio.sleep(0.01)
    caller.cancel()
    assert await lines.use(answer, 5) is made[1]
    assert made[0].fate == ["dropped"]


@pytest.mark.parametrize(("work", "connected"), [(hang, True), (sleep, False)])
async def test_exchange_that_takes_too_long_is_ended(lines, made, work, connected):
    caller = asyncio.create_task(lines.use(work, 0.05))
    await asyncio.sleep(0.01)
    made[0].connected = connected
    with pytest.raises(TimeoutError):
        await caller
    await lines.use(answer, 5)
    assert [line.fate for line in made] == [["dropped"], []]


async def test_swallowed_cancellation_is_repeated(lines, made):
    async def deaf(line):
        for _ in range(3):
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await lines.use(deaf, 0.01)
    await lines.use(answer, 5)
    assert [line.fate for line in made] == [["dropped"], []]


async def test_crowd_that_is_too_late_is_busy(lines):
    async def slow(line):
        await asyncio.sleep(0.2)

    first = asyncio.create_task(lines.use(slow, 5))
    await asyncio.sleep(0.01)
    with pytest.raises(BusyError, match="all 1 connections"):
        await lines.use(answer, 0.05)
    with pytest.raises(BusyError, match="all 1 connections"):
        await lines.use(slow, 0.22)  # had less than half of its time
    await first


async def test_closing_ends_idle_ones_and_aborts_the_others(made):
    def make():
        made.append(Line())
        return made[-1]

    lines = LoopLines(make, 3)
    await asyncio.gather(lines.use(answer, 1), lines.use(answer, 1))
    hanging = asyncio.create_task(lines.use(hang, 60))
    sleeping = asyncio.create_task(lines.use(sleep, 60))
    await asyncio.sleep(0.01)
    made[0].connected = False  # that of the last one
    began = time.monotonic()
    await lines.aclose(0.5)
    assert time.monotonic() - began < 0.5
    for caller in (hanging, sleeping):
        with pytest.raises(BusyError, match="closed meanwhile"):
            await caller
    assert [line.fate for line in made] == [["dropped"]] * 2


async def test_closing_refuses_those_who_wait_for_their_turn(lines, made):
    callers = [asyncio.create_task(lines.use(hang, 60)) for _ in range(5)]
    await asyncio.sleep(0.01)
    await lines.aclose(0.5)
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [BusyError] * 5
    assert [line.fate for line in made] == [["dropped"]]


async def test_closing_that_is_cancelled_closes_all_the_same(made):
    def make():
        made.append(Line())
        return made[-1]

    done = asyncio.Event()

    async def deaf(line):
        while not done.is_set():
            with suppress(asyncio.CancelledError):
                await done.wait()
        return "answer"

    lines = LoopLines(make, 2)
    await asyncio.gather(lines.use(answer, 1), lines.use(answer, 1))
    caller = asyncio.create_task(lines.use(deaf, 60))
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(lines.aclose(60))
    await asyncio.sleep(0.01)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert [line.fate for line in made] == [["dropped"], []]
    done.set()
    assert await caller == "answer"
    assert [line.fate for line in made] == [["dropped"], ["dropped"]]


def test_loop_that_ends_before_an_exchange_begins_leaves_no_connection(made):
    def make():
        made.append(Line())
        return made[-1]

    async def begin_last():
        lines, last = LoopLines(make, 1), asyncio.Event()
        await lines.use(answer, 1)

        async def late():
            await last.wait()
            await lines.use(answer, 1)

        caller = asyncio.create_task(late())
        await asyncio.sleep(0)
        last.set()
        assert not caller.done()

    asyncio.run(begin_last())
    assert [line.fate for line in made] == [["dropped"]]


async def test_dropped_ones_in_use_finish_first(lines, made):
    done = asyncio.Event()

    async def slow(line):
        await done.wait()
        return "answer"

    caller = asyncio.create_task(lines.use(slow, 5))
    await asyncio.sleep(0.01)
    lines.drop()
    done.set()
    assert await caller == "answer"
    assert made[0].fate == ["dropped"]
