"""Connections of one loop, for which callers wait in turn: few, so that a thousand callers are never "too many".

An exchange runs in a task of its own. A caller who is cancelled meanwhile leaves it: the reply is read and dropped and
the connection stays in use, since opening one costs a database server a process. What takes longer than the deadline,
or raises, ends the connection; so does a loop that ends before an exchange has begun.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from asynccache.backends.outage import in_time
from asynccache.wire.faults import BusyError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_TURNS = 3
"""What a loop needs to close the socket of a transport that was aborted."""
_INSIST = 0.05
"""Seconds after which an exchange that was given up is told so again: drivers have swallowed a cancellation."""


class Line(Protocol):
    """One connection, made when it is first used."""

    def is_fit(self) -> bool:
        """Tell whether it is open, and nothing that nobody asked for is waiting in it."""

    def abort(self) -> bool:
        """Let the exchange under way see the end of the connection; tell whether there was one already."""

    def drop(self) -> None:
        """Close at once."""

    async def end(self) -> None:
        """Close with due words to the server."""


L = TypeVar("L", bound=Line)
T = TypeVar("T")


class LoopLines(Generic[L]):
    """The connections of one loop to one server.

    Args:
        make: gives a new line.
        size: how many there may be.
    """

    def __init__(self, make: Callable[[], L], size: int) -> None:
        self._make = make
        self._size = size
        self._free = asyncio.Semaphore(size)
        self._idle: list[L] = []
        self._exchanges: dict[asyncio.Task[Any], tuple[L, int]] = {}
        self._epoch = 0
        self._closed = False

    async def use(self, work: Callable[[L], Awaitable[T]], seconds: float) -> T:
        """Do something with a connection; all of it, waiting included, has to be over after so many seconds.

        Raises `BusyError` where it was not the server that took too long.
        """
        began = monotonic()
        try:
            async with in_time(seconds):
                await self._free.acquire()
        except TimeoutError:
            raise self._busy() from None
        if self._closed:  # what it opened would be nobody's
            self._free.release()
            raise _closed_meanwhile()
        left = seconds - (monotonic() - began)
        try:
            return await self._result(self._begun(work), left)
        except TimeoutError:
            if left > seconds / 2:
                raise
            raise self._busy() from None

    def drop(self) -> None:
        """Close those that are idle now, and the others when they have their replies."""
        self._epoch += 1
        while self._idle:
            self._idle.pop().drop()

    async def aclose(self, seconds: float) -> None:
        """Close all for good, and give the server so many seconds to hear of it; those who wait are refused."""
        self._closed = True
        under_way, idle = list(self._exchanges), self._idle
        self._idle = []
        for exchange in under_way:
            self._give_up(exchange)
        try:
            if under_way:
                await asyncio.wait(under_way, timeout=seconds)
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds / 2):
                    await asyncio.gather(*[line.end() for line in idle], return_exceptions=True)
        finally:  # who closes may be cancelled, too
            for line in idle:
                line.drop()
        for _ in range(_TURNS):
            await asyncio.sleep(0)

    def _begun(self, work: Callable[[L], Awaitable[T]]) -> asyncio.Task[T]:
        line = self._fit_line()
        exchange = asyncio.create_task(_exchange(work, line))
        self._exchanges[exchange] = line, self._epoch
        exchange.add_done_callback(self._over)
        return exchange

    async def _result(self, exchange: asyncio.Task[T], seconds: float) -> T:
        try:
            async with in_time(seconds):
                await asyncio.wait([exchange])
        except TimeoutError:
            self._give_up(exchange)
            raise
        except asyncio.CancelledError:
            asyncio.get_running_loop().call_later(seconds, self._give_up, exchange)
            raise
        if exchange.cancelled() or (self._closed and exchange.exception() is not None):
            raise _closed_meanwhile()
        return exchange.result()

    def _give_up(self, exchange: asyncio.Task[Any], *, again: bool = False) -> None:
        if exchange not in self._exchanges:
            return
        line, _ = self._exchanges[exchange]
        if again or not line.abort():
            exchange.cancel()
        asyncio.get_running_loop().call_later(_INSIST, lambda: self._give_up(exchange, again=True))

    def _over(self, exchange: asyncio.Task[Any]) -> None:
        """Keep its connection, or close it: here and not in the exchange, which may be cancelled before it begins."""
        line, epoch = self._exchanges.pop(exchange)
        self._free.release()
        failed = exchange.cancelled() or exchange.exception() is not None  # asked for, since its caller may have gone
        if failed or self._closed or epoch != self._epoch:
            line.drop()
        else:
            self._idle.append(line)

    def _fit_line(self) -> L:
        while self._idle:
            line = self._idle.pop()
            if line.is_fit():
                return line
            line.drop()
        return self._make()

    def _busy(self) -> BusyError:
        return BusyError(f"all {self._size} connections were busy for too long")


async def _exchange(work: Callable[[L], Awaitable[T]], line: L) -> T:
    return await work(line)


def _closed_meanwhile() -> BusyError:
    return BusyError("the cache was closed meanwhile")
