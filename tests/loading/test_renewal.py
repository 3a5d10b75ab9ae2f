"""Renewing: a fresh load takes the place of what is stored, and of what was loading before."""

import asyncio
import threading

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


async def test_what_began_to_load_while_it_waited_does_not_land_either(cache, slow):
    go = asyncio.Event()

    async def meanwhile():
        await go.wait()
        return "meanwhile"

    older = asyncio.create_task(cache.loader.get_async(load_of(cache, "old", "slow")))
    await settle()
    renewing = asyncio.create_task(cache.loader.renew_async(load_of(cache, "new", "slow")))
    await settle()
    other = asyncio.create_task(cache.loader.get_async(load_of(cache, meanwhile, "slow")))
    await settle()
    slow.gates[0].set()
    await settle()
    go.set()
    await settle()
    assert len(slow.gates) == 2
    slow.gates[1].set()
    assert await asyncio.gather(older, renewing, other) == ["old", "new", "meanwhile"]
    assert cache.get("key", backend="slow") == "new"


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
