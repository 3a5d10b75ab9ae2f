"""Renewing: a fresh load takes the place of what is stored, and of what was loading before."""

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from asynccache import CachePolicy, CacheService
from asynccache.backends.base import StoreBackend
from asynccache.loading.load import Load


class Slow(StoreBackend):
    """A store in a dict whose writes wait to be let through, one by one."""

    def __init__(self):
        super().__init__()
        self.kept, self.gates = {}, []

    async def _fetch(self, io, key):
        return self.kept.get(key)

    async def _store(self, io, key, raw, ttl):
        await io.call(self._passed)
        self.kept[key] = raw
        return True

    async def _passed(self):
        gate = asyncio.Event()
        self.gates.append(gate)
        await gate.wait()

    async def _drop(self, io, key):
        return self.kept.pop(key, None) is not None


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def cache(slow):
    with CacheService(default="local", slow=slow) as service:
        yield service


def load_of(cache, value, backend=None, policy=None):
    def factory():
        return value() if callable(value) else value

    return Load(cache.get_backend(backend), "key", factory, None, policy, None)


async def settle():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_it_replaces_what_is_stored(cache):
    cache.set("key", "old")
    assert cache.loader.renew(load_of(cache, "new")) == "new" == cache.get("key")
    assert await cache.loader.renew_async(load_of(cache, "newer")) == "newer" == cache.get("key")


async def test_it_waits_for_what_is_just_being_stored_which_must_not_land_later(cache, slow):
    older = asyncio.create_task(cache.loader.get_async(load_of(cache, "old", "slow")))
    await settle()
    renewing = asyncio.create_task(cache.loader.renew_async(load_of(cache, "new", "slow")))
    await settle()
    assert len(slow.gates) == 1
    slow.gates[0].set()
    await settle()
    slow.gates[1].set()
    assert await asyncio.gather(older, renewing) == ["old", "new"]
    assert cache.get("key", backend="slow") == "new"


async def test_who_asks_while_it_waits_shares_it(cache, slow):
    older = asyncio.create_task(cache.loader.get_async(load_of(cache, "old", "slow")))
    await settle()
    renewing = asyncio.create_task(cache.loader.renew_async(load_of(cache, "new", "slow")))
    await settle()
    other = asyncio.create_task(cache.loader.get_async(load_of(cache, "mine", "slow")))
    await settle()
    for gate in range(2):
        slow.gates[gate].set()
        await settle()
    assert await asyncio.gather(older, renewing, other) == ["old", "new", "new"]


async def test_those_who_renew_while_another_does_share_the_next(cache):
    source, gates = [1], []

    async def read():
        value = source[0]
        gates.append(asyncio.Event())
        await gates[-1].wait()
        return value

    first = asyncio.create_task(cache.loader.renew_async(load_of(cache, read)))
    await settle()
    source[0] = 2
    others = [asyncio.create_task(cache.loader.renew_async(load_of(cache, read))) for _ in range(10)]
    await settle()
    assert len(gates) == 1
    gates[0].set()
    await settle()
    assert (first.result(), cache.get("key"), len(gates)) == (1, 1, 2)
    gates[1].set()
    assert await asyncio.gather(*others) == [2] * 10
    assert (cache.get("key"), len(gates)) == (2, 2)


def test_those_who_renew_in_threads_share_the_next(cache):
    runs, go = [], threading.Semaphore(0)

    def read():
        runs.append(len(runs) + 1)
        number = runs[-1]
        assert go.acquire(timeout=10)
        return number

    with ThreadPoolExecutor(5) as threads:
        first = threads.submit(cache.loader.renew, load_of(cache, read))
        until(lambda: runs)
        others = [threads.submit(cache.loader.renew, load_of(cache, read)) for _ in range(4)]
        until(lambda: len(next(iter(cache.flights.under_way.values()))._waiters) == 4)
        go.release()
        assert first.result(10) == 1
        until(lambda: len(runs) == 2 and len(next(iter(cache.flights.under_way.values()))._waiters) == 3)
        go.release()
        assert [other.result(10) for other in others] == [2] * 4
    assert cache.get("key") == 2


