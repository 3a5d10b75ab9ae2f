"""Other libraries, each as its documentation shows it: how a value is fetched that takes a while to load."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks.stampede_process import Fetch, Load


def aiocache(decorator: str, **options: Any) -> Fetch:
    import aiocache

    def key_of(function: Callable[..., Any], key: str, load: object) -> str:
        return f"{decorator}:{key}"

    @getattr(aiocache, decorator)(ttl=60, key_builder=key_of, **options)
    async def fetch(key: str, load: Load) -> str:
        return await load()

    return fetch  # type: ignore[no-any-return]  # it is not typed


def cashews(**options: Any) -> Fetch:
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://")

    @cache(ttl="60s", key="{key}", **options)
    async def fetch(key: str, load: Load) -> str:
        return await load()

    return fetch


def theine() -> Fetch:
    from theine import Memoize

    @Memoize(10_000, timedelta(seconds=60))
    async def fetch(key: str, load: Load) -> str:
        return await load()

    fetch.key(lambda key, load: key)
    return fetch


def django() -> Fetch:
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from django.core.cache.backends.locmem import LocMemCache

    cache = LocMemCache("stampede", {})

    async def fetch(key: str, load: Load) -> Any:
        found = await cache.aget(key)
        if found is None:
            found = await load()
            await cache.aset(key, found, 60)
        return found

    return fetch


def fastapi_cache() -> Fetch:
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.inmemory import InMemoryBackend
    from fastapi_cache.decorator import cache

    FastAPICache.init(InMemoryBackend(), prefix="bench")

    @cache(expire=60, key_builder=lambda function, namespace, *, args, **_: f"{namespace}:{args[0]}")
    async def fetch(key: str, load: Load) -> str:
        return await load()

    return fetch


PEERS: dict[str, Callable[[], Fetch]] = {
    "aiocache @cached": lambda: aiocache("cached"),
    "aiocache @cached_stampede": lambda: aiocache("cached_stampede", lease=2),
    "cashews @cache": cashews,
    "cashews @cache(lock=True)": lambda: cashews(lock=True),
    "theine @Memoize": theine,
    "Django aget, aset": django,
    "fastapi-cache2 @cache": fastapi_cache,
}
