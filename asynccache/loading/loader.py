"""Read-through: find the value, or load it once however many ask.

A load on a loop runs in a task that the loader owns, so that a caller who is cancelled disturbs nobody; the last one to
leave cancels it. A load off a loop runs in the thread of the caller that leads, or, where callers wait for a limited
time only, in one that the loader owns. Callers of all kinds wait for each other. What is renewed behind the back of its
readers runs in a task or thread of the loader's, and nobody's leaving ends it.

The twins are written out, since whatever a factory raises goes out as it is: no plan lets a `StopIteration` through.
"""

from __future__ import annotations

from contextlib import suppress
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from asynccache.core.policy import SERVED, CachePolicy, Verdict
from asynccache.errors import CacheTimeoutError
from asynccache.loading.circles import waiting, within
from asynccache.loading.load import awaited, check_factory, is_plain_function, plain
from asynccache.loading.loops import required_loop
from asynccache.loading.outcomes import Failed, Gone
from asynccache.loading.rights import Run
from asynccache.loading.running import Runner
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from asynccache.core.entry import Entry
    from asynccache.loading.flights import Flights
    from asynccache.loading.load import Load
    from asynccache.loading.outcomes import Outcome


class Loader:
    """Answers read-throughs.

    Args:
        flights: the loads under way; whoever invalidates a key detaches its flight there.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights
        self.runner = Runner(flights)

    def get(self, load: Load, *, is_absent: bool = False) -> Any:
        """Return the value, loading it in this thread or waiting for whoever does.

        One that `is_absent` was looked for a moment ago, in a store whose `claim` finds what has come since.
        """
        _check_plain(load)
        policy = load.terms
        patience = _Patience(load.key, policy, monotonic()) if policy.is_timed else _ENDLESS
        arrived = self._flights.begun
        while True:
            settled = self._flights.settled
            entry, verdict = _NOTHING if is_absent else run(self.runner.look(BLOCKING, load, policy))
            is_absent = False
            if entry is not None and verdict in SERVED:
                if verdict is Verdict.DUE:
                    self._renew_behind(load, entry, settled, on_loop=False)
                return entry.value
            stand_in = entry if verdict is Verdict.STALE else None
            if (failed := self.runner.failures.pausing(load, has_value=stand_in is not None)) is not None:
                return _instead(failed, stand_in, leads=False)
            flight, leads = self._flights.join(load.flight_key)
            asked = flight.asked
            if leads:
                wanted = Run(load, entry, look_again=self._flights.settled != settled)
                if not policy.is_timed:
                    return _instead(self.runner.lead(flight, wanted), stand_in, leads=True)
                self.runner.start(flight, wanted)
            stuck = (*within.get(), *self._flights.led_here())
            with waiting(self._flights, stuck, flight) as ends:
                if not ends:
                    return plain(load.factory())
                try:
                    outcome = flight.wait_in_thread(patience.left(stand_in))
                except TimeoutError:
                    return patience.lost(stand_in)
            if leads or (not isinstance(outcome, Gone) and flight.suits(outcome, arrived, asked)):
                return _instead(outcome, stand_in, leads=leads)

    async def get_async(self, load: Load, *, is_absent: bool = False) -> Any:
        """Return the value, loading it in a task of its own or waiting for whoever does; otherwise as `get`."""
        check_factory(load.factory)
        policy = load.terms
        patience = _Patience(load.key, policy, monotonic()) if policy.is_timed else _ENDLESS
        arrived = self._flights.begun
        while True:
            settled = self._flights.settled
            entry, verdict = _NOTHING if is_absent else await self.runner.look(LOOP, load, policy)
            is_absent = False
            if entry is not None and verdict in SERVED:
                if verdict is Verdict.DUE:
                    self._renew_behind(load, entry, settled, on_loop=True)
                return entry.value
            stand_in = entry if verdict is Verdict.STALE else None
            if (failed := self.runner.failures.pausing(load, has_value=stand_in is not None)) is not None:
                return _instead(failed, stand_in, leads=False)
            flight, leads = self._flights.join(load.flight_key)
            asked = flight.asked
            if leads:
                self.runner.launch(flight, Run(load, entry, look_again=self._flights.settled != settled))
            with waiting(self._flights, within.get(), flight) as ends:
                if not ends:
                    return await awaited(load.factory())
                try:
                    outcome = await flight.wait(patience.left(stand_in))
                except TimeoutError:
                    return patience.lost(stand_in)
            if leads or (isinstance(outcome, Gone) and outcome.closed_on == required_loop()):
                return _instead(outcome, stand_in, leads=True)
            if not isinstance(outcome, Gone) and flight.suits(outcome, arrived, asked):
                return _instead(outcome, stand_in, leads=False)

    def renew(self, load: Load) -> Any:
        """Load and store anew, and return the value; what was loading before is not stored.

        A renewal that is under way is waited for, since it may have missed what this caller knows; the next one is then
        shared by all who waited.
        """
        _check_plain(load)
        has_waited = False
        while True:
            flight, leads = self._flights.renew(load.flight_key)
            if leads:
                return self.runner.lead(flight, Run(load)).for_leader()
            stuck = (*within.get(), *self._flights.led_here())
            with waiting(self._flights, stuck, flight) as ends:
                if not ends:
                    return plain(load.factory())
                outcome = flight.wait_in_thread()
            if has_waited and not isinstance(outcome, Gone):
                return outcome.for_follower()
            has_waited = True

    async def renew_async(self, load: Load) -> Any:
        """Load and store anew, and return the value; as `renew` otherwise."""
        check_factory(load.factory)
        has_waited = False
        while True:
            flight, leads = self._flights.renew(load.flight_key)
            if leads:
                self.runner.launch(flight, Run(load))
            with waiting(self._flights, within.get(), flight) as ends:
                if not ends:
                    return await awaited(load.factory())
                outcome = await flight.wait()
            if leads or (isinstance(outcome, Gone) and outcome.closed_on == required_loop()):
                return outcome.for_leader()
            if has_waited and not isinstance(outcome, Gone):
                return outcome.for_follower()
            has_waited = True

    def close(self) -> None:
        """Keep what is loading in threads of the loader from being stored, and wait a second for it at most."""
        self.runner.close()

    async def aclose(self) -> None:
        """Cancel the loads that run on this loop, and the callers on it that wait for them; threads as in `close`."""
        await self.runner.aclose()

    def _renew_behind(self, load: Load, entry: Entry, settled: int, *, on_loop: bool) -> None:
        """Begin to renew what is due, unless that goes on already, or failed a moment ago."""
        if self.runner.failures.pausing(load, has_value=True) is not None:
            return
        flight, leads = self._flights.join(load.flight_key)
        if not leads:
            return
        wanted = Run(load, entry, look_again=self._flights.settled != settled, behind=True)
        if on_loop:
            self.runner.launch(flight, wanted)
            return
        with suppress(RuntimeError):  # no more threads, or no more at all: the process ends
            self.runner.start(flight, wanted)


_NOTHING: tuple[Entry | None, Verdict] = None, Verdict.DEAD


class _Patience(Struct, frozen=True):
    """How long a caller waits, counted from the beginning of the call."""

    key: str
    policy: CachePolicy
    began: float

    def left(self, stand_in: Entry | None) -> float:
        """Give the seconds for which to wait from now on."""
        if self is _ENDLESS:
            return inf
        policy = self.policy
        longest = inf if policy.hard_timeout is None else policy.hard_timeout
        if stand_in is not None and policy.soft_timeout is not None:
            longest = policy.soft_timeout
        return max(0.0, self.began + longest - monotonic())

    def lost(self, stand_in: Entry | None) -> Any:
        """Give what stands in, or raise."""
        if stand_in is not None:
            return stand_in.value
        raise CacheTimeoutError(f"loading {self.key!r:.80} took more than {self.policy.hard_timeout} seconds")


_ENDLESS = _Patience("", CachePolicy(), 0.0)


def _instead(outcome: Outcome, stand_in: Entry | None, *, leads: bool) -> Any:
    """Give or raise what a load ended in; in place of an error, what stands in."""
    if stand_in is not None and isinstance(outcome, Failed):
        return stand_in.value
    return outcome.for_leader() if leads or isinstance(outcome, Gone) else outcome.for_follower()


def _check_plain(load: Load) -> None:
    check_factory(load.factory)
    if not is_plain_function(load.factory):
        raise TypeError(f"{load.factory!r} is asynchronous: use get_or_set_async")