def until(happened):
    for _ in range(10_000):
        if happened():
            return
        time.sleep(0.001)
    raise AssertionError(happened)


async def test_a_renewal_within_itself_does_not_wait_for_itself(cache):
    async def outer():
        return "outer of " + await cache.loader.renew_async(load_of(cache, "inner"))

    async with asyncio.timeout(5):
        assert await cache.loader.renew_async(load_of(cache, outer)) == "outer of inner"


async def test_the_one_that_is_waited_for_may_fail(cache):
    go = asyncio.Event()

    async def failing():
        await go.wait()
        raise LookupError

    first = asyncio.create_task(cache.loader.renew_async(load_of(cache, failing)))
    await settle()
    second = asyncio.create_task(cache.loader.renew_async(load_of(cache, "new")))
    await settle()
    go.set()
    with pytest.raises(LookupError):
        await first
    assert await second == "new" == cache.get("key")


async def test_nobody_sees_what_is_older_than_what_was_renewed_or_invalidated(cache):
    """Writers change the source, then renew or invalidate; others read, renew and leave at random."""
    luck, source = random.Random(7), [0]

    async def origin():
        value = source[0]
        await pause()
        return value

    async def pause():
        for _ in range(luck.randrange(12)):
            await asyncio.sleep(0)

    async def write():
        await pause()
        source[0] = known = source[0] + 1
        if luck.random() < 0.5:
            await cache.delete_async("key")
        else:
            await cache.loader.renew_async(load_of(cache, origin))
        assert await cache.loader.get_async(load_of(cache, origin)) >= known

    async def read():
        await pause()
        await cache.loader.get_async(load_of(cache, origin))

    async def renew():
        await pause()
        await cache.loader.renew_async(load_of(cache, origin))

    for _ in range(500):
        tasks = [asyncio.create_task(role()) for role in (read,) * 5 + (renew,) * 2 + (write,) * 3]
        await pause()
        luck.choice(tasks[:7]).cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
        assert await cache.loader.get_async(load_of(cache, origin)) == source[0]
    assert len(cache.flights) == 0


def test_in_a_thread_it_beats_what_another_loads(cache):
    begun, go = threading.Event(), threading.Event()

    def old():
        begun.set()
        go.wait(5)
        return "old"

    thread = threading.Thread(target=cache.loader.get, args=(load_of(cache, old),))
    thread.start()
    assert begun.wait(5)
    assert cache.loader.renew(load_of(cache, "new")) == "new"
    go.set()
    thread.join()
    assert cache.get("key") == "new"


async def test_a_cancelled_renewal_leaves_what_is_stored(cache):
    cache.set("key", "old")
    never = asyncio.Event()
    renewing = asyncio.create_task(cache.loader.renew_async(load_of(cache, never.wait)))
    await settle()
    renewing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await renewing
    await settle()
    assert (cache.get("key"), len(cache.flights)) == ("old", 0)


async def test_one_cancelled_renewal_leaves_the_load_to_those_who_wait(cache):
    go = asyncio.Event()

    async def new():
        await go.wait()
        return "new"

    renewing = asyncio.create_task(cache.loader.renew_async(load_of(cache, new)))
    await settle()
    waiting = asyncio.create_task(cache.loader.get_async(load_of(cache, "mine")))
    await settle()
    renewing.cancel()
    await settle()
    go.set()
    assert await waiting == "new" == cache.get("key")


async def test_an_invalidation_meanwhile_keeps_it_from_landing(cache):
    go = asyncio.Event()

    async def new():
        await go.wait()
        return "new"

    renewing = asyncio.create_task(cache.loader.renew_async(load_of(cache, new)))
    await settle()
    await cache.delete_async("key")
    go.set()
    assert await renewing == "new"
    assert not cache.has_key("key")


async def test_what_is_not_worth_storing_removes_what_is_stored(cache):
    cache.set("key", "old")
    policy = CachePolicy(condition=lambda value: value is not None)
    assert await cache.loader.renew_async(load_of(cache, None, policy=policy)) is None
    assert not cache.has_key("key")
