"""Every order of cancelling, changing and loading: nothing stale after a change, nothing left over, nobody harmed."""

import asyncio

import pytest

from asynccache import CacheService
from asynccache.backends.base import StoreBackend

TICKS = range(0, 24, 2)


class Ticking(StoreBackend):
    """A dict whose operations take some turns of the loop before and after."""

    def __init__(self):
        super().__init__()
        self.entries = {}

    async def _fetch(self, io, key):
        await ticks(2)
        return self.entries.get(key)

    async def _store(self, io, key, raw, ttl):
        await ticks(2)
        self.entries[key] = raw
        await ticks(2)
        return True

    async def _drop(self, io, key):
        await ticks(2)
        return self.entries.pop(key, None) is not None


async def ticks(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def cancel_after(count, caller):
    await ticks(count)
    caller.cancel()


@pytest.mark.parametrize("change_at", [0, 3, 9, 15, 20])
async def test_callers_may_leave_and_the_key_change_at_any_time(change_at):
    for first_leaves in TICKS:
        for second_leaves in TICKS:
            await _play(first_leaves, second_leaves, change_at)


async def _play(first_leaves, second_leaves, change_at):
    cache = CacheService(default=Ticking())
    origin = "old"

    async def load():
        found = origin
        await ticks(5)
        return found

    async def change():
        nonlocal origin
        await ticks(change_at)
        origin = "new"
        await cache.delete_async("key")
        return await cache.get_async("key")

    first, second, staying = [asyncio.create_task(cache.get_or_set_async("key", load)) for _ in range(3)]
    leaving = [cancel_after(first_leaves, first), cancel_after(second_leaves, second)]
    after_change, *_ = await asyncio.gather(change(), *leaving)
    assert after_change in {None, "new"}
    assert await staying in {"old", "new"}
    await asyncio.gather(first, second, return_exceptions=True)
    await ticks(20)
    assert await cache.get_async("key") in {None, "new"}
    assert len(cache.flights) == 0
    assert cache.loader.runner._launched == {}
