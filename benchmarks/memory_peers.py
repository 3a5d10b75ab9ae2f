"""Other caches in memory: functions that make one with room for so many entries, and give its get and its set."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from asynccache import CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from benchmarks.measuring import Subject
from benchmarks.memory_floor import BareS3Fifo

OURS, SERVICE, FLOOR = "asynccache", "asynccache, a service", "S3-FIFO in Python, nothing else"
Get = Callable[[str], Any]
"""Gives None for what is not there; theine gives a pair that says so."""
Set = Callable[[str, Any], Any]
GetAsync = Callable[[str], Awaitable[Any]]


def ours(entries: int, ttl: float | None = None) -> tuple[Get, Set]:
    cache = LocalMemCacheBackend(max_entries=entries, max_bytes=1 << 40, ttl=ttl)
    return cache.get, cache.set


def service(entries: int) -> tuple[Get, Set]:
    cache = CacheService(default=LocalMemCacheBackend(max_entries=entries, max_bytes=1 << 40, ttl=None))
    return cache.get, cache.set


def floor(entries: int) -> tuple[Get, Set]:
    cache = BareS3Fifo(entries)
    return cache.get, cache.set


def cachetools_lru(entries: int) -> tuple[Get, Set]:
    from cachetools import LRUCache

    cache: Any = LRUCache(entries)
    return cache.get, cache.__setitem__


def cachetools_lfu(entries: int) -> tuple[Get, Set]:
    from cachetools import LFUCache

    cache: Any = LFUCache(entries)
    return cache.get, cache.__setitem__


def cachetools_ttl(entries: int, ttl: float = 300) -> tuple[Get, Set]:
    from cachetools import TTLCache

    cache: Any = TTLCache(entries, ttl)
    return cache.get, cache.__setitem__


def cachebox_lru(entries: int) -> tuple[Get, Set]:
    from cachebox import LRUCache

    cache: Any = LRUCache(entries)
    return cache.get, cache.insert


def cachebox_ttl(entries: int, ttl: float = 300) -> tuple[Get, Set]:
    from cachebox import TTLCache

    cache: Any = TTLCache(entries, ttl)
    return cache.get, cache.insert


def theine(entries: int) -> tuple[Get, Set]:
    from theine import Cache

    cache: Any = Cache(entries)
    return cache.get, cache.set


def theine_ttl(entries: int, ttl: float = 300) -> tuple[Get, Set]:
    from datetime import timedelta

    from theine import Cache

    cache: Any = Cache(entries)
    lifetime = timedelta(seconds=ttl)
    return cache.get, lambda key, value: cache.set(key, value, ttl=lifetime)


def moka(entries: int, ttl: float | None = None) -> tuple[Get, Set]:
    from moka_py import Moka

    cache: Any = Moka(entries, ttl=ttl)
    return cache.get, cache.set


def django(entries: int) -> tuple[Get, Set]:
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from django.core.cache.backends.locmem import LocMemCache

    cache = LocMemCache(f"benchmark {entries}", {"OPTIONS": {"MAX_ENTRIES": entries}})
    cache.clear()
    return cache.get, cache.set


async def aiocache(values: Mapping[str, str]) -> GetAsync:
    from aiocache import SimpleMemoryCache

    cache = SimpleMemoryCache()
    for key, value in values.items():
        await cache.set(key, value)
    return cache.get


async def cashews(values: Mapping[str, str]) -> GetAsync:
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://", size=2 * len(values))
    for key, value in values.items():
        await cache.set(key, value, expire=3600)
    return cache.get


async def ellar(keys: str) -> Subject:
    """Give the subject that asks for so many hot keys in turn; it lives where Ellar is installed."""
    from ellar.cache.backends.local_cache import LocalMemCacheBackend as Backend

    cache = Backend()
    hot = [f"key:{number:06}" for number in range(int(keys))]
    for key in hot:
        await cache.set_async(key, "a value that is shared", ttl=3600)

    async def loop(count: int) -> None:
        for number in range(count):
            await cache.get_async(hot[number % len(hot)])

    return loop  # type: ignore[return-value]  # a coroutine function is one, too, elsewhere


PEERS: dict[str, Callable[[int], tuple[Get, Set]]] = {
    "cachetools LRU": cachetools_lru,
    "cachebox LRU": cachebox_lru,
    "theine": theine,
    "moka-py": moka,
}
"""Those that are bounded and choose who goes by what was asked for."""
MORE_PEERS = {"cachetools LFU": cachetools_lfu}
EXPIRING: dict[str, Callable[[int], tuple[Get, Set]]] = {
    OURS: lambda entries: ours(entries, 300),
    "cachetools TTL": cachetools_ttl,
    "cachebox TTL": cachebox_ttl,
    "theine": theine_ttl,
    "moka-py": lambda entries: moka(entries, 300),
}
AWAITED = {"aiocache": aiocache, "cashews": cashews}
