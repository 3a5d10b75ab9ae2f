"""How a connection to memcached begins: TCP, TLS or a unix socket, who we are, and what the server speaks.

A server with an authentication file (`memcached -Y`) wants a `set` of user and password first. It is sent only to one
that says so, since any other would store it.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from asynccache.backends.servers import UNIX
from asynccache.wire.faults import OutOfStepError
from asynccache.wire.memcached import MemcachedWire
from asynccache.wire.memcached_pieces import InPieces
from asynccache.wire.memcached_words import Meta, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.servers import Server
from asynccache.wire.memcached_words import Speech

TLS = "memcacheds"
_VERSION = re.compile(rb"VERSION (\d+)\.(\d+)\.")
_META_SINCE = (1, 6)
_TRIED = b"mg ~~? O1\r\n"
_MARKED = (b"EN O1", b"HD O1")
"""What a server answers that marks each line by its question, misses too; the first ones of 1.6 did not."""
_ASKS_WHO = b"CLIENT_ERROR unauthenticated"
_LONGEST_GREETING = 2048


@dataclass(frozen=True, slots=True)
class Connecting:
    """Opens connections to one server.

    Args:
        server: where it is, and user and password where it wants them.
        options: for asyncio's `create_connection`, such as `ssl` or `local_addr`.
        silence: seconds without a byte after which a server that owes replies is held to be gone.
    """

    server: Server
    options: Mapping[str, Any]
    silence: float

    async def __call__(self) -> MemcachedWire:
        """Connect; raises `OSError`, `EOFError` and `OutOfStepError`."""
        reader = asyncio.StreamReader(_LONGEST_GREETING)
        transport = await self._connected(asyncio.StreamReaderProtocol(reader))
        try:
            wire = MemcachedWire(await self._greeted(reader, transport), self.silence)
            reader.feed_eof()
            if await reader.read():
                raise OutOfStepError("it said more than it was asked")
            if transport.is_closing():
                raise ConnectionResetError("the server closed the connection")
        except BaseException:
            transport.abort()
            raise
        transport.set_protocol(wire)
        encrypts = transport.get_extra_info("sslcontext") is not None
        wire.connection_made(cast("asyncio.Transport", InPieces(transport)) if encrypts else transport)
        return wire

    async def _connected(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        loop, server = asyncio.get_running_loop(), self.server
        transport: asyncio.Transport
        if server.scheme == UNIX:
            transport, _ = await loop.create_unix_connection(lambda: protocol, server.path, **self.options)
        else:
            options = {"ssl": True, **self.options} if server.scheme == TLS else self.options
            transport, _ = await loop.create_connection(lambda: protocol, server.host, server.port, **options)
        return transport

    async def _greeted(self, reader: asyncio.StreamReader, transport: asyncio.Transport) -> Speech:
        transport.write(b"version\r\n")
        line = await _line(reader)
        if line == _ASKS_WHO:
            await self._authenticated(reader, transport)
            transport.write(b"version\r\n")
            line = await _line(reader)
        if not line.startswith(b"VERSION "):
            raise OutOfStepError("it does not greet as memcached does")
        version = _VERSION.match(line)  # that of a proxy may be anything
        if version is None or tuple(map(int, version.groups())) < _META_SINCE:
            return Text()
        transport.write(_TRIED)
        return Meta() if await _line(reader) in _MARKED else Text()

    async def _authenticated(self, reader: asyncio.StreamReader, transport: asyncio.Transport) -> None:
        if self.server.username is None:
            raise ConnectionRefusedError("it wants a user and a password, and its address has none")
        words = f"{self.server.username} {self.server.password or ''}".encode()
        transport.write(b"set auth 0 0 %d\r\n%b\r\n" % (len(words), words))
        if await _line(reader) != b"STORED":
            raise ConnectionRefusedError("it does not accept this user and password")


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        return (await reader.readuntil(b"\r\n"))[:-2]
    except asyncio.LimitOverrunError:
        raise OutOfStepError("a greeting without an end") from None
