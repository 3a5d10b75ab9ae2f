"""A Redis server as the backend sees it: `ask`, in both flavours.

Few connections, for which callers wait in turn, so that a thousand of them are never "too many"; one deadline, waiting
and connecting included; no retries. A connection whose exchange ended in any exception, a cancellation included, is
dropped: no reply ever waits for the wrong caller. Connections to a loop belong to that loop. Whoever waited for a
connection for more than half of its time and was then too late says nothing about the server.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.outage import BusyError, in_time
from asynccache.backends.redis_connections import BlockingLine, LoopLine, arguments_of
from asynccache.backends.redis_questions import checked
from asynccache.errors import BackendUnavailableError
from asynccache.plan.clients import LoopClients
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asynccache.backends.outage import Due, OutageGuard
    from asynccache.backends.redis_peer import ServerClock
    from asynccache.backends.redis_questions import Question
    from asynccache.backends.servers import Server
    from asynccache.plan.io import IO

_TURNS = 3
"""What a loop needs to close the socket of a transport that was aborted, TLS and all."""


class RedisNode:
    """One server and all connections to it, to be asked from any thread and any loop.

    Args:
        server: where it is.
        guard: its deadline, its breaker, its errors.
        pool_size: how many connections each loop may have, and all threads together.
        options: for redis-py's connections.
        clock: is told the server's time.
    """

    def __init__(
        self, server: Server, guard: OutageGuard, pool_size: int, options: Mapping[str, Any], clock: ServerClock
    ) -> None:
        arguments = arguments_of(server, options)
        self.server = server
        self.guard = guard
        self._blocking = _BlockingLines(lambda: BlockingLine(server.scheme, arguments, clock), pool_size)
        self._loops = LoopClients(
            lambda: _LoopLines(lambda: LoopLine(server.scheme, arguments, clock), pool_size), _LoopLines.aclose
        )

    async def ask(self, io: IO, tried: str, *questions: Question, due: Due | None = None) -> list[Any]:
        """Ask these questions in one go and give the replies, each of the shape that its question allows.

        Give `due` where the operation has begun elsewhere. Raises `BackendUnavailableError`.
        """
        replies: list[Any] = await io.twin(self._ask_blocking, self._ask_on_loop, tried, questions, due)
        return replies

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
        lines = self._loops.current()
        try:
            with self.guard.attempt(tried, due) as until:
                return await lines.exchange(questions, until, self.guard.deadline / 2)
        except BackendUnavailableError:
            if self.guard.is_down:
                await lines.drop()
            raise

    async def _drop_on_loop(self) -> None:
        await self._loops.current().drop()

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
        try:
            replies = line.signed(questions, checked(questions, line.exchange(questions, due)))
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


class _LoopLines:
    """The connections of one loop."""

    def __init__(self, make: Callable[[], LoopLine], size: int) -> None:
        self._make = make
        self._size = size
        self._free = asyncio.Semaphore(size)
        self._idle: list[LoopLine] = []
        self._used: set[LoopLine] = set()
        self._epoch = 0

    async def exchange(self, questions: Sequence[Question], due: Due, fair: float) -> list[Any]:
        """Ask; a server that has had less than so many `fair` seconds is not to blame for being late."""
        in_good_time = False
        try:
            async with in_time(due.at - monotonic()), self._free:
                in_good_time = due.at - monotonic() >= fair
                return await self._exchange(questions, due)
        except TimeoutError:
            if in_good_time:
                raise
            raise BusyError(f"all {self._size} connections were busy for too long") from None

    async def drop(self) -> None:
        """Close those that are idle now, and the others when they have their replies."""
        self._epoch += 1
        while self._idle:
            await self._idle.pop().drop()

    async def aclose(self) -> None:
        """Close all at once."""
        await self.drop()
        for line in list(self._used):
            await line.drop()
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    async def _exchange(self, questions: Sequence[Question], due: Due) -> list[Any]:
        epoch, line = self._epoch, await self._fit_line()
        self._used.add(line)
        try:
            replies = line.signed(questions, checked(questions, await line.exchange(questions, due)))
        except BaseException:
            await line.drop()
            raise
        finally:
            self._used.discard(line)
        if epoch == self._epoch:
            self._idle.append(line)
        else:
            await line.drop()
        return replies

    async def _fit_line(self) -> LoopLine:
        while self._idle:
            line = self._idle.pop()
            if await line.is_fit():
                return line
            await line.drop()
        return self._make()
