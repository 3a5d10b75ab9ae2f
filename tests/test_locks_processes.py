"""Locks over processes: on Redis, where one is killed, stopped, forked or cancelled."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from asynccache import BackendUnavailableError, CacheService, CacheTimeoutError, LockError
from tests.load import crowding
from tests.lockers import KEY, LONG

SHORT = 0.5


# Deadlines that a busy machine keeps, too: none of these tests is about a store that is slow.


@pytest.fixture
def url(redis_server, unique_prefix):
    return f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5"


@contextmanager
def holder(url, ttl):
    """Start a process that has the lock; its number is its first line."""
    command = [sys.executable, "-m", "tests.lockers", "hold", url, str(ttl)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


@pytest.fixture(params=["redis", "memcached", "sqlite", "postgresql"])
def any_url(request, unique_prefix, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db?key_prefix={unique_prefix}&deadline=5"
    return f"{request.getfixturevalue(f'{request.param}_server').url}?key_prefix={unique_prefix}&deadline=5"


def test_processes_have_it_one_after_the_other(any_url, tmp_path):
    number, times = (8, 25) if any_url.startswith("redis") else (2, 5)
    command = [sys.executable, "-m", "tests.lockers", "contend", any_url, tmp_path, str(times)]
    flavours = [("sync", "async")[place % 2] for place in range(number)]
    processes = [subprocess.Popen([*command, flavour], stderr=subprocess.PIPE, text=True) for flavour in flavours]
    said = [process.communicate(timeout=60)[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * number, said
    numbers = [int(line) for line in (tmp_path / "numbers").read_text().split()]
    assert len(numbers) == number * times
    assert numbers == sorted(set(numbers))


@pytest.mark.timed
async def test_the_lock_of_a_process_that_is_killed_is_taken_over_when_its_lease_ends(any_url):
    async with CacheService(default=any_url) as cache:
        with holder(any_url, SHORT) as (process, number):
            await asyncio.sleep(2 * SHORT)  # it has been renewed
            waiting = asyncio.create_task(_once(cache, ttl=SHORT))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            process.kill()
            killed = time.monotonic()
            assert await waiting > number
            late = 2.0 if any_url.startswith("memcached") else 0.1  # it counts whole seconds
            assert time.monotonic() - killed <= SHORT + late * crowding()


async def _once(cache, **options):
    async with cache.lock_async(KEY, **options) as lock:
        return lock.number


def test_a_process_that_is_stopped_finds_itself_without_the_lock(url):
    with holder(url, SHORT) as (process, number), CacheService(default=url) as cache:
        process.send_signal(signal.SIGSTOP)
        try:
            with cache.lock(KEY, LONG, timeout=10) as lock:
                assert lock.number > number
                process.send_signal(signal.SIGCONT)
                process.stdin.write("is it mine?\n")
                process.stdin.flush()
                assert process.stdout.readline() == "False\n"
                assert process.communicate(timeout=10)[0] == "LockError\n"
                assert lock.is_held
        finally:
            process.send_signal(signal.SIGCONT)


def test_a_forked_child_does_not_have_the_lock_of_its_parent_and_does_not_free_it(url):
    with CacheService(default=url) as cache:
        lock = cache.lock(KEY, 2 * SHORT)
        with lock:
            child = os.fork()
            if child == 0:
                told = lock.is_held
                try:
                    lock.__exit__(None, None, None)
                except LockError:
                    os._exit(1 if told else 7)
                os._exit(2)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
            time.sleep(2.4 * SHORT)
            assert lock.is_held
            with ThreadPoolExecutor(1) as pool, pytest.raises(CacheTimeoutError):
                pool.submit(_once_in_thread, cache).result()


def _once_in_thread(cache):
    with cache.lock(KEY, timeout=0):
        pass


async def test_who_waits_is_woken_by_a_release_elsewhere(any_url):
    async with CacheService(default=any_url) as cache, CacheService(default=any_url) as other:
        for _ in range(3):
            async with cache.lock_async(KEY, LONG):
                waiting = asyncio.create_task(_once(other))
                in_thread = asyncio.create_task(asyncio.to_thread(_once_in_thread_waiting, other))
                await asyncio.sleep(0.05)
                assert not waiting.done()
            await asyncio.wait_for(asyncio.gather(waiting, in_thread), 10)


def _once_in_thread_waiting(cache):
    with cache.lock(KEY, LONG):
        pass


async def test_a_storm_of_cancellations_leaves_no_lock_behind(any_url):
    luck = random.Random(7)
    keys = [f"key{number}" for number in range(10)]

    async def work(cache):
        async with cache.lock_async(luck.choice(keys), LONG):
            await asyncio.sleep(luck.choice([0, 0, 0.001]))

    async with CacheService(default=any_url) as cache:
        tasks = []
        for _ in range(300):
            tasks.append(asyncio.create_task(work(cache)))
            for _ in range(luck.randrange(5)):
                await asyncio.sleep(luck.choice([0, 0, 0.0005]))
            luck.choice(tasks[-8:]).cancel()
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert {type(one) for one in ended} <= {asyncio.CancelledError, type(None)}
        for key in keys:
            async with cache.lock_async(key, timeout=5):
                pass


async def test_where_the_store_is_away_nobody_gets_it_and_a_holder_has_it_until_its_lease_ends(fresh_redis):
    async with CacheService(default=fresh_redis.url) as cache:
        with pytest.raises(LockError, match="was lost"):
            async with cache.lock_async("mine", SHORT) as lock:
                fresh_redis.freeze()
                with pytest.raises(BackendUnavailableError):
                    await _once(cache)
                with pytest.raises(BackendUnavailableError):
                    await asyncio.to_thread(_once_in_thread, cache)
                await asyncio.sleep(SHORT)
                assert not lock.is_held
        fresh_redis.thaw()


@pytest.mark.timed
async def test_a_short_outage_costs_no_lock(fresh_redis):
    async with CacheService(default=fresh_redis.url) as cache, cache.lock_async(KEY, 1.5) as lock:
        fresh_redis.freeze()
        await asyncio.sleep(0.7)  # it could not be renewed
        assert lock.is_held
        fresh_redis.thaw()
        await asyncio.sleep(0.9)
        assert lock.is_held


async def test_a_holder_whose_store_came_back_empty_is_told(fresh_redis):
    async with CacheService(default=fresh_redis.url) as cache:
        with pytest.raises(LockError, match="was lost"):
            async with cache.lock_async(KEY, LONG):
                fresh_redis.restart()
                await asyncio.sleep(1.2)  # until it is asked again


async def test_changes_of_entries_free_no_lock(any_url):
    async with CacheService(default=any_url) as cache, CacheService(default=any_url) as other:
        async with cache.lock_async(KEY, LONG) as lock:
            await other.set_async(KEY, 1, tags=["tag"])
            await other.invalidate_tags_async("tag")
            await other.delete_async(KEY)
            await other.clear_async()
            with pytest.raises(CacheTimeoutError):
                await asyncio.create_task(_once(other, timeout=0))
            number = lock.number
        assert await _once(other, timeout=0) > number
