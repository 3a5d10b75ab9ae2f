"""One connection through the fault proxy: two directions, each read and handed on by a task."""

import asyncio
import random
import socket
import struct
from collections import Counter
from contextlib import suppress
from typing import Protocol

from tests.servers.faults import Fate, Faults

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
CHUNK = 65_536


class Conditions(Protocol):
    """What a link asks its proxy for, at each chunk anew."""

    faults: Faults
    dice: random.Random
    counts: Counter[str]


class Link:
    """A client's connection and ours to the server."""

    def __init__(self, conditions: Conditions, client: Stream, server: Stream) -> None:
        self._conditions = conditions
        self._client = client
        self._server = server
        for _, writer in (client, server):
            with suppress(OSError):  # the client may have gone meanwhile
                writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def run(self) -> None:
        """Carry bytes both ways until both ends have finished or the link is reset."""
        there = Direction(self._conditions, self, self._client[0], self._server[1], reply=False)
        back = Direction(self._conditions, self, self._server[0], self._client[1], reply=True)
        try:
            await asyncio.gather(there.run(), back.run())
        finally:
            for _, writer in (self._client, self._server):
                writer.transport.abort()

    def reset(self) -> None:
        """Break the link off on both sides with RST."""
        self._conditions.counts["resets"] += 1
        for _, writer in (self._client, self._server):
            with suppress(OSError):
                at_once = struct.pack("ii", 1, 0)  # linger for 0 s: what is not yet sent goes, and RST is sent
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            writer.transport.abort()

    def finish(self) -> None:
        """Close towards the client (FIN), who may go on sending."""
        finish(self._client[1])


class Direction:
    """One way of a link.  Reading and handing on are apart, so that delays overlap as they do on a long wire."""

    def __init__(
        self,
        conditions: Conditions,
        link: Link,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        reply: bool,
    ) -> None:
        self._conditions = conditions
        self._link = link
        self._reader = reader
        self._writer = writer
        self._reply = reply
        self._wire: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def run(self) -> None:
        """Carry until this way's sender has finished, or the link is reset."""
        receiving = asyncio.create_task(self._receive())
        try:
            with suppress(OSError, RuntimeError):  # reset, or written to after FIN
                await self._hand_on()
        finally:
            finish(self._writer)
            receiving.cancel()

    async def _receive(self) -> None:
        """Put what arrives on the wire with the time it is due; nothing after the end."""
        loop = asyncio.get_running_loop()
        chunk = b"-"
        while chunk:
            try:
                chunk = await self._reader.read(CHUNK)
            except OSError:
                chunk = b""
            conditions = self._conditions
            self._wire.put_nowait((loop.time() + conditions.faults.delay(conditions.dice), chunk))

    async def _hand_on(self) -> None:
        """Take from the wire what is due, and let the faults of that moment have it."""
        loop = asyncio.get_running_loop()
        while True:
            due, chunk = await self._wire.get()
            await asyncio.sleep(due - loop.time())
            while self._conditions.faults.blackhole and not self._writer.is_closing():
                await asyncio.sleep(0.005)
            if not chunk:
                return
            self._conditions.counts["chunks"] += 1
            await self._meet(chunk)

    async def _meet(self, chunk: bytes) -> None:
        """Send a chunk as its fate has it."""
        faults, dice = self._conditions.faults, self._conditions.dice
        match faults.fate(dice, reply=self._reply):
            case Fate.PASS:
                whole = faults.spoil(dice, chunk) if self._reply else chunk
                for piece in faults.pieces(whole, reply=self._reply):
                    self._writer.write(piece)
                    await self._writer.drain()
            case Fate.VANISH:
                pass
            case Fate.FINISH:
                finish(self._writer)
            case Fate.CUT:
                self._writer.write(chunk[: len(chunk) // 2])
                await self._writer.drain()
                self._link.reset()
            case Fate.RESET:
                self._link.reset()


def finish(writer: asyncio.StreamWriter) -> None:
    """Send FIN, unless the connection is gone already."""
    with suppress(OSError, RuntimeError):
        if writer.can_write_eof() and not writer.is_closing():
            writer.write_eof()
