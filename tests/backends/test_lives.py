"""Opening and closing again and again leaves nothing behind; and closing takes no time, whatever the store does."""

import asyncio
import gc
import threading
import time
from pathlib import Path

import pytest

from asynccache import CacheService
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.pymem_cache import PyMemcacheCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from tests.backends.stores import STORES
from tests.conftest import LONG

LIVES = {
    "dummy": 1000,
    "local": 500,
    "pair": 500,
    "django": 200,
    "sqlite": 100,
}
"""How often in each push, where not sixty times; a thousand times each on the long run."""
WARM_UP = 0.3
"""The part of the lives after which memory is to be what it was."""
ROOM = 10.0
"""MiB by which what allocators keep goes up and down."""
SPARE_OBJECTS = 0.2
"""Objects for each life that others may keep in the meantime."""
ROUNDS = 3
CLOSE_SECONDS = 1.0
GROWING = {"cachelib": 10}
"""Connections that the pool of somebody else's client may still add, where more threads than before meet in it."""
KINDS = {"dummy": lambda _: DummyCacheBackend, **STORES}


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def mebibytes():
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


async def belongings():
    """Count open files, threads and tasks, once those are gone that are about to go."""
    for _ in range(50):
        gc.collect()
        found = descriptors(), threading.active_count(), len(asyncio.all_tasks())
        await asyncio.sleep(0.02)
        if found == (descriptors(), threading.active_count(), len(asyncio.all_tasks())):
            break
    return found


async def live(make, prefix, at_once=3):
    async with CacheService(default=make(key_prefix=prefix), other="local") as service:
        await service.set_async("k", ["v"], 60)
        await service.get_or_set_async("l", lambda: "loaded")
        service.get("k")
        await asyncio.gather(*[service.get_async("k") for _ in range(at_once)])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_leaves_nothing_behind(request, kind, unique_prefix):
    make, lives = KINDS[kind](request), 1000 if LONG else LIVES.get(kind, 60)
    complaints = []
    asyncio.get_running_loop().set_debug(True)
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    await live(make, unique_prefix, at_once=50)  # those whose pools are not ours fill them
    for _ in range(round(WARM_UP * lives)):
        await live(make, unique_prefix)
    before, memory = await belongings(), mebibytes()
    for _ in range(ROUNDS):
        objects = len(gc.get_objects())
        for _ in range(round((1 - WARM_UP) * lives)):
            await live(make, unique_prefix)
        await belongings()
        grown = len(gc.get_objects()) - objects
        if grown <= SPARE_OBJECTS * lives:
            break  # what others in this process come to keep, they keep once; what a life leaves, each of them leaves
    files, threads, tasks = await belongings()
    assert files <= before[0] + GROWING.get(kind, 0)
    assert threads <= before[1]  # those that are idle for 10 s end
    assert tasks == before[2]
    assert grown <= SPARE_OBJECTS * lives
    assert mebibytes() <= memory + ROOM
    assert complaints == []


@pytest.mark.parametrize("state", ["frozen", "killed"])
async def test_closing_a_chain_and_others_of_dead_servers_takes_a_second_at_most(fresh_redis, fresh_memcached, state):
    redis = RedisCacheBackend(fresh_redis.url, deadline=1.5)
    service = CacheService(
        default=FallbackCacheBackend([redis, PyMemcacheCacheBackend(servers=fresh_memcached.url, deadline=1.5)]),
        pages=RedisCacheBackend(fresh_redis.url, deadline=1.5),
        sessions=MemcachedCacheBackend(servers=fresh_memcached.url, deadline=1.5),
    )
    for backend in ("default", "pages", "sessions"):
        await service.set_async("k", 1, backend=backend)
        await asyncio.to_thread(service.get, "k", backend=backend)
    for server in (fresh_redis, fresh_memcached):
        await asyncio.to_thread(server.freeze if state == "frozen" else server.kill)
    under_way = [asyncio.create_task(service.get_async("k", backend=name)) for name in ("default", "pages", "sessions")]
    await asyncio.sleep(0.01)
    began = time.monotonic()
    await service.aclose()
    assert time.monotonic() - began <= CLOSE_SECONDS
    await asyncio.gather(*under_way, return_exceptions=True)
    await service.aclose()
