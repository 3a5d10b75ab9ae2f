"""The way of one loop to one server: a connection that is made when it is needed, and again when it was lost."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from asynccache.wire.connection import STALLED, Wire
from asynccache.wire.faults import BusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

W = TypeVar("W", bound=Wire)
Turn = asyncio.Future[Exception | None]
"""Of who waits: done when he may go on, with what went wrong, if anything did."""
_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.2
"""Seconds after an attempt to connect that failed, the first and the longest; each is shortened by chance."""
_SHORTEST_ATTEMPT = 0.3
_AT_ONCE = 256
_TURNS = 3
"""What a loop needs to close the socket of a transport that was aborted, TLS and all."""
_CLOSED = "the cache was closed meanwhile"


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
        self._deadline = deadline
        self._wire: W | None = None
        self._is_closed = False
        self._attempt: asyncio.Task[None] | None = None
        self._arriving: deque[Turn] = deque()
        self._failed = 0
        self._pause_ends_at = 0.0
        self._why = ""
        self._waiting: deque[Turn] = deque()

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
        while not self._is_closed:
            wire = self._wire
            if wire is None or not wire.is_open:
                await self._connected(due)
            elif wire.is_full or (self._is_awaited() and not has_waited):
                await self._room(wire, due)
                has_waited = True
            else:
                return wire
        raise ConnectionAbortedError(_CLOSED)

    def abort(self, kind: type[Exception], said: str) -> None:
        """Close the connection; all who wait for replies raise an exception of this kind, the next one connects."""
        if self._wire is not None:
            self._wire.lose(kind, said)

    def close(self) -> None:
        """Close for good."""
        self._is_closed = True
        if self._attempt is not None:
            self._attempt.cancel()
        self._arrived(ConnectionAbortedError(_CLOSED))
        self.abort(ConnectionAbortedError, _CLOSED)
        self._wake()

    async def aclose(self) -> None:
        """Close for good, and let the loop close the socket."""
        self.close()
        await closed()

    # Connecting

    async def _connected(self, due: float) -> None:
        if self._attempt is None:
            if monotonic() < self._pause_ends_at:
                raise BusyError(f"there was no connection a moment ago: {self._why}")
            self._attempt = asyncio.create_task(self._try(), name="asynccache-connect")
        failure = await self._turn(self._arriving, due, TimeoutError("not connected in time"))
        if failure is not None:
            raise failure.with_traceback(None)  # which is raised wherever somebody waits

    async def _try(self) -> None:
        outcome: Exception | None = ConnectionAbortedError(_CLOSED)
        try:
            async with asyncio.timeout(max(_SHORTEST_ATTEMPT, 2 * self._deadline)):
                self._wire = await self._connect()
            self._failed, outcome = 0, None
            if self._is_closed:
                self.close()
        except Exception as failure:  # noqa: BLE001  # it is raised where somebody waits
            outcome = failure
            self._pause(failure)
        finally:
            self._attempt = None
            self._arrived(outcome)

    def _arrived(self, outcome: Exception | None) -> None:
        arriving, self._arriving = self._arriving, deque()
        others = None if outcome is None else BusyError(f"no connection: {outcome}")  # since it failed once
        for turn in arriving:
            outcome = others if _end(turn, outcome) else outcome

    def _pause(self, failure: Exception) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self._failed, 10))
        self._failed += 1
        self._pause_ends_at = monotonic() + pause * random.uniform(0.5, 1)
        self._why = str(failure) or type(failure).__name__

    # Room

    async def _room(self, wire: W, due: float) -> None:
        if not wire.is_full:
            self._wake()  # whoever comes sees to it that nobody waits in vain
        wire.has_room = self._wake
        await self._turn(self._waiting, due, BusyError("too many commands were under way for too long"))

    def _is_awaited(self) -> bool:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        return bool(self._waiting)

    def _wake(self) -> None:
        """Let as many go on as there is room for; what they ask lets others go on in turn. All, where it was lost."""
        wire = self._wire
        is_open = wire is not None and wire.is_open
        left = min(wire.room, _AT_ONCE) if wire is not None and is_open else len(self._waiting)
        while left and self._is_awaited():
            _end(self._waiting.popleft(), None)
            left -= 1
        if wire is not None and not self._is_awaited():
            wire.has_room = None

    async def _turn(self, queue: deque[Turn], due: float, late: Exception) -> Exception | None:
        """Wait in a queue, and give what one's turn came with; raise this when it did not come in time."""
        loop = asyncio.get_running_loop()
        turn: Turn = loop.create_future()
        queue.append(turn)
        over_at = max(due, monotonic())
        timer = loop.call_later(over_at - monotonic(), self._over, turn, over_at, late)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it has come, and is somebody else's
                self._wake()
            raise
        finally:
            timer.cancel()

    def _over(self, turn: Turn, over_at: float, late: Exception) -> None:
        """Fail who waits; where the loop was blocked, not before he has had that time once more."""
        by = monotonic() - over_at
        if by > STALLED and not turn.done():
            turn.get_loop().call_later(min(by, self._deadline), self._fail, turn, late)
        else:
            self._fail(turn, late)

    @staticmethod
    def _fail(turn: Turn, late: Exception) -> None:
        if not turn.done():
            turn.set_exception(late)


async def closed() -> None:
    """Wait until the loop has closed the sockets of what was aborted."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _end(turn: Turn, outcome: Exception | None) -> bool:
    """Let somebody go on, if he still waits."""
    if turn.done():
        return False
    turn.set_result(outcome)
    return True
