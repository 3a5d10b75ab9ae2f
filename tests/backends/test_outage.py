"""The guard before a server: what it lets through, what it says, what it counts."""

import asyncio
import logging
import os
import time
from collections import Counter

import pytest

from asynccache.backends.outage import (
    BusyError,
    Due,
    OutageGuard,
    OutOfStepError,
    RefusedError,
    checked_deadline,
    in_time,
)
from asynccache.core.breaker import Breaker
from asynccache.core.events import BackendDown, BackendUp
from asynccache.errors import BackendUnavailableError, ConfigurationError

LONG = 60.0


class LibraryError(Exception):
    """What some client library raises."""


class Owner:
    name = "shop"

    def __init__(self):
        self.heard = []

    def tell(self, event):
        self.heard.append(event)


@pytest.fixture
def owner():
    return Owner()


def guarded(owner, *, pause=LONG, deadline=1.0):
    return OutageGuard(owner, "cache:6379", deadline, (LibraryError,), Counter(), Breaker(threshold=3, pause=pause))


def fail(guard, error, times=1):
    for _ in range(times):
        with pytest.raises(BackendUnavailableError), guard.attempt("get"):
            raise error


@pytest.mark.parametrize(
    "error", [OSError("reset"), EOFError(), TimeoutError(), LibraryError("odd"), OutOfStepError("a list")]
)
def test_failures_become_one_error_that_names_server_and_operation(owner, error):
    with pytest.raises(BackendUnavailableError, match=r"^cache:6379: get: ") as raised, guarded(owner).attempt("get"):
        raise error
    assert raised.value.__cause__ is error


@pytest.mark.parametrize("error", [ValueError("ours"), KeyboardInterrupt(), asyncio.CancelledError()])
def test_what_is_no_failure_of_the_server_passes_untouched(owner, error):
    guard = guarded(owner)
    for _ in range(5):
        with pytest.raises(type(error)), guard.attempt("get"):
            raise error
    assert not guard.is_down
    assert guard.counts["errors"] == 0


def test_server_is_not_asked_while_it_is_down(owner):
    guard = guarded(owner)
    fail(guard, OSError("refused"), times=3)
    assert guard.is_down
    asked = False
    with pytest.raises(BackendUnavailableError, match="not asked"), guard.attempt("get"):
        asked = True
    assert not asked
    assert guard.counts["errors"] == 4


def test_an_answer_between_failures_keeps_it_up(owner):
    guard = guarded(owner)
    for _ in range(5):
        fail(guard, OSError("reset"), times=2)
        with guard.attempt("get"):
            pass
    assert not guard.is_down


def test_an_outage_is_one_line_and_one_event_down_and_one_up(owner, caplog):
    caplog.set_level(logging.INFO)
    guard = guarded(owner, pause=0.0)
    fail(guard, OSError("refused"), times=50)
    for _ in range(50):
        with guard.attempt("get"):
            pass
    assert [type(event) for event in owner.heard] == [BackendDown, BackendUp]
    assert owner.heard[0] == BackendDown("shop", "cache:6379: OSError: refused")
    assert [(record.levelname, record.name) for record in caplog.records] == [
        ("WARNING", "asynccache.backends.outage"),
        ("WARNING", "asynccache.backends.outage"),
    ]


def test_what_a_server_says_in_several_lines_is_one_of_the_log(owner, caplog):
    guard = guarded(owner)
    fail(guard, RefusedError("no such table\nLINE 1: SELECT\n  ^"))
    fail(guard, OSError("refused\n\tIs the server running?"), times=3)
    said = [record.getMessage().rpartition(": ")[2] for record in caplog.records]
    assert said == ["SELECT ^", "refused Is the server running?"]
    assert owner.heard[0].reason == "cache:6379: OSError: refused Is the server running?"


def test_one_caller_in_a_pause_probes(owner):
    guard = guarded(owner, pause=0.2)
    fail(guard, OSError("refused"), times=3)
    time.sleep(0.25)
    with guard.attempt("get"), pytest.raises(BackendUnavailableError, match="not asked"), guard.attempt("get"):
        pytest.fail("a second one was let through")
    assert not guard.is_down


