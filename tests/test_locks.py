"""Locks of the service, over local memory: one holder, who is told when it is one no more."""

import asyncio
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio
import trio.testing

from asynccache import CacheService, CacheTimeoutError, ConfigurationError, LockError
from asynccache.loading.turns import Lines
from asynccache.plan.io import LOOP

LONG, SHORT = 60, 0.2
RENEWED = 1.0
"""Where it is to be renewed in time, also on a machine that is busy."""


@pytest.fixture
def cache():
    return CacheService(default="local", nothing="dummy", other="local")


class Desk:
    """What only one may use at a time; each who does shows a number greater than all before."""

    def __init__(self):
        self.users, self.most, self.numbers = 0, 0, []

    def begin(self, number):
        self.users += 1
        self.most = max(self.most, self.users)
        self.numbers.append(number)

    def end(self):
        self.users -= 1

    def check(self, times):
        assert (self.most, self.users, len(self.numbers)) == (1, 0, times)
        assert self.numbers == sorted(set(self.numbers))


async def test_tasks_have_it_one_after_the_other_in_the_order_in_which_they_came(cache):
    desk, order = Desk(), []

    async def work(place):
        async with cache.lock_async("desk", LONG) as lock:
            desk.begin(lock.number)
            order.append(place)
            await asyncio.sleep(0)
            assert lock.is_held
            desk.end()

    await asyncio.gather(*(work(place) for place in range(50)))
    desk.check(50)
    assert order == list(range(50))


def test_threads_and_loops_have_it_one_after_the_other(cache):
    desk = Desk()

    def work(_):
        for _ in range(20):
            with cache.lock("desk", LONG) as lock:
                desk.begin(lock.number)
                time.sleep(0.0001)
                desk.end()

    async def work_on_loop():
        for _ in range(20):
            async with cache.lock_async("desk", LONG) as lock:
                desk.begin(lock.number)
                await asyncio.sleep(0.0001)
                desk.end()

    with ThreadPoolExecutor(8) as pool:
        loops = [pool.submit(asyncio.run, work_on_loop()) for _ in range(2)]
        list(pool.map(work, range(4)))
        for loop in loops:
            loop.result()
    desk.check(6 * 20)


def test_trio_has_it_one_after_the_other_and_leaves_none_behind(cache):
    desk = Desk()

    async def work():
        async with cache.lock_async("desk", RENEWED) as lock:
            desk.begin(lock.number)
            await trio.sleep(1.2 * RENEWED if len(desk.numbers) == 1 else 0)
            assert lock.is_held
            desk.end()

    async def main():
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(work)
        async with cache.lock_async("desk", LONG):
            with trio.move_on_after(0.01) as scope:
                async with cache.lock_async("other"), cache.lock_async("other2"):
                    await trio.sleep_forever()
        assert scope.cancelled_caught
        async with cache.lock_async("desk", timeout=0), cache.lock_async("other", timeout=1):
            pass

    trio.run(main)
    desk.check(5)


async def test_it_is_apart_from_entries_versions_and_backends(cache):
    cache.set("key", 1)
    async with cache.lock_async("key", timeout=0), cache.lock_async("key", version=2, timeout=0):
        async with cache.lock_async("key", backend="other", timeout=0):
            assert cache.get("key") == 1
            assert await cache.delete_async("key")
            await cache.clear_async()
        with pytest.raises(CacheTimeoutError, match=r"'key' was not free within 0 seconds"):
            await asyncio.to_thread(_once, cache, "key")
    _once(cache, "key")


def _once(cache, key, **options):
    with cache.lock(key, **({"timeout": 0} | options)) as lock:
        return lock.number


