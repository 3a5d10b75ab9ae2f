"""A Redis server as the backend sees it: `ask`, in both flavours.

On a loop all callers share one connection: what they ask goes out together, and nobody waits for another's reply.
Threads share a few connections, for which they wait in turn, so that a thousand of them are never "too many". One
deadline, waiting and connecting included; no retries. Who is cancelled or too late is never answered, and nobody else
gets that reply. Whoever came late because of others says nothing about the server.
"""

from __future__ import annotations

import threading
from asyncio import _get_running_loop  # quicker than what raises where there is none
from collections import deque
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.redis_connections import BlockingLine, SharedLine, arguments_of, connected
from asynccache.backends.redis_lanes import LoopLanes
from asynccache.backends.redis_questions import checked, told_apart
from asynccache.errors import BackendUnavailableError
from asynccache.plan.clients import LoopClients
from asynccache.plan.forks import anew_in_child
from asynccache.wire.faults import BusyError
from asynccache.wire.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asynccache.backends.outage import Due, OutageGuard
    from asynccache.backends.redis_peer import ServerClock
    from asynccache.backends.redis_questions import Question
    from asynccache.backends.servers import Server
    from asynccache.plan.io import IO


class RedisNode:
    """One server and all connections to it, to be asked from any thread and any loop.

    Args:
        server: where it is.
        guard: its deadline, its breaker, its errors.
        pool_size: how many connections all threads together may have.
        options: for redis-py's connections.
        clock: is told the server's time.
    """

    _last: tuple[object, SharedLine | None]
    """The line that was given last, and its loop."""

    def __init__(
        self, server: Server, guard: OutageGuard, pool_size: int, options: Mapping[str, Any], clock: ServerClock
    ) -> None:
        arguments = arguments_of(server, options)
        self.server = server
        self.guard = guard
        self._blocking = _BlockingLines(lambda: BlockingLine(server.scheme, arguments, clock), pool_size)
        self.begin_anew()
        anew_in_child(self)
        connect = partial(connected, server.scheme, arguments, clock, guard.deadline)
        self._loops = LoopClients(lambda: LoopLanes(lambda: Lane(connect, guard.deadline)), LoopLanes.aclose)

    async def ask(self, io: IO, tried: str, *questions: Question, due: Due | None = None) -> list[Any]:
        """Ask these questions in one go and give the replies, each of the shape that its question allows.

        Give `due` where the operation has begun elsewhere. Raises `BackendUnavailableError`.
        """
        replies: list[Any] = await io.twin(self._ask_blocking, self._ask_on_loop, tried, questions, due)
        return replies

    def open_line(self) -> SharedLine | None:
        """Give the running loop's connection, where the server is known to be up and nobody waits for his turn."""
        breaker = self.guard.breaker
        if breaker.failures or breaker.opened_at is not None:
            return None
        loop, line = self._last
        if loop is not _get_running_loop() or line is None or not line.is_open or line.has_room or line.is_full:
            line = self._loops.current().open_line
            self._last = _get_running_loop(), line
        return line

    def begin_anew(self) -> None:
        """Leave the connection to the parent, in a forked child."""
        self._last = None, None

    def lost(self, tried: str, failure: Exception) -> BackendUnavailableError:
        """Give the error of what this ended on an open line; what is none of the server's is raised."""
        error = self.guard.lost(tried, failure)
        if self.guard.is_down:
            self._loops.current().drop_waiting()
        return error

    async def distrust(self, io: IO) -> None:
        """Use none of this flavour's connections for anything new."""
        await io.twin(self._blocking.drop, self._drop_on_loop)

    async def shut(self, io: IO) -> None:
        """Close all connections, those of other loops too."""
        await io.twin(self._shut_blocking, self._shut_on_loop)

    def retire(self) -> None:
        """Close all connections soon, without waiting for it; it is not to be asked any more."""
        self._blocking.drop()
        self._loops.close(patience=0)

    def _ask_blocking(self, tried: str, questions: Sequence[Question], due: Due | None) -> list[Any]:
        try:
            with self.guard.attempt(tried, due) as until:
                return self._blocking.exchange(questions, until, self.guard.deadline / 2)
        except BackendUnavailableError:
            if self.guard.is_down:
                self._blocking.drop()
            raise

    async def _ask_on_loop(self, tried: str, questions: Sequence[Question], due: Due | None) -> list[Any]:
        lanes = self._loops.current()
        try:
            with self.guard.attempt(tried, due) as until:
                return await lanes.exchange(questions, until)
        except BackendUnavailableError as error:
            if self.guard.is_down and error.__cause__ is not None:  # not of those who were not even let through
                lanes.drop_waiting()
            raise

    async def _drop_on_loop(self) -> None:
        self._loops.current().drop()

    def _shut_blocking(self) -> None:
        self._blocking.drop()
        self._loops.close()

    async def _shut_on_loop(self) -> None:
        self._blocking.drop()
        await self._loops.aclose()


class _BlockingLines:
    """The connections that threads share."""

    def __init__(self, make: Callable[[], BlockingLine], size: int) -> None:
        self._make = make
        self._size = size
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave sockets and locks to the parent, in a forked child."""
        self._free = threading.Semaphore(self._size)
        self._idle: deque[BlockingLine] = deque()
        self._epoch = 0

    def exchange(self, questions: Sequence[Question], due: Due, fair: float) -> list[Any]:
        """Ask; a server that has had less than so many `fair` seconds is not to blame for being late."""
        if not self._free.acquire(timeout=max(0.0, due.at - monotonic())):
            raise BusyError(self._busy())
        in_good_time = due.at - monotonic() >= fair
        try:
            return self._exchange(questions, due)
        except TimeoutError:
            if in_good_time:
                raise
            raise BusyError(self._busy()) from None
        finally:
            self._free.release()

    def _exchange(self, questions: Sequence[Question], due: Due) -> list[Any]:
        epoch, line = self._epoch, self._fit_line(due)
        asked = told_apart(questions)
        try:
            replies = line.signed(questions, checked(asked, line.exchange(asked, due)))
        except BaseException:
            line.drop()
            raise
        if epoch == self._epoch:
            self._idle.append(line)
        else:
            line.drop()
        return replies

    def _busy(self) -> str:
        return f"all {self._size} connections were busy for too long"

    def drop(self) -> None:
        """Close those that are idle now, and the others when they have their replies."""
        self._epoch += 1
        while self._idle:
            try:
                line = self._idle.pop()
            except IndexError:
                return
            line.drop()

    def _fit_line(self, due: Due) -> BlockingLine:
        while self._idle:
            try:
                line = self._idle.pop()
            except IndexError:
                break
            if line.is_fit(due):
                return line
            line.drop()
        return self._make()
