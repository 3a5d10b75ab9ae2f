"""A peer that does not speak as memcached does: whatever it says is a miss or an error, soon, and never a value."""

import asyncio

import pytest

from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.errors import BackendUnavailableError
from tests.backends.memcached_nonsense import NonsenseToTheLoop
from tests.backends.peer import Peer, hit


@pytest.fixture
def make():
    return MemcachedCacheBackend


class TestNonsense(NonsenseToTheLoop):
    pass


@pytest.mark.parametrize(("operation", "cas_id"), [("get_async", b""), ("has_key_async", b""), ("incr_async", b" 1")])
async def test_reply_to_a_cancelled_operation_is_read_and_dropped(operation, cas_id):
    peer = Peer(MemcachedCacheBackend, hit("k", "theirs", cas_id), hit("k", "mine"))
    peer.pause = 0.02
    async with peer.cache() as cache:
        task = asyncio.create_task(getattr(cache, operation)("k"))
        while not peer.asked:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await cache.get_async("k") == "mine"
        assert peer.connections == 1
        assert cache.stats()["errors"] == 0


@pytest.mark.parametrize(
    "greeting", [b"VERSION 1.5.0\r\nEND\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"x" * 5_000, b"\r\n"]
)
async def test_peer_that_greets_in_another_way_is_down(greeting):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(greeting)
        await reader.read()
        writer.close()

    peer = Peer(MemcachedCacheBackend, b"")
    peer.serve = greet
    async with peer.cache(on_error="raise") as cache:
        with pytest.raises(BackendUnavailableError, match=r"greet|more than"):
            await cache.get_async("k")