async def test_who_waits_is_woken_and_does_not_wait_for_the_lease(cache):
    async with cache.lock_async("key", LONG):
        waiting = asyncio.create_task(asyncio.to_thread(_once, cache, "key", timeout=None))
        on_loop = asyncio.create_task(_once_async(cache, "key"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    await asyncio.wait_for(asyncio.gather(waiting, on_loop), 5)


async def _once_async(cache, key, **options):
    async with cache.lock_async(key, **options) as lock:
        return lock.number


async def test_waiting_ends_in_time_in_a_crowd_too(cache):
    def left():
        return time.monotonic() - began

    began = time.monotonic()
    async with cache.lock_async("key", LONG):
        tasks = [_once_async(cache, "key", timeout=0.05) for _ in range(10)]
        threads = [asyncio.to_thread(_once, cache, "key", timeout=0.05) for _ in range(4)]
        assert {type(one) for one in await asyncio.gather(*tasks, *threads, return_exceptions=True)} == {
            CacheTimeoutError
        }
        assert left() >= 0.05
    await _once_async(cache, "key", timeout=0)


@pytest.mark.parametrize("flavour", ["async", "sync"])
async def test_a_holder_who_wants_it_again_is_told(cache, flavour):
    if flavour == "sync":
        with cache.lock("key", LONG), pytest.raises(LockError, match="not reentrant"):
            _once(cache, "key", timeout=None)
    else:
        async with cache.lock_async("key", LONG):
            with pytest.raises(LockError, match="not reentrant"):
                await _once_async(cache, "key")
            with pytest.raises(LockError, match="not reentrant"):
                _once(cache, "key", timeout=None)
    await _once_async(cache, "key", timeout=0)


async def test_tasks_that_a_holder_started_may_wait_for_it(cache):
    async with cache.lock_async("key", LONG):
        child = asyncio.create_task(_once_async(cache, "key"))
        await asyncio.sleep(0.01)
    assert await child


async def test_one_lock_is_for_one_block_at_a_time_and_has_a_number_within(cache):
    lock = cache.lock_async("key")
    with pytest.raises(LockError, match="no number outside"):
        _ = lock.number
    assert not lock.is_held
    async with lock as same:
        assert (same is lock, repr(lock)) == (True, "<AsyncLock 'key' held>")
        with pytest.raises(LockError, match="in use"):
            await lock.__aenter__()
        first = lock.number
    async with lock:
        assert lock.number > first


async def test_it_is_renewed_while_the_holder_lives(cache):
    async with cache.lock_async("async", RENEWED) as lock:
        with cache.lock("sync", RENEWED) as other:
            for _ in range(6):
                await asyncio.sleep(RENEWED / 4)
                assert (lock.is_held, other.is_held) == (True, True)
                with pytest.raises(CacheTimeoutError):
                    await asyncio.to_thread(_once, cache, "async")
                with pytest.raises(CacheTimeoutError):
                    await asyncio.to_thread(_once, cache, "sync")


def test_nothing_is_renewed_after_the_block(cache):
    with cache.lock("key", SHORT):
        assert _lease_threads() != []
    for _ in range(100):
        if not _lease_threads():
            return
        time.sleep(0.01)
    raise AssertionError(_lease_threads())


def _lease_threads():
    return [thread for thread in threading.enumerate() if thread.name == "asynccache-leases"]


async def test_a_blocked_loop_loses_it_and_is_told(cache):
    with pytest.raises(LockError, match="'key' was lost before its block was left"):
        async with cache.lock_async("key", SHORT) as lock:
            time.sleep(SHORT + 0.05)
            later = _once(cache, "key")
            assert not lock.is_held
    assert later < await _once_async(cache, "key")


async def test_what_the_block_raises_is_not_hidden_by_the_loss(cache):
    with pytest.raises(KeyError) as failure:
        async with cache.lock_async("key", SHORT):
            time.sleep(SHORT + 0.05)
            raise KeyError("mine")
    assert "was lost" in failure.value.__notes__[0]


async def test_leaving_late_does_not_free_the_lock_of_the_next(cache):
    late, next_one = cache.lock_async("key", SHORT), cache.lock_async("key", LONG)
    await late.__aenter__()
    time.sleep(SHORT + 0.05)
    await asyncio.create_task(_entered(next_one))
    with pytest.raises(LockError):
        await late.__aexit__(None, None, None)
    assert next_one.is_held
    with pytest.raises(CacheTimeoutError):
        await _once_async(cache, "key", timeout=0)
    await next_one.__aexit__(None, None, None)


async def _entered(lock):
    await lock.__aenter__()


async def test_who_is_cancelled_while_waiting_leaves_nothing_behind(cache):
    async with cache.lock_async("key", LONG):
        waiting = [asyncio.create_task(_once_async(cache, "key")) for _ in range(20)]
        await asyncio.sleep(0.01)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    assert await _once_async(cache, "key", timeout=0)


@pytest.mark.parametrize("ticks", range(8))
async def test_who_is_cancelled_while_it_is_granted_gives_it_back(cache, ticks):
    task = asyncio.create_task(_once_async(cache, "key", ttl=LONG))
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await _once_async(cache, "key", timeout=1)


async def test_a_lock_granted_by_a_slow_store_after_its_caller_left_is_given_back(cache, monkeypatch):
    store, granting = cache.get_backend(), asyncio.Event()
    claim = store.claim_lock

    async def slowly(*args):
        claimed = await claim(*args)
        granting.set()
        await asyncio.sleep(0.02)
        return claimed

    monkeypatch.setattr(store, "claim_lock", slowly)
    task = asyncio.create_task(_once_async(cache, "key", ttl=LONG))
    await granting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    monkeypatch.undo()
    assert await _once_async(cache, "key", timeout=1)


async def test_who_is_cancelled_in_the_block_frees_it(cache):
    held = asyncio.Event()

    async def hold():
        async with cache.lock_async("key", LONG):
            held.set()
            await asyncio.sleep(LONG)

    task = asyncio.create_task(hold())
    await held.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await _once_async(cache, "key", timeout=0)


def test_a_loop_that_ends_frees_what_its_tasks_have(cache):
    async def main():
        async def hold():
            async with cache.lock_async("key", LONG):
                await asyncio.sleep(LONG)

        main.task = asyncio.create_task(hold())
        await asyncio.sleep(0.01)

    asyncio.run(main())
    assert _once(cache, "key")


@pytest.mark.parametrize("flavour", ["async", "sync"])
def test_what_nobody_will_leave_any_more_ends_with_its_lease(cache, flavour):
    loop = asyncio.new_event_loop()
    try:
        if flavour == "sync":
            lock = cache.lock("key", SHORT)
            lock.__enter__()
        else:
            lock = cache.lock_async("key", SHORT)
            loop.run_until_complete(_entered(lock))
    finally:
        loop.close()
    del lock
    gc.collect()
    assert _in_a_thread(_once, cache, "key", timeout=5)


def test_where_no_thread_can_be_started_the_lock_is_given_back(cache, monkeypatch):
    def fail(_):
        raise RuntimeError("can't start new thread")

    for _ in range(100):  # those of earlier tests end by themselves
        if not _lease_threads():
            break
        time.sleep(0.01)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="new thread"):
            _once(cache, "key", ttl=LONG)
    assert _once(cache, "key")


def test_a_holder_that_is_thrown_away_with_its_loop_is_out_of_the_way_after_its_lease(cache):
    held = asyncio.Event()

    async def hold():
        async with cache.lock_async("key", SHORT):
            held.set()
            await asyncio.get_running_loop().create_future()

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # that it was pending is no news
    task = loop.create_task(hold())
    loop.run_until_complete(held.wait())
    loop.close()
    del task
    gc.collect()
    assert _once(cache, "key", timeout=5)


def _in_a_thread(function, *args, **options):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function, *args, **options).result()


def test_a_store_without_locks_says_so(cache):
    with pytest.raises(ConfigurationError, match="DummyCacheBackend has no locks"):
        _once(cache, "key", backend="nothing")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"ttl": 0}, "ttl=0"),
        ({"ttl": float("inf")}, "ttl=inf"),
        ({"timeout": -1}, "timeout=-1"),
        ({"timeout": float("nan")}, "timeout=nan"),
    ],
)
def test_wrong_times_are_refused_at_once(cache, options, error):
    with pytest.raises(ValueError, match=error):
        cache.lock("key", **options)
    with pytest.raises(TypeError, match="key"):
        cache.lock_async(7)


async def test_a_line_goes_on_without_those_who_left_it():
    lines = Lines()
    turns = [lines.join(LOOP, "name") for _ in range(4)]
    assert [await turn.comes(0) for turn in turns] == [True, False, False, False]
    turns[1].end()
    turns[0].end()
    assert [await turn.comes(0) for turn in turns[2:]] == [True, False]
    turns[2].end()
    turns[3].end()
    assert await lines.join(LOOP, "name").comes(0)
