"""A connection that listens to what a server publishes."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from redis import RedisError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class HeardNothingError(Exception):
    """Whom a line listens to cannot be reached, or has gone silent."""


_SILENCE = 3.0
"""Seconds after which somebody who is greeted every second and does not answer is held to be gone."""
_GREETING = 1.0


class Ear:
    """A connection of one loop that only listens."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._transport: asyncio.WriteTransport | None = None

    async def drop(self) -> None:
        """Close at once, without a suspension; what redis-py does would wait for a frozen server to take all bytes."""
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        await self._connection.disconnect(nowait=True)

    async def hear(self, channels: Sequence[bytes], heard: Callable[[bytes, bytes], None]) -> None:
        """Subscribe, and pass on each channel and message for ever; once subscribed, that is `b""` and `b""`.

        Raises `HeardNothingError` when that ends, for whatever reason but a cancellation.
        """
        connection = self._connection
        try:
            async with asyncio.timeout(_SILENCE):
                await connection.connect()
                self._transport = connection._writer.transport  # noqa: SLF001  # see drop
                await connection.send_command(b"SUBSCRIBE", *channels, check_health=False)
            greeting = asyncio.create_task(self._greet())
            try:
                await self._pass_on(heard)
            finally:
                greeting.cancel()
        except Exception as failure:
            raise HeardNothingError(str(failure)) from failure

    async def _greet(self) -> None:
        with suppress(RedisError, OSError):  # the one who reads hears of it
            while True:
                await asyncio.sleep(_GREETING)
                await self._connection.send_command(b"PING", check_health=False)

    async def _pass_on(self, heard: Callable[[bytes, bytes], None]) -> None:
        while True:
            async with asyncio.timeout(_SILENCE):
                reply = await self._connection.read_response()
            match reply:
                case [b"message", bytes(channel), bytes(text)]:
                    heard(channel, text)
                case [b"subscribe", _, 1]:
                    heard(b"", b"")
