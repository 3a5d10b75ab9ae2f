"""Other caches in memory. Each comes twice: filled, as what gets a key; and as what asks for a key and stores it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from importlib.util import find_spec
from typing import Any

from asynccache.backends.local_cache import LocalMemCacheBackend

OURS = "asynccache"
Get = Callable[[str], object]
GetAsync = Callable[[str], Awaitable[object]]
Ask = Callable[[str], bool]
"""Look a key up, and store it where it is not there; tell whether it was."""

PACKAGES = {
    "cachetools LRU": "cachetools",
    "theine": "theine",
    "Django LocMem": "django",
    "aiocache": "aiocache",
    "Ellar": "ellar",
}


def present(makers: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out those that are not installed."""
    return {name: make for name, make in makers.items() if name == OURS or find_spec(PACKAGES[name])}


def missing(makers: Mapping[str, Any]) -> dict[str, str]:
    """Name those that are left out."""
    return dict.fromkeys(makers.keys() - present(makers).keys(), "left out, not installed")


def cachetools(values: dict[str, str]) -> Get:
    from cachetools import LRUCache

    cache: Any = LRUCache(len(values))
    cache.update(values)
    return cache.get


def theine(values: dict[str, str]) -> Get:
    from theine import Cache

    cache: Any = Cache(2 * len(values))
    for key, value in values.items():
        cache.set(key, value)
    return cache.get


def django(values: dict[str, str]) -> Get:
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from django.core.cache.backends.locmem import LocMemCache

    cache = LocMemCache("benchmark", {"OPTIONS": {"MAX_ENTRIES": 2 * len(values)}})
    cache.set_many(values)
    return cache.get


async def aiocache(values: dict[str, str]) -> GetAsync:
    from aiocache import SimpleMemoryCache

    cache = SimpleMemoryCache()
    for key, value in values.items():
        await cache.set(key, value)
    return cache.get


async def ellar(values: dict[str, str]) -> GetAsync:
    from ellar.cache.backends.local_cache import LocalMemCacheBackend as Backend

    cache = Backend()
    for key, value in values.items():
        await cache.set_async(key, value)
    return cache.get_async


def ask_ours(entries: int) -> Ask:
    cache = LocalMemCacheBackend(max_entries=entries, ttl=None)

    def ask(key: str) -> bool:
        if cache.get(key) is not None:
            return True
        cache.set(key, "value")
        return False

    return ask


def ask_cachetools(entries: int) -> Ask:
    from cachetools import LRUCache

    cache: Any = LRUCache(entries)

    def ask(key: str) -> bool:
        if cache.get(key) is not None:
            return True
        cache[key] = "value"
        return False

    return ask


def ask_theine(entries: int) -> Ask:
    from theine import Cache

    cache: Any = Cache(entries)

    def ask(key: str) -> bool:
        _, found = cache.get(key)
        if not found:
            cache.set(key, "value")
        return bool(found)

    return ask


SYNC: dict[str, Callable[[dict[str, str]], Get]] = {
    "cachetools LRU": cachetools,
    "theine": theine,
    "Django LocMem": django,
}
AWAITED: dict[str, Callable[[dict[str, str]], Awaitable[GetAsync]]] = {"aiocache": aiocache, "Ellar": ellar}
ASKED: dict[str, Callable[[int], Ask]] = {OURS: ask_ours, "cachetools LRU": ask_cachetools, "theine": ask_theine}
