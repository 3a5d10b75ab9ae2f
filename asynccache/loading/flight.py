"""A flight: one load under way, and those who wait for it, each in their own way.

A waiter on a loop has a future of its own, a waiter in a thread a lock of its own, so that one that is cancelled
disturbs nobody. A flight is settled once, from any thread, and leaves the table of flights in the same moment; one
whose loop has died is settled by whoever notices.
"""

from __future__ import annotations

import threading
from asyncio import AbstractEventLoop
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.core.fence import is_shared
from asynccache.loading.crowds import ThreadWaiter, finish, tell_all
from asynccache.loading.loops import loop_of, native_loop, required_loop
from asynccache.loading.outcomes import GONE, Landed
from asynccache.loading.threads import blocked

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from asynccache.core.claims import Ticket
    from asynccache.loading.crowds import Told
    from asynccache.loading.flights import Flights

_UNSETTLED = object()
_NOWHERE = 0
LOOK_SECONDS = 1.0
"""How often those who wait for another loop or thread look whether it still lives."""


class Flight:
    """One load under way; whoever was told that it leads must settle it, whatever happens.

    `number` grows with each flight. `asked` counts the questions to the store that this load has sent, so that whoever
    joins knows which answers are to a question that was asked before. `ticket` is its right to load.
    """

    __slots__ = (
        "_abandon",
        "_flights",
        "_home",
        "_outcome",
        "_waiters",
        "asked",
        "awaited_by",
        "displaced",
        "doomed",
        "is_storing",
        "key",
        "number",
        "renews",
        "thread",
        "ticket",
        "waits_for",
    )

    def __init__(self, flights: Flights, key: Hashable, number: int) -> None:
        self.key = key
        self.number = number
        self.asked = 0
        self.ticket: Ticket | None = None
        self.displaced: Flight | None = None
        self.doomed = False
        self.is_storing = False
        self.renews = False
        self.thread = threading.get_ident()
        self.waits_for: list[Flight] = []
        self.awaited_by: list[Flight] = []
        self._home = native_loop()
        self._flights = flights
        self._waiters: dict[Told, AbstractEventLoop | None] = {}
        self._outcome: Any = _UNSETTLED
        self._abandon: Callable[[], object] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it has ended."""
        return self._outcome is not _UNSETTLED

    def settle(self, outcome: Any) -> None:
        """Tell all waiters; a second call changes nothing."""
        with self._flights.lock:
            if self._outcome is not _UNSETTLED:
                return
            self._outcome = outcome
            self._flights.settled += 1
            self._flights.forget(self)
            if self in self._flights.leaving:
                self._flights.leaving.remove(self)
            waiters, self._waiters = self._waiters, {}
        if waiters:
            tell_all(waiters)

    def break_off(self, outcome: Any) -> None:
        """Settle it without a value, and keep what is still loading from being stored."""
        self.doomed = True
        self.settle(outcome)

    def when_abandoned(self, abandon: Callable[[], object]) -> None:
        """Call this, in whatever thread, when the last waiter goes away before the value is there."""
        with self._flights.lock:
            if not self.is_storing:
                self._abandon = abandon

    def doom_if_alone(self) -> None:
        """Keep it from being stored, unless somebody waits for it or that goes on already."""
        with self._flights.lock:
            if not self._waiters and not self.is_storing:
                self._flights.doom(self)

    def see_through(self) -> None:
        """Let it go on even when nobody waits any more."""
        with self._flights.lock:
            self._abandon = None

    def leave_for_a_thread(self) -> None:
        """Note that it is not run where it was begun, but in a thread of its own, which says so when it begins."""
        self._home = None
        self.thread = _NOWHERE

    def begin_storing(self) -> bool:
        """Tell whether what was loaded may be stored; from now on it is seen through, even without waiters."""
        with self._flights.lock:
            self._abandon = None
            self.is_storing = not self.doomed
            return self.is_storing

    def suits(self, outcome: Any, arrived: int, asked: int) -> bool:
        """Tell whether a caller may take what this flight ended in.

        A value may be older than an invalidation that was over before the call began, unless the load was begun after
        that (`arrived` is the number of the last flight then), or the store confirmed it later than the caller joined
        (when so many questions had been `asked`).
        """
        return not isinstance(outcome, Landed) or is_shared(self.number, arrived, outcome.proof, asked)

    def ask(self) -> int:
        """Note that a question is about to be sent to the store, and give its number."""
        self.asked += 1
        return self.asked

    @property
    def is_stranded(self) -> bool:
        """Whether its loop is closed, or cannot run because another one, or none, runs in its thread: this one."""
        home = self._home
        if home is None or home is native_loop():
            return False
        loop = loop_of(home)
        return loop is None or loop.is_closed() or self.thread == threading.get_ident()

    async def wait(self, seconds: float = inf) -> Any:
        """Wait on the running loop for the outcome; `TimeoutError` after so many seconds, and the load goes on."""
        here, home = native_loop(), self._home
        if not isinstance(here, AbstractEventLoop) or (home is not here and home is not None):
            return await self._wait_and_look(seconds)
        told = here.create_future()
        if self._enter(told, here):
            timer = None if seconds == inf else here.call_later(seconds, finish, told)
            try:
                await told
            except BaseException:
                self._leave(told)
                raise
            finally:
                if timer is not None:
                    timer.cancel()
            if self._outcome is _UNSETTLED:
                self._lose_patience(told)
        return self._outcome

    async def _wait_and_look(self, seconds: float) -> Any:
        """Wait for what another loop does, and look from time to time whether it still lives."""
        loop = required_loop()
        waiter = loop.waiter()
        if not self._enter(waiter):
            return self._outcome
        look_seconds = inf if self._home in {None, native_loop()} else LOOK_SECONDS
        give_up_at = monotonic() + seconds
        try:
            while not await waiter.wait(min(look_seconds, give_up_at - monotonic())):
                self._rescue()
                if monotonic() >= give_up_at:
                    self._lose_patience(waiter)
                    break
            return self._outcome
        finally:
            self._leave(waiter)

    def wait_in_thread(self, seconds: float = inf) -> Any:
        """Block this thread until the outcome is there; `TimeoutError` after so many seconds, and the load goes on."""
        waiter = ThreadWaiter()
        if not self._enter(waiter):
            return self._outcome
        give_up_at = monotonic() + seconds
        try:
            with blocked():
                while not waiter.wait(min(LOOK_SECONDS, give_up_at - monotonic())):
                    self._rescue()
                    if monotonic() >= give_up_at:
                        self._lose_patience(waiter)
                        break
            return self._outcome
        finally:
            self._leave(waiter)

    def _rescue(self) -> None:
        if self.is_stranded:
            self.break_off(GONE)

    def _lose_patience(self, told: Told) -> None:
        """Leave a load that goes on: raise `TimeoutError`, unless it was settled in the very moment."""
        self.see_through()
        self._leave(told)
        if self._outcome is _UNSETTLED:
            raise TimeoutError

    def _enter(self, told: Told, loop: AbstractEventLoop | None = None) -> bool:
        with self._flights.lock:
            if self._outcome is not _UNSETTLED:
                return False
            self._waiters[told] = loop
            return True

    def _leave(self, told: Told) -> None:
        with self._flights.lock:
            if told not in self._waiters:
                return
            del self._waiters[told]
            abandon = None if self._waiters else self._abandon
            if abandon is None:
                return
            self.doomed = True
            self._flights.forget(self)
        abandon()
