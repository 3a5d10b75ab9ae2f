"""Threads for loads: few, none when there is nothing to do, and none lost."""

import os
import threading

import pytest

from asynccache import CachePolicy, CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.loading.threads import MOST, LoadThreads, blocked
from asynccache.testing import FakeClock


def ours():
    return [thread for thread in threading.enumerate() if thread.name == "asynccache-load"]


def test_no_more_than_eight_at_a_time_and_all_is_done():
    threads, gate, done = LoadThreads(), threading.Event(), []

    def work():
        gate.wait(5)
        done.append(1)

    for _ in range(30):
        threads.start(object(), work, lambda: None)
    assert len(ours()) == MOST
    gate.set()
    threads.join(5)
    assert len(done) == 30
    assert threads.owners == ours() == []


def test_what_has_not_begun_is_dropped():
    threads, gate, done, dropped = LoadThreads(), threading.Event(), [], []

    def work():
        gate.wait(5)
        done.append(1)

    for _ in range(MOST + 3):
        threads.start(object(), work, lambda: dropped.append(1))
    threads.drop()
    gate.set()
    threads.join(5)
    assert (len(done), len(dropped)) == (MOST, 3)


def test_loads_that_wait_for_other_loads_leave_them_their_threads():
    policy = CachePolicy(ttl=60, stale_if_error=10, soft_timeout=1)
    with CacheService(default="local") as cache:
        all_load = threading.Barrier(MOST)

        def load(number):
            all_load.wait(5)
            return f"with {cache.get_or_set(f'inner {number % 2}', lambda: 'inner', policy=policy)}"

        found = []
        callers = [
            threading.Thread(
                target=lambda number=number: found.append(
                    cache.get_or_set(f"outer {number}", lambda: load(number), policy=policy)
                ),
                daemon=True,
            )
            for number in range(MOST)
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(5)
        assert found == ["with inner"] * MOST


def test_threads_that_waited_are_no_more_than_eight_afterwards():
    threads, gate, waiting, done = LoadThreads(), threading.Event(), threading.Event(), []

    def wait():
        with blocked():
            waiting.wait(5)
        gate.wait(5)
        done.append(1)

    for _ in range(MOST):
        threads.start(object(), wait, lambda: None)
    for _ in range(MOST):
        threads.start(object(), lambda: done.append(1), lambda: None)
    while len(done) < MOST:
        threading.Event().wait(0.001)
    waiting.set()
    for _ in range(MOST):
        threads.start(object(), lambda: done.append(1), lambda: None)
    assert len(ours()) == MOST
    gate.set()
    threads.join(5)
    assert len(done) == 3 * MOST
    assert ours() == []


def test_where_no_thread_can_be_started_readers_get_what_is_stored(monkeypatch):
    clock = FakeClock()
    policy = CachePolicy(ttl=10, stale_while_revalidate=50)

    def fail(_):
        raise RuntimeError("can't start new thread")

    with CacheService(default=LocalMemCacheBackend(clock=clock)) as cache:
        cache.get_or_set("key", lambda: 1, policy=policy)
        clock.advance(11)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            assert [cache.get_or_set("key", lambda: 2, policy=policy) for _ in range(3)] == [1, 1, 1]
        assert not cache.flights.under_way
        assert cache.get_or_set("key", lambda: 2, policy=policy) == 1
        cache.close()


def test_a_load_that_ends_the_program_is_raised_where_it_is_waited_for():
    def leave():
        raise SystemExit(3)

    with CacheService(default="local") as cache:
        with pytest.raises(SystemExit, match="3"):
            cache.get_or_set("key", leave, policy=CachePolicy(hard_timeout=5))
        assert cache.get_or_set("key", lambda: "afresh", policy=CachePolicy(hard_timeout=5)) == "afresh"


def test_a_forked_child_begins_with_none():
    gate = threading.Event()
    clock = FakeClock()
    policy = CachePolicy(ttl=10, stale_while_revalidate=50)
    calls = []

    def load():
        calls.append(1)
        if len(calls) == 2:
            gate.wait(5)
        return len(calls)

    with CacheService(default=LocalMemCacheBackend(clock=clock)) as cache:
        cache.get_or_set("key", load, policy=policy)
        clock.advance(11)
        cache.get_or_set("key", load, policy=policy)
        while len(calls) < 2:
            pass
        child = os.fork()
        if child == 0:
            assert cache.get_or_set("key", load, policy=policy) == 1
            cache.loader.close()
            os._exit(0 if len(calls) == 3 and cache.loader.runner.running == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        gate.set()
