"""Writing to memcached over TLS so that it does not go to sleep.

memcached reads 16 KiB at once, and what a value lacks then it reads by itself. What follows in the same TLS record
stays in OpenSSL's buffer, of which the server's event loop hears nothing: it waits for the socket (seen in 1.6.18). So
a write, which begins a record, ends where a command does, and carries no more than is read at once; a larger command is
a write of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

_AT_ONCE = 16_000
_SIZE_AT = {b"ms": 2, b"set": 4, b"add": 4, b"cas": 4}
"""Which word of a command's line is the size of the value that follows."""


class InPieces:
    """A transport that writes whole commands.

    Args:
        transport: what they are written to.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.abort = transport.abort
        self.set_write_buffer_limits = transport.set_write_buffer_limits

    def write(self, commands: bytes) -> None:
        """Write commands, in as many pieces as need be."""
        for piece in pieces(commands):
            self._transport.write(piece)


def pieces(commands: bytes) -> Iterator[bytes]:
    """Cut between commands, so that pieces are small where that can be."""
    begin = at = 0
    while at < len(commands):
        end = commands.index(b"\r\n", at) + 2
        words = commands[at:end].split()
        if place := _SIZE_AT.get(words[0]):
            end += int(words[place]) + 2
        if end - begin > _AT_ONCE and at > begin:
            yield commands[begin:at]
            begin = at
        at = end
    yield commands[begin:]
