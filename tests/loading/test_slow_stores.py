"""Read-through on a store that is held up while it reads or writes: what comes in between wins."""

import asyncio

import pytest

from asynccache import BackendUnavailableError, CacheService
from asynccache.backends.base import StoreBackend
from asynccache.model import Capability


class GatedBackend(StoreBackend):
    """A dict behind a gate at which reads or writes can be held."""

    capabilities = frozenset({Capability.KEEPS_ENTRIES})

    def __init__(self):
        super().__init__()
        self.entries = {}
        self.reading, self.writing = asyncio.Event(), asyncio.Event()
        self.reading.set()
        self.writing.set()

    async def _fetch(self, io, key):
        found = self.entries.get(key)
        await self.reading.wait()
        return found

    async def _store(self, io, key, raw, ttl):
        await self.writing.wait()
        self.entries[key] = raw
        return True

    async def _drop(self, io, key):
        return self.entries.pop(key, None) is not None


class LosingBackend(GatedBackend):
    """Stores what it is given, and loses the reply."""

    async def _store(self, io, key, raw, ttl):
        await super()._store(io, key, raw, ttl)
        raise BackendUnavailableError("no reply")


@pytest.mark.parametrize("kind", [GatedBackend, LosingBackend])
async def test_a_change_wins_over_a_write_that_is_under_way_whether_or_not_its_reply_comes(kind):
    backend = kind()
    cache = CacheService(default=backend)
    backend.writing.clear()
    loading = asyncio.create_task(cache.get_or_set_async("key", lambda: "stale"))
    await asyncio.sleep(0.01)
    deleting = asyncio.create_task(cache.delete_async("key"))
    await asyncio.sleep(0.01)
    assert not deleting.done()
    backend.writing.set()
    await deleting
    assert backend.entries == {}, "nobody sees it after the change"
    assert await loading == "stale"
    assert backend.entries == {}


async def test_a_change_by_the_load_itself_does_not_wait_for_itself():
    class Changing(GatedBackend):
        async def _store(self, io, key, raw, ttl):
            await super()._store(io, key, raw, ttl)
            await io.twin(cache.delete, cache.delete_async, "key")
            return True

    backend = Changing()
    cache = CacheService(default=backend)
    assert cache.get_or_set("key", lambda: "stale") == "stale"
    async with asyncio.timeout(5):
        assert await cache.get_or_set_async("key", lambda: "stale") == "stale"
    assert backend.entries == {}


async def test_what_is_loaded_is_stored_whoever_leaves_meanwhile():
    backend = GatedBackend()
    cache = CacheService(default=backend)
    backend.writing.clear()
    caller = asyncio.create_task(cache.get_or_set_async("key", lambda: "value"))
    await asyncio.sleep(0.01)
    caller.cancel()
    await asyncio.gather(caller, return_exceptions=True)
    follower = asyncio.create_task(cache.get_or_set_async("key", lambda: "twice"))
    await asyncio.sleep(0.01)
    backend.writing.set()
    assert await follower == "value"
    assert await cache.get_async("key") == "value"


async def test_a_late_look_does_not_load_what_has_landed_meanwhile():
    backend = GatedBackend()
    cache = CacheService(default=backend)
    held = backend.reading
    held.clear()
    late = asyncio.create_task(cache.get_or_set_async("key", lambda: "twice"))
    await asyncio.sleep(0.01)
    backend.reading = asyncio.Event()
    backend.reading.set()
    assert await cache.get_or_set_async("key", lambda: "once") == "once"
    held.set()
    assert await late == "once"
