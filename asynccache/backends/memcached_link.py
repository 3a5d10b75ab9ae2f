"""One connection to memcached that never gets out of step unnoticed: aiomcache behind a guard.

aiomcache 0.8 goes on with a connection whose command was cancelled, spins for ever at an EOF within a reply, and takes
the answer to another question for its own. So it gets one connection only, over a reader that raises at EOF and counts
what is unread, and every reply's shape is checked. Whoever borrows a link drops it after any exception.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from asynccache.backends.outage import RefusedError
from asynccache.backends.servers import UNIX
from asynccache.errors import MissingDependencyError
from asynccache.wire.faults import OutOfStepError

try:
    from aiomcache import ClientException, FlagClient
    from aiomcache.pool import Connection, MemcachePool
except ImportError as missing:
    raise MissingDependencyError.of("AioMemCacheBackend", "aiomcache", "memcached") from missing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asynccache.backends.servers import Server

_NONSENSE = (ClientException, ValueError, IndexError)
"""What aiomcache raises at a reply that it cannot read; its messages quote the reply, which may hold a value."""
_ERRORS = (b"ERROR", b"CLIENT_ERROR", b"SERVER_ERROR")
_REFUSALS = (b"SERVER_ERROR object too large", b"SERVER_ERROR out of memory storing")
_REPLIES = {
    b"set": {b"STORED"},
    b"add": {b"STORED", b"NOT_STORED"},
    b"cas": {b"STORED", b"EXISTS", b"NOT_FOUND"},
    b"delete": {b"DELETED", b"NOT_FOUND"},
    b"incr": {b"NOT_FOUND"},
}
_NUMBER = re.compile(rb"\d{1,20}")


class _Reader(asyncio.StreamReader):
    """Raises where a reply ends too early or refuses, and knows how many bytes nobody has asked for yet."""

    unread = 0

    def feed_data(self, data: Any) -> None:
        self.unread += len(data)
        super().feed_data(data)

    async def readline(self) -> bytes:
        try:
            line = await self.readuntil(b"\n")
        except asyncio.LimitOverrunError as overrun:
            raise OutOfStepError("a line without an end") from overrun
        self.unread -= len(line)
        if line.startswith(_REFUSALS):
            raise RefusedError(_said(line))
        if line.startswith(_ERRORS):
            raise OutOfStepError(f"it said {_said(line)}")
        return line

    async def readexactly(self, n: int) -> bytes:
        block = await super().readexactly(n)
        self.unread -= n
        return block

    def set_exception(self, exc: Exception) -> None:
        """Condemn the connection, as aiomcache does after each error; but a refusal is a whole reply, all in step."""
        if not isinstance(exc, RefusedError):
            super().set_exception(exc)


class _OneConnection(MemcachePool):
    """The pool of a client that has one connection: lending it is not aiomcache's business."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def acquire(self) -> Connection:
        return self._connection

    def release(self, conn: Connection) -> None:
        """Keep it; `Link.fit` judges."""


class _Commands(FlagClient[bytes]):
    """aiomcache's commands over one connection, and some that it lacks or that take a refusal for an answer."""

    def __init__(self, connection: Connection) -> None:
        super().__init__("", get_flag_handler=_foreign)
        self._pool = _OneConnection(connection)

    async def store(self, key: bytes, raw: bytes, exptime: int) -> bool:
        """Set; False where the server cannot hold it, and then nothing is there."""
        try:
            return await self.set(key, raw, exptime)
        except RefusedError:
            await self.delete(key)  # memcached did it already; what speaks its protocol may not
            return False

    async def insert(self, key: bytes, raw: bytes, exptime: int) -> bool | None:
        """Add; False where something is there, None where the server cannot hold it."""
        try:
            return await self.add(key, raw, exptime)
        except RefusedError:
            return None

    async def land(self, key: bytes, raw: bytes, token: int, exptime: int) -> bool | None:
        """Exchange what has this cas id; False where something else is there, None where the server cannot hold it."""
        try:
            return await self.cas(key, raw, token, exptime)
        except RefusedError:
            return None

    async def get_many(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Get what is there."""
        values, _ = await self._multi_get(await self._pool.acquire(), *keys, with_cas=False)
        return values  # type: ignore[no-any-return]

    async def gets_many(self, keys: Sequence[bytes]) -> dict[bytes, tuple[bytes | None, int]]:
        """Get what is there with its cas id; None and 0 where nothing is."""
        values, tokens = await self._multi_get(await self._pool.acquire(), *keys, with_cas=True)
        return {key: (values.get(key), tokens.get(key, 0)) for key in keys}

    async def incr(self, key: bytes, increment: int = 1) -> int | None:
        """Add to a number; None where there is none, which aiomcache takes for an error."""
        reply = await self._execute_simple_command(await self._pool.acquire(), b"incr %b %d\r\n" % (key, increment))
        return int(reply) if reply.isdigit() else None

    async def _execute_simple_command(self, conn: Connection, raw_command: bytes) -> bytes:
        reply = bytes(await super()._execute_simple_command(conn, raw_command))
        command = raw_command.partition(b" ")[0]
        if reply not in _REPLIES[command] and not (command == b"incr" and _NUMBER.fullmatch(reply)):
            raise OutOfStepError("the reply to another command")
        return reply

    async def _multi_get(self, conn: Connection, *keys: bytes, with_cas: Any = True) -> Any:
        values, tokens = await super()._multi_get(conn, *keys, with_cas=with_cas)
        if not values.keys() <= set(keys):
            raise OutOfStepError("the answer to another question")
        return values, tokens


async def _foreign(value: bytes, flags: int) -> bytes:
    """Give no bytes, which are no entry: we set no client flags, so this is somebody else's."""
    del value, flags
    return b""


def _said(line: bytes) -> str:
    return line[:80].decode("ascii", "replace").strip()


class Link:
    """A connection that runs commands; made by `open`."""

    def __init__(self, reader: _Reader, writer: asyncio.StreamWriter, epoch: int) -> None:
        self._reader, self._writer = reader, writer
        self._commands = _Commands(Connection(reader, writer))
        self.epoch = epoch

    @classmethod
    async def open(cls, server: Server, options: Mapping[str, Any], epoch: int) -> Self:
        """Connect to a server over TCP or a unix socket."""
        loop = asyncio.get_running_loop()
        reader = _Reader(loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        transport: asyncio.Transport
        if server.scheme == UNIX:
            transport, _ = await loop.create_unix_connection(lambda: protocol, server.path, **options)
        else:
            transport, _ = await loop.create_connection(lambda: protocol, server.host, server.port, **options)
        return cls(reader, asyncio.StreamWriter(transport, protocol, reader, loop), epoch)

    async def run(self, command: str, *args: Any) -> Any:
        """Run a command; `OutOfStepError` where the reply cannot be read, or more came than one reply."""
        try:
            answer = await getattr(self._commands, command)(*args)
        except _NONSENSE as nonsense:
            raise OutOfStepError(f"a reply that makes no sense ({type(nonsense).__name__})") from None
        if self._reader.unread:
            raise OutOfStepError("more than one reply to one command")
        return answer

    def fit(self) -> bool:
        """Tell whether the connection is open, and nothing came that nobody asked for."""
        reader = self._reader
        return not (reader.unread or reader.at_eof() or reader.exception() or self._writer.is_closing())

    def drop(self) -> None:
        """Close by a reset: no waiting for a peer that may be dead, and no port that stays busy for a minute."""
        with suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()
