"""A peer that does not speak as memcached does, with what it may say."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from asynccache.backends.memcached_notebook import gen_of
from asynccache.core.codec import Frame, encode
from asynccache.core.keys import key_hash
from asynccache.model import BaseCacheBackend
from asynccache.serializers import MsgpackSerializer

DEADLINE = 0.15
END = b"END\r\n"
NUMBER = 7 << 32
NOTEBOOK = b"~~n::1:"


def value_line(key: str, value: object, cas_id: bytes = b"") -> bytes:
    """Give the reply that a hit on `:1:key` is, complete and sealed."""
    stored = f":1:{key}"
    raw = encode(Frame(MsgpackSerializer().dumps(value), gen=gen_of(NUMBER)), key_hash(stored))
    return b"VALUE %s 0 %d%s\r\n%s\r\n" % (stored.encode(), len(raw), cas_id, raw)


def notebook_line(cas_id: bytes = b"") -> bytes:
    """Give the reply that says by which number entries are valid."""
    return b"VALUE %s 0 %d%s\r\n%d\r\n" % (NOTEBOOK, len(str(NUMBER)), cas_id, NUMBER)


def hit(key: str, value: object, cas_id: bytes = b"") -> bytes:
    """Give the whole answer to a read that finds something."""
    return notebook_line(cas_id) + value_line(key, value, cas_id) + END


class Peer:
    """Answers each command with the next of its lines, and the last one for ever; `None` closes.

    With `keeps_notebook` it answers reads soundly: it has a notebook, and no entries.
    """

    def __init__(
        self, make: Callable[..., BaseCacheBackend], *replies: bytes | None, keeps_notebook: bool = False
    ) -> None:
        self.make = make
        self.keeps_notebook = keeps_notebook
        self.replies = list(replies)
        self.late = b""
        """What is sent a moment after each reply."""
        self.lates = 0
        """How often that was sent."""
        self.pause = 0.0
        """Seconds before each reply."""
        self.asked = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while line := await reader.readline():
                if line == b"version\r\n":
                    writer.write(b"VERSION 1.4.39\r\n")
                    continue
                if line.split()[0] in {b"set", b"add", b"cas"}:
                    await reader.readexactly(int(line.split()[4]) + 2)
                if self.keeps_notebook and line.startswith(b"get"):
                    cas_id = b" 1" if line.startswith(b"gets") else b""
                    writer.write((notebook_line(cas_id) if NOTEBOOK in line.split() else b"") + END)
                    continue
                self.asked += 1
                await asyncio.sleep(self.pause)
                reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if reply is None:
                    break
                writer.write(reply)
                if self.late:
                    await asyncio.sleep(0.02)
                    writer.write(self.late)
                    self.lates += 1
        except OSError:
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def cache(self, **options: object) -> AsyncIterator[BaseCacheBackend]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        address = server.sockets[0].getsockname()[:2]
        cache = self.make(servers=[address], deadline=DEADLINE, **options)
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
    "a value that pylibmc takes for compressed": b"VALUE another 8 3\r\nabc\r\n" + END,
    "mine and another's": value_line("k", "right") + value_line("another", "wrong") + END,
    "the same twice": value_line("k", "one") + value_line("k", "two") + END,
    "two replies": value_line("k", "one") + END + value_line("k", "two") + END,
    "a reply to set": b"STORED\r\n",
    "a reply to incr": b"42\r\n",
    "binary protocol": bytes([0x81]) + bytes(23),
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a line without end": b"x" * 300_000,
}
WRITES = [b"END\r\n", b"DELETED\r\n", b"TOUCHED\r\n", b"OK\r\n", b"1\r\n", b"STORED", b"\r\n", b""]
DELETES = [b"END\r\n", b"STORED\r\n", b"OK\r\n", b"1\r\n", b"DELETE", b"\r\n", b""]
STARTS = [b"", b"VALUE", b"VALUE :1:k 0 ", b"STORED ", b"END"]
