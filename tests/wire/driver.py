"""A wire whose transport only records: the test says what comes from the server, byte by byte, and when."""

import asyncio
import time

from hiredis import Reader, pack_command

from asynccache.wire.redis import RedisWire

BOOK = b"~n"
SOON = 5.0
"""Seconds that are longer than any test."""


class Transport(asyncio.Transport):
    """Takes bytes; may fail at that, and may be full."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_aborted = False
        self.failure: Exception | None = None

    def write(self, data):
        if self.failure is not None:
            raise self.failure
        self.written.append(bytes(data))

    def abort(self):
        self.is_aborted = True

    def set_write_buffer_limits(self, high=None, low=None):
        pass


class Driven:
    """A wire, and the server's end of it."""

    def __init__(self, silence: float = SOON) -> None:
        self.transport = Transport()
        self.wire = RedisWire(silence)
        self.wire.connection_made(self.transport)
        self._reader = Reader()
        self._read = 0

    def look(self, key: bytes, within: float = SOON, book: bytes = BOOK) -> asyncio.Future:
        return self.wire.look(book, key, time.monotonic() + within)

    def ask(self, *words: bytes, within: float = SOON, count: int = 1) -> asyncio.Future:
        return self.wire.ask(pack_command(words) * count, count, time.monotonic() + within)

    def asked(self) -> list[list[bytes]]:
        """Give the commands that came since the last time."""
        for data in self.transport.written[self._read :]:
            self._reader.feed(data)
        self._read = len(self.transport.written)
        commands = []
        while command := self._reader.gets():
            commands.append(command)
        return commands

    def say(self, *replies: object) -> None:
        """Let these replies come at once."""
        self.wire.data_received(b"".join(map(reply, replies)))


def reply(value: object) -> bytes:
    """Pack what a server says."""
    match value:
        case None:
            return b"$-1\r\n"
        case bytes():
            return b"$%d\r\n%b\r\n" % (len(value), value)
        case int():
            return b":%d\r\n" % value
        case str():
            return value.encode() + b"\r\n"
        case list():
            return b"*%d\r\n" % len(value) + b"".join(map(reply, value))
    raise TypeError(value)


async def outcome(future: asyncio.Future) -> object:
    """Give a result, or the kind of exception."""
    try:
        return await future
    except Exception as failure:
        return type(failure)


async def outcomes(*futures: asyncio.Future) -> list[object]:
    return [await outcome(future) for future in futures]


async def turns(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
