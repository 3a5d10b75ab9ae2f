"""Backends of all kinds for the responses that stand before an app."""

from contextlib import AsyncExitStack

import pytest

from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from tests.http.edge.shelves import Node

STORES = ["local", "redis", "memcached", "sqlite", "tiered", "unfenced"]


@pytest.fixture(params=STORES)
def make_backend(request, unique_prefix, tmp_path):
    """Make backends on the same store, each as in a process of its own where others see at once what it does."""
    match request.param:
        case "local":
            alone = LocalMemCacheBackend()
        case "unfenced":
            kept = {}
            alone = CallableCacheBackend(kept.get, kept.__setitem__, kept.__delitem__)
        case "sqlite":
            return lambda: SQLCacheBackend(f"sqlite:///{tmp_path}/cache.db", deadline=5)
        case "memcached":
            server = request.getfixturevalue("memcached_server")
            return lambda: MemcachedCacheBackend(servers=server.url, key_prefix=unique_prefix, deadline=5)
        case name:
            server = request.getfixturevalue("redis_server")

            def far():
                return RedisCacheBackend(server.url, key_prefix=unique_prefix, deadline=5)

            if name == "redis":
                return far
            alone = TieredCacheBackend(LocalMemCacheBackend(), far())
    return lambda: alone


@pytest.fixture
async def nodes(make_backend):
    """Give two processes on one store, or one process twice."""
    one, two = make_backend(), make_backend()
    async with AsyncExitStack() as stack:
        first = Node(one)
        await stack.enter_async_context(first.service)
        second = first
        if two is not one:
            second = Node(two)
            await stack.enter_async_context(second.service)
        yield first, second
