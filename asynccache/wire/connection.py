"""One connection that all callers of a loop share: commands go out in the order asked, replies come back in it.

A caller who is cancelled, or whose time is over, leaves its place in the queue: the reply is read and dropped, so that
none ever reaches somebody else. The connection is given up, and all who wait on it fail, when the server was silent
for too long, when it closes, when a reply does not parse or has no end, and when one comes that nobody asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from asynccache.wire.exchange import Exchange
from asynccache.wire.faults import BusyError, Once, OutOfStepError

if TYPE_CHECKING:
    from collections.abc import Callable

NOTHING: Final = object()
"""What a parser gives while a reply is not complete."""
_BATCH = 256
"""Commands that one write carries at most, so that the server begins while others are still being packed."""
_MOST = 10_000
"""Callers whose questions were sent and are not yet answered."""
_UNSENT = 4 * 1024 * 1024
"""Bytes that may wait until the socket takes more."""
_BUFFER = 1024 * 1024
STALLED = 0.02
"""Seconds by which a timer may be late before the loop, and not the server, is held to be slow."""
_SOON = 0.01
"""Seconds between two looks at what is due, at least: a look goes through all that is under way."""
_ENDLESS = 10
"""How many times the silence a reply may take from its first byte to its last."""


class Parser(Protocol):
    """Reads replies out of bytes; what it raises ends the connection."""

    def feed(self, data: bytes, /) -> object:
        """Take what came."""

    def gets(self) -> Any:
        """Give the next reply, or `NOTHING`."""


class Wire(asyncio.Protocol):
    """A connection, once it is open.

    Args:
        parser: reads replies.
        silence: seconds without a byte after which a server that owes replies is held to be gone.
    """

    def __init__(self, parser: Parser, silence: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._parser = parser
        self._silence = silence
        self._transport: asyncio.WriteTransport | None = None
        self._pending: deque[Any] = deque()
        self._outbox: list[Any] = []
        self._under_way = 0
        self._unsent = 0
        self._last_batch = 0
        self._is_paused = False
        self._heard_at = self._replied_at = self._prompt_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = inf
        self._gave_back = False
        self.is_open = False
        self.has_room: Callable[[], None] | None = None
        """Called when there may be room again, or the connection is lost; set by who waits for it."""

    @property
    def is_full(self) -> bool:
        """Tell whether so much is under way that the next one had better wait."""
        return self._under_way >= _MOST or self._unsent >= _UNSENT

    @property
    def room(self) -> int:
        """For how many more callers there is room."""
        return 0 if self._unsent >= _UNSENT else max(0, _MOST - self._under_way)

    def ask(self, packed: bytes, count: int, due: float) -> asyncio.Future[list[Any]]:
        """Send commands that so many replies belong to, and give the future of the replies.

        It raises `TimeoutError` or `BusyError` when they did not come by `due` (monotonic seconds), `OSError` or
        `OutOfStepError` where the connection is lost.
        """
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._send(Exchange(packed, count, due, monotonic(), future), len(packed))
        return future

    def lose(self, kind: type[Exception], said: str) -> None:
        """Close at once; who waits first raises an exception of this kind, and all others a `BusyError`."""
        self.is_open = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        pending, self._pending, self._outbox = self._pending, deque(), []
        self._under_way = self._unsent = 0
        once = Once(kind)
        for exchange in pending:
            exchange.fail(once, said)
        self._tell_room()

    # What the transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; to be called by who hands over a transport that was connected before."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._transport.set_write_buffer_limits(high=_BUFFER)
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Hand the replies to those who wait."""
        self._heard_at = now = monotonic()
        pending, gets = self._pending, self._parser.gets
        exchange = None
        try:
            self._parser.feed(data)
            while (reply := gets()) is not NOTHING:
                exchange = pending[0]
                if exchange.take(reply):
                    self._under_way -= pending.popleft().weight
        except Exception as confusion:  # noqa: BLE001  # what a parser raises on garbage is whatever its code ran into
            self.lose(OutOfStepError, self._confusion(confusion))
            return
        if exchange is not None:
            self._replied_at = now
            if now - exchange.asked_at < self._silence:
                self._prompt_at = now
        if self.has_room is not None:
            self._tell_room()

    def eof_received(self) -> None:
        """Give up: half a connection is of no use."""
        self.lose(ConnectionResetError, "the server closed the connection")

    def connection_lost(self, failure: Exception | None) -> None:
        """Tell all who wait."""
        self.lose(ConnectionResetError, f"the connection is lost: {failure or 'the server closed it'}")

    def pause_writing(self) -> None:
        """Keep what is to be sent."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Send what was kept."""
        self._is_paused = False
        self._flush()
        self._tell_room()

    # Sending

    def _send(self, exchange: Any, size: int) -> None:
        if not self.is_open:
            raise BusyError("the connection was lost just now")
        is_idle = not self._pending and self._last_batch <= 1
        self._pending.append(exchange)
        self._outbox.append(exchange)
        self._unsent += size
        if exchange.due < self._looks_at:
            self._look_at(exchange.due)
        waiting = len(self._outbox)
        if is_idle or waiting == _BATCH:
            self._flush()
        elif waiting == 1:
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        if self._is_paused or not self._outbox or self._transport is None:
            return
        batch, self._outbox, self._unsent = self._outbox, [], 0
        self._last_batch = sum([exchange.weight for exchange in batch])
        self._under_way += self._last_batch
        try:
            self._transport.write(b"".join([exchange.pack() for exchange in batch]))
        except (OSError, RuntimeError) as failure:  # uvloop raises where it has closed and not yet said so
            self.lose(ConnectionResetError, f"the connection is lost: {failure}")

    def _tell_room(self) -> None:
        if self.has_room is not None and not (self.is_open and self.is_full):
            self.has_room()

    def _confusion(self, failure: Exception) -> str:
        if not self._pending:
            return "a reply came that nobody had asked for"
        return str(failure) if isinstance(failure, OutOfStepError) else f"{type(failure).__name__}: {failure}"

    # Deadlines: one timer for all

    def _look_at(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        wait = max(_SOON, moment - (now := monotonic()))
        self._looks_at = now + wait
        self._timer = self._loop.call_later(wait, self._look)

    def _look(self) -> None:
        """Fail those whose time is over, or all where the server says nothing at all."""
        now = monotonic()
        late = now - self._looks_at
        self._timer, self._looks_at = None, inf
        if self._pending and late > STALLED and not self._gave_back:  # the loop was blocked: replies may be there
            self._gave_back = True
            self._look_at(now + min(late, self._silence))
            return
        self._gave_back = False
        if not self._pending:
            return
        gone_at, said = self._hopeless()
        if gone_at <= now:
            self.lose(TimeoutError, said)
            return
        again = [exchange.expire(now, self._prompt_at) for exchange in self._pending]
        self._look_at(min([moment for moment in again if moment is not None], default=gone_at))

    def _hopeless(self) -> tuple[float, str]:
        """Give when this server is to be given up unless it says more, and why."""
        oldest = self._pending[0]
        silent_at = max(self._heard_at, oldest.asked_at) + self._silence
        endless_at = max(self._replied_at, oldest.asked_at) + self._silence * _ENDLESS
        if silent_at <= endless_at:
            return max(oldest.due, silent_at), f"the server has been silent for {self._silence:g} s"
        return max(oldest.due, endless_at), "a reply has no end"
