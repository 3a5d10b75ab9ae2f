"""Under trio: backends that need asyncio say so, in whatever way they are used, and their sync calls work."""

import pytest
import trio

from asynccache import CacheService, ConfigurationError

DEAD = [
    "redis://127.0.0.1:1",
    "memcached://127.0.0.1:1",
    "postgresql://127.0.0.1:1/d",
    ["redis://127.0.0.1:1", "local"],
]


@pytest.mark.parametrize("backend", DEAD, ids=["redis", "memcached", "postgresql", "chain"])
def test_what_needs_asyncio_says_so_and_nothing_else(backend):
    async def visit():
        async with CacheService(default=backend) as cache:
            await cache.get_async("key")

    with pytest.raises(ConfigurationError, match="asyncio: under trio use local memory, or the sync calls"):
        trio.run(visit)


def test_sync_calls_work_and_their_connections_are_closed(redis_server, unique_prefix):
    async def visit():
        async with CacheService(default=f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5") as cache:
            cache.set("key", "value")
            with cache.lock("name"):
                return cache.get_or_set("key", dict)

    assert trio.run(visit) == "value"
