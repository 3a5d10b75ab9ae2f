from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.plan.threads import THREADS

if TYPE_CHECKING:
    from asynccache.plan.io import IO


class Refusal(Exception):
    """What the called function raises."""


def plain(*args: Any, **options: Any) -> tuple[Any, ...]:
    return (*args, *options.items(), threading.current_thread())


async def asynchronous(*args: Any, **options: Any) -> tuple[Any, ...]:
    await asyncio.sleep(0)
    return (*args, *options.items(), threading.current_thread())


def refuses() -> None:
    raise Refusal


async def refuses_later() -> None:
    await asyncio.sleep(0)
    raise Refusal


async def nested(io: IO, depth: int) -> int:
    return 0 if depth == 0 else 1 + await nested(io, depth - 1) + await io.call(int)


def test_plan_of_plans_finishes_off_a_loop() -> None:
    assert run(nested(BLOCKING, 20)) == 20


async def test_same_plan_finishes_on_a_loop() -> None:
    assert await nested(LOOP, 20) == 20


def test_blocking_io_calls_plain_functions_here_and_asynchronous_ones_on_the_portal() -> None:
    assert run(BLOCKING.call(plain, 1, a=2)) == (1, ("a", 2), threading.current_thread())
    *arguments, thread = run(BLOCKING.call(asynchronous, 1, a=2))
    assert (arguments, thread.name) == ([1, ("a", 2)], "asynccache-portal")


async def test_blocking_io_works_inside_a_running_loop() -> None:
    *arguments, thread = run(BLOCKING.call(asynchronous, 1))
    assert (arguments, thread.name) == ([1], "asynccache-portal")


async def test_loop_io_calls_both_kinds_here() -> None:
    here = threading.current_thread()
    assert await LOOP.call(plain, 1, a=2) == (1, ("a", 2), here)
    assert await LOOP.call(asynchronous, 1, a=2) == (1, ("a", 2), here)


def test_blocking_io_offloads_to_nowhere() -> None:
    assert run(BLOCKING.offload(plain, 1, a=2)) == (1, ("a", 2), threading.current_thread())


async def test_loop_io_offloads_to_another_thread() -> None:
    *arguments, thread = await LOOP.offload(plain, 1, a=2)
    assert arguments == [1, ("a", 2)]
    assert thread is not threading.current_thread()


async def test_offloaded_calls_share_a_bounded_number_of_threads() -> None:
    running, most, lock = 0, 0, threading.Lock()
    full = threading.Event()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == THREADS:
                full.set()
        full.wait(10)
        with lock:
            running -= 1

    await asyncio.gather(*[LOOP.offload(work) for _ in range(2 * THREADS)])
    assert most == THREADS


def test_each_loop_has_threads_of_its_own() -> None:
    for _ in range(2):
        assert asyncio.run(LOOP.offload(int)) == 0


async def test_each_way_of_waiting_picks_its_twin() -> None:
    assert run(BLOCKING.twin(plain, asynchronous, 1)) == (1, threading.current_thread())
    assert await LOOP.twin(refuses, asynchronous, 1) == (1, threading.current_thread())
    assert (BLOCKING.pick("blocking", "on loop"), LOOP.pick("blocking", "on loop")) == ("blocking", "on loop")


@pytest.mark.parametrize("function", [refuses, refuses_later])
async def test_errors_come_through_in_both_ways(function: Any) -> None:
    with pytest.raises(Refusal):
        run(BLOCKING.call(function))
    with pytest.raises(Refusal):
        await LOOP.call(function)


async def test_errors_of_blocking_functions_come_through_in_both_ways() -> None:
    with pytest.raises(Refusal):
        run(BLOCKING.offload(refuses))
    with pytest.raises(Refusal):
        await LOOP.offload(refuses)


def test_plan_that_awaits_something_foreign_is_a_defect_and_is_closed() -> None:
    closed = []

    async def careless() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            closed.append(True)

    with pytest.raises(RuntimeError, match="awaited something that is not its io"):
        run(careless())
    assert closed == [True]


async def test_cancelled_caller_does_not_leave_a_plan_running() -> None:
    seen = []

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    waiting = asyncio.ensure_future(LOOP.call(slow))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert seen == ["cancelled"]
