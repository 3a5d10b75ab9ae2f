"""Flights: one load per key under way, and those who wait for it, each in their own way.

A waiter on a loop has a future of its own, a waiter in a thread an event of its own, so that one that is cancelled
disturbs nobody. A flight is settled once, from any thread, and leaves the table in the same moment.
"""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import Future as ThreadFuture
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_UNSETTLED = object()


class Flight:
    """One load under way; whoever was told that it leads must settle it, whatever happens."""

    __slots__ = ("_abandoned", "_flights", "_joined", "_outcome", "_waiters", "doomed", "key", "thread")

    def __init__(self, flights: Flights, key: Hashable) -> None:
        self.key = key
        self.doomed = False
        self.thread = threading.get_ident()
        self._flights = flights
        self._waiters: list[Callable[[Any], None]] = []
        self._joined = 0
        self._outcome: Any = _UNSETTLED
        self._abandoned: Callable[[], object] | None = None

    def settle(self, outcome: Any) -> None:
        """Tell all waiters; a second call changes nothing."""
        with self._flights.lock:
            if self._outcome is not _UNSETTLED:
                return
            self._outcome = outcome
            self._flights.settled += 1
            self._flights.forget(self)
            waiters, self._waiters = self._waiters, []
        for tell in waiters:
            tell(outcome)

    def when_abandoned(self, action: Callable[[], object]) -> None:
        """Call this when the last waiter has gone away before the flight was settled."""
        self._abandoned = action

    async def wait(self) -> Any:
        """Wait on the running loop for the outcome."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        here = threading.get_ident()

        def tell(outcome: Any) -> None:
            with suppress(RuntimeError):  # a loop that was closed has nobody left to tell
                if threading.get_ident() == here:
                    _finish(future, outcome)
                else:
                    loop.call_soon_threadsafe(_finish, future, outcome)

        if not self._enter(tell):
            return self._outcome
        try:
            return await future
        finally:
            self._leave(tell)

    def wait_in_thread(self) -> Any:
        """Block this thread until the outcome is there."""
        future: ThreadFuture[Any] = ThreadFuture()
        if not self._enter(future.set_result):
            return self._outcome
        try:
            return future.result()
        finally:
            self._leave(future.set_result)

    def _enter(self, tell: Callable[[Any], None]) -> bool:
        with self._flights.lock:
            if self._outcome is not _UNSETTLED:
                return False
            self._waiters.append(tell)
            self._joined += 1
            return True

    def _leave(self, tell: Callable[[Any], None]) -> None:
        with self._flights.lock:
            self._joined -= 1
            if self._outcome is not _UNSETTLED:
                return
            self._waiters.remove(tell)
            deserted = not self._joined
            if deserted:
                self._flights.forget(self)
        if deserted and self._abandoned is not None:
            self._abandoned()


def _finish(future: asyncio.Future[Any], outcome: Any) -> None:
    if not future.done():
        future.set_result(outcome)


class Flights:
    """The loads that are under way in this process, by key; `settled` counts those that were.

    A forked child starts with none.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.settled = 0
        self._under_way: dict[Hashable, Flight] = {}
        _everyone.add(self)

    def __len__(self) -> int:
        return len(self._under_way)

    def join(self, key: Hashable) -> tuple[Flight, bool]:
        """Give the flight of this key, and whether the caller leads it."""
        with self.lock:
            flight = self._under_way.get(key)
            if flight is not None:
                return flight, False
            flight = self._under_way[key] = Flight(self, key)
            return flight, True

    def detach(self, key: Hashable) -> None:
        """Keep what this flight loads from being stored and let later callers start afresh: its key has changed."""
        if key in self._under_way:
            with self.lock:
                flight = self._under_way.pop(key, None)
                if flight is not None:
                    flight.doomed = True

    def forget(self, flight: Flight) -> None:
        """Take a flight off the table, if it is still there."""
        if self._under_way.get(flight.key) is flight:
            del self._under_way[flight.key]


_everyone: WeakSet[Flights] = WeakSet()


def _afresh() -> None:
    for flights in list(_everyone):
        flights.__init__()  # type: ignore[misc]  # locks and waiters of the parent are of no use to its child


os.register_at_fork(after_in_child=_afresh)
