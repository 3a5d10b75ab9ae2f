"""A peer that does not speak as memcached does: whatever it says is a miss or an error, soon, and never a value."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from traceback import format_exception

import pytest

from asynccache.backends.aio_cache import AioMemCacheBackend
from asynccache.core.codec import Frame, encode
from asynccache.core.keys import key_hash
from asynccache.errors import BackendUnavailableError
from asynccache.serializers import MsgpackSerializer

DEADLINE = 0.15
END = b"END\r\n"


def value_line(key: str, value: object) -> bytes:
    """Give the reply that a hit on `:1:key` is, complete and sealed."""
    stored = f":1:{key}"
    raw = encode(Frame(MsgpackSerializer().dumps(value)), key_hash(stored))
    return b"VALUE %s 0 %d\r\n%s\r\n" % (stored.encode(), len(raw), raw)


class Peer:
    """Answers each command with the next of its lines, and the last one for ever; `None` closes."""

    def __init__(self, *replies: bytes | None) -> None:
        self.replies = list(replies)
        self.late = b""
        """What is sent a moment after each reply."""
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                if line.split()[0] in {b"set", b"add", b"cas"}:
                    await reader.readexactly(int(line.split()[4]) + 2)
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if reply is None:
                    break
                writer.write(reply)
                if self.late:
                    await asyncio.sleep(0.02)
                    writer.write(self.late)
        except OSError:
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def cache(self, **options: object) -> AsyncIterator[AioMemCacheBackend]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()[:2]
        cache = AioMemCacheBackend(*address, pool_size=1, deadline=DEADLINE, **options)
        try:
            yield cache
        finally:
            await cache.aclose()
            server.close()
            await asyncio.sleep(0.01)


READS = {
    "nothing at all": b"",
    "half a line": b"VAL",
    "an empty line": b"\r\n",
    "no such command": b"ERROR\r\n",
    "client error": b"CLIENT_ERROR line too long\r\n",
    "server error": b"SERVER_ERROR a proxy's upstream is down\r\n",
    "a value without a key": b"VALUE\r\n" + END,
    "a value without a length": b"VALUE :1:k 0\r\n" + END,
    "a negative length": b"VALUE :1:k 0 -7\r\n" + END,
    "no number": b"VALUE :1:k 0 x\r\n" + END,
    "a number without end": b"VALUE :1:k 0 " + b"9" * 5000 + b"\r\n" + END,
    "more bytes than exist": b"VALUE :1:k 0 999999999999\r\nabc\r\n" + END,
    "fewer bytes than come": b"VALUE :1:k 0 1\r\nabcdef\r\n" + END,
    "another's value": value_line("another", "wrong") + END,
    "mine and another's": value_line("k", "right") + value_line("another", "wrong") + END,
    "the same twice": value_line("k", "one") + value_line("k", "two") + END,
    "two replies": value_line("k", "one") + END + value_line("k", "two") + END,
    "a reply to set": b"STORED\r\n",
    "a reply to incr": b"42\r\n",
    "binary protocol": bytes([0x81]) + bytes(23),
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a line without end": b"x" * 300_000,
}


@pytest.mark.parametrize("reply", READS.values(), ids=READS)
async def test_reply_to_a_read_that_makes_no_sense_is_no_value(reply):
    async with Peer(reply).cache() as cache:
        assert await cache.get_async("k", default="a miss") == "a miss"
        assert cache.stats()["errors"] == 1
        for operation in (cache.incr_async("k"), cache.touch_async("k")):
            with pytest.raises(BackendUnavailableError):
                await operation


@pytest.mark.parametrize(
    "reply", [b"END\r\n", b"DELETED\r\n", b"TOUCHED\r\n", b"OK\r\n", b"1\r\n", b"STORED", b"\r\n", b""]
)
async def test_reply_to_a_write_that_makes_no_sense_is_no_success(reply):
    async with Peer(reply).cache() as cache:
        assert await cache.set_async("k", 1) is False
        assert await cache.set_many_async({"k": 1}) == ["k"]
        with pytest.raises(BackendUnavailableError):
            await cache.add_async("k", 1)


@pytest.mark.parametrize("start", [b"", b"VALUE", b"VALUE :1:k 0 ", b"STORED ", b"END"])
async def test_bytes_that_may_be_a_value_get_into_no_log_and_no_error(start, caplog):
    caplog.set_level("DEBUG")
    async with Peer(start + b"canary" * 5 + b"\r\n").cache(on_error="raise") as cache:
        for operation in (cache.get_async, cache.delete_async, cache.incr_async, cache.get_async):
            with pytest.raises(BackendUnavailableError) as raised:
                await operation("k")
            assert "canary" not in "".join(format_exception(raised.value))
    assert "canary" not in caplog.text
    assert "down" in caplog.text


@pytest.mark.parametrize("reply", [b"END\r\n", b"STORED\r\n", b"OK\r\n", b"1\r\n", b"DELETE", b"\r\n", b""])
async def test_reply_to_a_delete_that_makes_no_sense_is_no_success(reply):
    async with Peer(reply).cache() as cache:
        with pytest.raises(BackendUnavailableError):
            await cache.delete_async("k")
        with pytest.raises(BackendUnavailableError):
            await cache.delete_many_async(["k"])


@pytest.mark.parametrize("part", [0, 1, 10, 40, 80])
async def test_connection_closed_within_a_reply_is_no_value_and_no_frozen_loop(part):
    peer = Peer(None)
    reply = value_line("k", "v") + END

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(reply[:part])
        writer.close()

    peer.serve = cut
    async with peer.cache() as cache:
        for operation in (cache.get_async("k"), cache.get_many_async(["k"]), cache.has_key_async("k")):
            assert not await operation
        with pytest.raises(BackendUnavailableError):
            await cache.delete_async("k")


async def test_reply_that_comes_late_is_not_the_answer_to_the_next_question():
    peer = Peer(END)
    peer.late = value_line("k", "stale") + END
    async with peer.cache() as cache:
        for connections in (1, 2, 3):
            assert await cache.get_async("k") is None
            assert peer.connections == connections
            await asyncio.sleep(0.05)


async def test_connection_that_ended_well_is_used_again():
    peer = Peer(value_line("k", "v") + END)
    async with peer.cache() as cache:
        assert [await cache.get_async("k") for _ in range(5)] == ["v"] * 5
        assert peer.connections == 1


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
    peer = Peer(b"")
    async with peer.cache() as cache:
        task = asyncio.create_task(operation(cache))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        peer.replies = [value_line("k", "v") + END]
        assert await cache.get_async("k") == "v"
        assert peer.connections == 2
        assert cache.stats()["errors"] == 0
