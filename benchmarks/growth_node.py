"""A process with two tiers: `python -m benchmarks.growth_node URL`; it reads orders and answers each with a line."""

from __future__ import annotations

import asyncio
import sys
import time

from asynccache import CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.core.entry import Kind

LOOK_SECONDS = 0.0005


async def main(url: str) -> None:
    tiers = TieredCacheBackend(LocalMemCacheBackend(), RedisCacheBackend(url))
    async with CacheService(default=tiers) as service:
        await service.get_async("warm")
        print("ready", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            order, what = line.split()
            if order == "hold":
                await _held(service, tiers, what)
            elif order == "watch":
                await _watched(tiers, what)
            else:
                await _hits(service, int(what))


async def _held(service: CacheService, tiers: TieredCacheBackend, key: str) -> None:
    """Say when a key is held here."""
    while tiers.peek(key, None, Kind.VALUE) is None:  # what the node is still behind with is not held
        await service.get_async(key)
        await asyncio.sleep(LOOK_SECONDS)
    print("hold", flush=True)


async def _watched(tiers: TieredCacheBackend, key: str) -> None:
    """Say when a key is held here no more."""
    print("watch", flush=True)
    while tiers.peek(key, None, Kind.VALUE) is not None:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(LOOK_SECONDS)
    print(time.monotonic(), flush=True)


async def _hits(service: CacheService, times: int) -> None:
    """Read a key again and again, with a turn of the loop now and then, in which news can come."""
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(times):
        await service.get_async("hot")
        if number % 100 == 0:
            await asyncio.sleep(0)
    print(time.process_time() - cpu, time.perf_counter() - wall, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
