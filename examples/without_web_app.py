"""Use the cache without a web app, in a worker or a script: the service alone, async and sync.

Run it: python examples/without_web_app.py
"""

import asyncio

from asynccache import CacheService


async def fetch_rate() -> float:
    """Ask a slow service, as it were."""
    print("asking for the rate")
    return 1.15


async def convert(cache: CacheService, euros: list[float]) -> list[float]:
    """Fetch the rate once, however many of these run at the same time."""
    rate = await cache.get_or_set_async("rate:EUR:USD", fetch_rate, ttl=3600)
    return [round(amount * rate, 2) for amount in euros]


async def worker(backend: str = "local") -> list[list[float]]:
    async with CacheService(default=backend) as cache:
        return await asyncio.gather(*(convert(cache, [10.0 * number, 1.0]) for number in range(3)))


def script(backend: str = "local") -> int:
    """Count without a loop: every method has a sync twin."""
    with CacheService(default=backend) as cache:
        cache.set("runs", 41)
        return cache.incr("runs")


if __name__ == "__main__":
    print(asyncio.run(worker()))
    print(script())