def test_a_cancelled_probe_does_not_keep_it_down(owner):
    guard = guarded(owner, pause=0.05)
    fail(guard, OSError("refused"), times=3)
    time.sleep(0.06)
    with pytest.raises(asyncio.CancelledError), guard.attempt("get"):
        raise asyncio.CancelledError
    time.sleep(0.06)
    with guard.attempt("get"):
        pass
    assert not guard.is_down


def test_a_refusal_is_an_error_but_no_outage_and_is_said_once(owner, caplog):
    guard = guarded(owner)
    fail(guard, RefusedError("READONLY You can't write"), times=10)
    assert not guard.is_down
    assert len(caplog.records) == 1
    assert "READONLY" in caplog.text


def test_a_busy_pool_is_no_outage(owner):
    guard = guarded(owner)
    fail(guard, BusyError("all 20 connections were busy"), times=10)
    assert not guard.is_down


async def test_the_deadline_ends_what_takes_too_long(owner):
    guard = guarded(owner, deadline=0.05)
    with pytest.raises(BackendUnavailableError, match=r"no answer within 0\.05 s"):
        async with guard.attempt_in_time("get"):
            await asyncio.sleep(LONG)


async def test_a_cancelled_caller_stays_cancelled(owner):
    guard = guarded(owner)

    async def operation():
        async with guard.attempt_in_time("get"):
            await asyncio.sleep(LONG)

    task = asyncio.create_task(operation())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert guard.counts["errors"] == 0


async def test_a_blocked_loop_is_not_taken_for_a_slow_server():
    loop = asyncio.get_running_loop()
    reply = loop.create_future()
    loop.call_later(0.01, time.sleep, 0.2)
    loop.run_in_executor(None, answer_after, 0.05, loop, reply)
    async with in_time(0.1):
        assert await reply == "in time"
        for _ in range(5):  # as a reply takes that comes in several pieces
            await asyncio.sleep(0)


def answer_after(seconds, loop, reply):
    time.sleep(seconds)
    loop.call_soon_threadsafe(reply.set_result, "in time")


async def test_a_blocked_loop_gives_time_back_only_once():
    loop = asyncio.get_running_loop()
    loop.call_later(0.01, time.sleep, 0.2)
    before = loop.time()
    with pytest.raises(TimeoutError):
        async with in_time(0.1):
            await asyncio.sleep(LONG)
    assert loop.time() - before < LONG / 2


def test_what_is_left_of_a_deadline_runs_out():
    assert Due(time.monotonic() + LONG).left() <= LONG
    with pytest.raises(TimeoutError):
        Due(time.monotonic()).left()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_is_not_stopped_by_a_lock_of_its_parent(owner):
    guard = guarded(owner)
    with guard._lock:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                fail(guard, OSError("refused"), times=3)
                code = 0 if guard.is_down else 2
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("deadline", [0, -1, True, None, "1", float("inf"), float("nan")])
def test_a_deadline_is_a_positive_number(deadline):
    with pytest.raises(ConfigurationError, match="deadline"):
        checked_deadline(deadline)


def test_refusals_that_differ_by_their_keys_are_told_once(owner, caplog):
    guard = OutageGuard(owner, "a:1", LONG, (), Counter())
    for number in range(100):
        guard.note_refusal("set", f"KeyError('k{number}')")
    guard.note_refusal("set", "OOM there is no room")
    assert len(caplog.records) == 2


def test_an_operation_that_is_not_asked_says_why(owner):
    guard = guarded(owner)
    fail(guard, LibraryError("wrong password"), times=3)
    told = r"incr: not asked, down for 0\.0 s: LibraryError: wrong password"
    with pytest.raises(BackendUnavailableError, match=told), guard.attempt("incr"):
        pass


def test_what_a_driver_said_is_told_without_a_name_of_ours(owner):
    told = "^cache:6379: get: OperationalError: no such host$"
    with pytest.raises(BackendUnavailableError, match=told), guarded(owner).attempt("get"):
        raise OutOfStepError("OperationalError: no such host")
