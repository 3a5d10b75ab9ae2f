"""A peer that does not speak as memcached does: whatever it says is a miss or an error, soon, and never a value."""

import asyncio
from collections.abc import Callable

import pytest

from asynccache.backends.aio_cache import AioMemCacheBackend
from tests.backends.memcached_nonsense import NonsenseToTheLoop
from tests.backends.peer import Peer, hit


@pytest.fixture
def make():
    return AioMemCacheBackend


class TestNonsense(NonsenseToTheLoop):
    pass


OPERATIONS: dict[str, Callable[[AioMemCacheBackend], object]] = {
    "get": lambda cache: cache.get_async("k"),
    "get_many": lambda cache: cache.get_many_async(["k", "l"]),
    "has_key": lambda cache: cache.has_key_async("k"),
    "set": lambda cache: cache.set_async("k", 1),
    "set_many": lambda cache: cache.set_many_async({"k": 1, "l": 2}),
    "add": lambda cache: cache.add_async("k", 1),
    "delete": lambda cache: cache.delete_async("k"),
    "delete_many": lambda cache: cache.delete_many_async(["k", "l"]),
    "touch": lambda cache: cache.touch_async("k"),
    "incr": lambda cache: cache.incr_async("k"),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
async def test_connection_of_a_cancelled_operation_is_never_used_again(operation):
    peer = Peer(AioMemCacheBackend, b"")
    async with peer.cache() as cache:
        task = asyncio.create_task(operation(cache))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        peer.replies = [hit("k", "v")]
        assert await cache.get_async("k") == "v"
        assert peer.connections == 2
        assert cache.stats()["errors"] == 0
