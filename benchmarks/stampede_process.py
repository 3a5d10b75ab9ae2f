"""One of the processes of a fleet that wants the same key: `python -m benchmarks.stampede_process WAY URL`.

For each key that it reads, it writes when its last caller had the value, its CPU seconds, and how often it loaded.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.measuring import said_of

CALLERS = 1_000
LOADER_SECONDS = 0.1
OURS = "asynccache get_or_set_async"
Load = Callable[[], Awaitable[str]]
Fetch = Callable[[str, Load], Awaitable[Any]]


async def main(name: str, url: str) -> None:
    try:
        fetch = WAYS[name](url)
        await stampede(fetch, f"warm{time.monotonic()}", 1)
        print("ready", flush=True)
        for line in sys.stdin:
            print(*await stampede(fetch, line.strip(), CALLERS), flush=True)
    except Exception as error:  # noqa: BLE001 - the parent tells it
        print("failed", said_of(error), flush=True)


async def stampede(fetch: Fetch, key: str, callers: int) -> tuple[float, float, int]:
    """Tell when the last caller had the value, the CPU seconds of all, and how often the loader ran."""
    ran = 0

    async def load() -> str:
        nonlocal ran
        ran += 1
        await asyncio.sleep(LOADER_SECONDS)
        return "value"

    async def call() -> Any:
        return await fetch(key, load)

    cpu = time.process_time()
    values = await asyncio.gather(*(call() for _ in range(callers)))
    done, cpu = time.monotonic(), time.process_time() - cpu
    assert set(values) == {"value"}
    return done, cpu, ran


def _ours(url: str) -> Fetch:
    from asynccache import CacheService

    service = CacheService(default=f"{url}?deadline=5")
    return lambda key, load: service.get_or_set_async(key, load, ttl=60)


def _cashews(url: str, **options: Any) -> Fetch:
    from cashews import Cache

    cache = Cache()
    cache.setup(url)

    @cache(ttl="60s", key="{key}", **options)
    async def fetch(key: str, load: Load) -> str:
        return await load()

    return fetch


def _aiocache(url: str) -> Fetch:
    import aiocache

    host, _, port = url.removeprefix("redis://").partition("/")[0].partition(":")
    where = {"cache": aiocache.Cache.REDIS, "endpoint": host, "port": int(port)}

    @aiocache.cached_stampede(ttl=60, lease=2, key_builder=lambda function, key, load: key, **where)
    async def fetch(key: str, load: Load) -> str:
        return await load()

    return fetch  # type: ignore[no-any-return]  # it is not typed


WAYS: dict[str, Callable[[str], Fetch]] = {
    OURS: _ours,
    "cashews @cache(lock=True)": lambda url: _cashews(url, lock=True),
    "aiocache @cached_stampede": _aiocache,
}


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
