"""The way of one loop to one server: a connection that is made when it is needed, and again when it was lost."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from asynccache.wire.connection import Wire
from asynccache.wire.faults import BusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

W = TypeVar("W", bound=Wire)
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.2
"""Seconds between attempts to connect that failed, the first and the longest; each is shortened by chance."""
_SHORTEST_ATTEMPT = 0.5
_AT_ONCE = 256
_TURNS = 3
"""What a loop needs to close the socket of a transport that was aborted, TLS and all."""


class Lane(Generic[W]):
    """One connection at a time, for all callers of a loop.

    Whoever needs it while it is not open waits for the attempt under way, each until its own time is over. When much
    is under way, callers wait for room in the order of their coming.

    Args:
        connect: opens a connection; raises whatever tells why it cannot.
        deadline: seconds for one operation.
    """

    def __init__(self, connect: Callable[[], Awaitable[W]], deadline: float) -> None:
        self._connect = connect
        self._longest = max(_SHORTEST_ATTEMPT, 2 * deadline)
        self._wire: W | None = None
        self._attempt: asyncio.Task[None] | None = None
        self._failed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def open_wire(self) -> W | None:
        """The connection, if it is open and has room."""
        wire = self._wire
        return wire if wire is not None and wire.is_open and not self._waiting and not wire.is_full else None

    async def wire(self, due: float) -> W:
        """Give the connection once it is open and has room.

        Raises `TimeoutError` or `BusyError` where that is not so by `due` (monotonic seconds), and what `connect` did.
        """
        has_waited = False
        while True:
            wire = self._wire
            if wire is None or not wire.is_open:
                await self._connected(due)
            elif wire.is_full or (self._is_awaited() and not has_waited):
                await self._room(due)
                has_waited = True
            else:
                return wire

    def abort(self, kind: type[Exception], said: str) -> None:
        """Close the connection; all who wait for replies raise an exception of this kind, the next one connects."""
        if self._wire is not None:
            self._wire.lose(kind, said)

    async def aclose(self) -> None:
        """Close, and let the loop close the socket."""
        if self._attempt is not None:
            self._attempt.cancel()
        self.abort(ConnectionAbortedError, "the cache was closed meanwhile")
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def _connected(self, due: float) -> None:
        attempt = self._attempt
        if attempt is None or attempt.done():
            attempt = self._attempt = asyncio.create_task(self._connect_once(), name="asynccache-connect")
            attempt.add_done_callback(_retrieved)
        await asyncio.wait([attempt], timeout=max(0.0, due - monotonic()))
        if not attempt.done():
            raise TimeoutError("not connected in time")
        if attempt.cancelled():
            raise ConnectionAbortedError("the cache was closed meanwhile")
        attempt.result()

    async def _connect_once(self) -> None:
        if self._failed:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failed, 10))
            await asyncio.sleep(pause * random.uniform(0.5, 1))
        self._failed += 1
        async with asyncio.timeout(self._longest):
            wire = await self._connect()
        self._failed = 0
        self._wire, wire.has_room = wire, self._wake

    async def _room(self, due: float) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(max(0.0, due - monotonic())):
                await turn
        except TimeoutError:
            raise BusyError("too many commands were under way for too long") from None
        finally:
            if turn.done() and not turn.cancelled() and asyncio.current_task().cancelling():  # type: ignore[union-attr]
                self._wake()  # somebody else's turn

    def _is_awaited(self) -> bool:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return bool(self._waiting)

    def _wake(self) -> None:
        """Let some of those who wait go on; what they ask lets others go on in turn."""
        woken = 0
        while woken < _AT_ONCE and self._is_awaited():
            self._waiting.popleft().set_result(None)
            woken += 1


def _retrieved(attempt: asyncio.Task[None]) -> None:
    if not attempt.cancelled():
        attempt.exception()
