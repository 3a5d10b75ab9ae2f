from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor

import pytest

from asynccache.plan.portal import Portal

PORTAL_THREADS = "[t.name for t in threading.enumerate() if t.name == 'asynccache-portal']"


@pytest.fixture(scope="module")
def portal() -> Portal:
    return Portal()


async def doubled(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


def run_python(script: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_result_comes_back(portal: Portal) -> None:
    assert portal.finish(doubled(21)) == 42


async def test_it_works_while_a_loop_runs_here(portal: Portal) -> None:
    assert portal.finish(doubled(21)) == 42


def test_all_callers_share_one_loop_and_one_thread(portal: Portal) -> None:
    async def where() -> tuple[asyncio.AbstractEventLoop, threading.Thread]:
        return asyncio.get_running_loop(), threading.current_thread()

    with ThreadPoolExecutor(8) as pool:
        places = set(pool.map(lambda _: portal.finish(where()), range(50)))
    assert places == {(portal.loop(), portal.finish(where())[1])}


def test_many_threads_wait_at_the_same_time(portal: Portal) -> None:
    async def meet() -> int:
        return await asyncio.wait_for(meeting.wait(), 10)

    async def barrier() -> asyncio.Barrier:
        return asyncio.Barrier(8)

    meeting = portal.finish(barrier())
    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(lambda _: portal.finish(meet()), range(8))) == list(range(8))


def test_errors_come_back(portal: Portal) -> None:
    async def fails() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        portal.finish(fails())


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, asyncio.CancelledError, GeneratorExit])
def test_what_would_stop_the_program_stops_the_caller_and_not_the_portal(portal: Portal, kind: type) -> None:
    async def stop() -> None:
        raise kind

    expected = CancelledError if kind is asyncio.CancelledError else kind
    with pytest.raises(expected):
        portal.finish(stop())
    assert portal.finish(doubled(21)) == 42


def test_interrupted_caller_cancels_what_it_waited_for(portal: Portal) -> None:
    begun, cancelled, caller = threading.Event(), threading.Event(), threading.get_ident()

    async def slow() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupt() -> None:
        begun.wait(10)
        while sys._current_frames()[caller].f_code.co_name != "wait":
            time.sleep(0.001)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        threading.Thread(target=interrupt).start()
        with pytest.raises(KeyboardInterrupt):
            portal.finish(slow())
    finally:
        signal.signal(signal.SIGINT, before)
    assert cancelled.wait(10)


def test_call_on_its_own_loop_is_refused_and_leaves_nothing_unawaited(portal: Portal) -> None:
    async def entered_from_within() -> None:
        portal.finish(doubled(1))

    with pytest.raises(RuntimeError, match="_async twin"):
        portal.finish(entered_from_within())


def test_nothing_starts_at_import() -> None:
    script = f"import threading, asynccache.plan.portal\nprint({PORTAL_THREADS})"
    assert run_python(script).stdout == "[]\n"


def test_process_ends_while_the_portal_runs() -> None:
    script = f"""
import asyncio, threading
from asynccache.plan.portal import portal
async def one(): return 1
print(portal.finish(one()), {PORTAL_THREADS})
"""
    finished = run_python(script)
    assert (finished.stdout, finished.returncode) == ("1 ['asynccache-portal']\n", 0), finished.stderr


def test_forked_child_gets_a_portal_of_its_own_even_when_the_lock_was_held() -> None:
    script = """
import asyncio, os, sys, threading, warnings
from asynccache.plan.portal import portal
warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of fork beside threads: that is the case

async def loop(): return id(asyncio.get_running_loop()), os.getpid()

parents = portal.finish(loop())
portal._lock.acquire()
child = os.fork()
if child == 0:
    ours = portal.finish(loop())
    os._exit(0 if ours != parents and ours[1] == os.getpid() else 1)
portal._lock.release()
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
assert portal.finish(loop()) == parents
sys.exit(status)
"""
    finished = run_python(script)
    assert finished.returncode == 0, finished.stderr
