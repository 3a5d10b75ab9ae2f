"""How a load is run: in the caller's thread, in a task of its own, or in a thread of its own; and what it does."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any

from asynccache.core.events import Hit, Miss
from asynccache.core.lifetime import seconds
from asynccache.core.policy import Verdict, judge, lifetime
from asynccache.core.tags import tagged
from asynccache.errors import CacheError
from asynccache.loading.circles import inside
from asynccache.loading.current import CurrentLoad, running_for
from asynccache.loading.failures import Failures
from asynccache.loading.load import awaited, plain
from asynccache.loading.loops import required_loop
from asynccache.loading.outcomes import GONE, Failed, Gone, Landed
from asynccache.loading.rights import Rights
from asynccache.loading.threads import LoadThreads
from asynccache.model import Capability
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from asynccache.core.entry import Entry
    from asynccache.core.policy import CachePolicy
    from asynccache.loading.flight import Flight
    from asynccache.loading.flights import Flights
    from asynccache.loading.load import Load
    from asynccache.loading.loops import Launched
    from asynccache.loading.outcomes import Outcome
    from asynccache.loading.rights import Right, Run
    from asynccache.plan.io import IO

CLOSE_SECONDS = 1.0
"""How long closing waits for loads in threads, which nothing can cancel."""


class Runner:
    """Runs loads, and owns their tasks and threads."""

    def __init__(self, flights: Flights) -> None:
        self.failures = Failures()
        self.rights = Rights(self.look)
        self._flights = flights
        self._launched: dict[Launched, Flight] = {}
        self._threads = LoadThreads()

    @property
    def running(self) -> int:
        """The number of loads that run in tasks and threads of the loader's."""
        return len(self._launched) + len(self._threads.owners)

    async def look(self, io: IO, load: Load, policy: CachePolicy) -> tuple[Entry | None, Verdict]:
        """Find what is stored and what it is good for; a store that fails is a miss."""
        backend, keeps_times = load.backend, policy.keeps_times
        try:
            entry = await (backend.look if keeps_times else backend.read)(io, load.key, load.version)
        except Exception as error:  # noqa: BLE001  # a store never fails a read-through: this is a miss
            entry = None
            load.note(error)
        if backend.is_heard:
            lives = entry is not None and (not keeps_times or entry.times.fresh_until > backend.clock())
            backend.tell((Hit if lives else Miss)(backend.name, load.key))
        if not keeps_times:
            return entry, Verdict.DEAD if entry is None else Verdict.FRESH
        return entry, judge(entry, policy, backend.clock())

    def lead(self, flight: Flight, wanted: Run) -> Outcome:
        """Load in this thread."""
        outcome: Outcome = GONE
        try:
            with inside(flight, alone=wanted.behind):
                outcome = run(self._outcome(BLOCKING, flight, wanted))
        except BaseException as error:
            outcome = Gone(error)
            raise
        finally:
            flight.settle(outcome)
        return outcome

    def start(self, flight: Flight, wanted: Run) -> None:
        """Load in a thread of its own."""
        context = copy_context()

        def work() -> None:
            with suppress(BaseException):  # SystemExit and the like are for the caller who waits
                context.run(self.lead, flight, wanted)

        self.own_in_thread(flight, work)

    def own_in_thread(self, flight: Flight, work: Callable[[], object]) -> None:
        """Run this in a thread of its own, for which closing waits; it settles the flight, and raises nothing."""
        flight.leave_for_a_thread()

        def begin() -> None:
            flight.thread = get_ident()
            work()

        self._threads.start(flight, begin, partial(flight.break_off, _CLOSED))

    def launch(self, flight: Flight, wanted: Run) -> None:
        """Load in a task of its own on this loop."""
        with inside(flight, alone=wanted.behind):
            launched = self.own(flight, self._outcome(LOOP, flight, wanted), f"asynccache load {wanted.load.key!r:.80}")
        if not wanted.behind:
            flight.when_abandoned(launched.cancel)

    def own(self, flight: Flight, running: Coroutine[Any, Any, Outcome], name: str) -> Launched:
        """Run this in a task of its own on this loop, which closing cancels; how it ends settles the flight."""

        def land(outcome: Outcome) -> None:
            self._launched.pop(launched, None)
            flight.settle(outcome)

        try:
            launched = required_loop().launch(running, name, land)
        except BaseException:  # no loop that is known here, or a task factory that fails
            running.close()
            flight.settle(GONE)
            raise
        self._launched[launched] = flight
        return launched

    def close(self) -> None:
        """Keep what is loading in threads from being stored, and wait for it, a second at most."""
        self._detach_threads()
        self._threads.join(CLOSE_SECONDS)

    async def aclose(self) -> None:
        """Cancel the loads that run on this loop, and the callers on it that wait for them; threads as in `close`."""
        here = required_loop()
        in_threads = self._detach_threads()
        mine = []
        for launched, flight in list(self._launched.items()):  # a copy: other loops go on
            if launched.loop == here:
                flight.break_off(here.closed())
                launched.cancel()
                mine.append(launched)
            elif launched.loop.is_closed():
                self._launched.pop(launched, None)
        for launched in mine:
            await launched.join()
        until = time.monotonic() + CLOSE_SECONDS
        for flight in in_threads:
            try:
                await flight.wait(max(0.0, until - time.monotonic()))
            except TimeoutError:
                return

    def _detach_threads(self) -> list[Flight]:
        self._threads.drop()
        running = [flight for flight in self._threads.owners if flight.thread != get_ident()]
        for flight in running:
            self._flights.doom(flight)
        return running

    async def _outcome(self, io: IO, flight: Flight, wanted: Run) -> Landed | Failed:
        """Load and store; whatever the factory raises becomes an outcome."""
        load = wanted.load
        started = time.monotonic()
        try:
            seconds(load.ttl, 0.0)  # a wrong one raises before anything is loaded
            right = await self.rights.granted(io, flight, wanted, load.terms)
            if isinstance(right, Landed):
                return right
            outcome = await self._loaded(io, flight, load, right)
        except Exception as error:  # noqa: BLE001  # it is handed to every caller
            outcome = Failed(error)
        self.failures.conclude(load, outcome, time.monotonic() - started)
        flight.settle(outcome)  # now, and not at the end of a task, which takes the loop another turn
        return outcome

    async def _loaded(self, io: IO, flight: Flight, load: Load, right: Right) -> Landed | Failed:
        """Run the factory, and store what it returns if that is still right."""
        current = CurrentLoad(right.stale)
        try:
            with right.held(io, load.backend), running_for(current):
                made = load.factory()
                value = plain(made) if io is BLOCKING else await awaited(made)
            return Landed(value, load.replicas(value), await self._land(io, flight, load, right, current, value))
        except BaseException as error:
            await right.give_up(io, load.backend)
            if isinstance(error, Exception):  # a StopIteration would not get out of here as it is
                return Failed(error)
            raise

    async def _land(self, io: IO, flight: Flight, load: Load, right: Right, current: CurrentLoad, value: Any) -> int:
        backend, policy = load.backend, current.applied(load.terms)
        given = load.ttl if current.ttl is None else None
        ttl = lifetime(policy, value, given, default=backend.default_ttl, luck=random.random())
        if not flight.begin_storing() or right.ticket is None:
            await right.give_up(io, backend)
            return 0
        kept = ttl if ttl is not None and ttl > 0 else None
        proof = flight.ask()
        landed = await load.survive(
            backend.land(
                io,
                load.key,
                value,
                kept,
                right.ticket,
                stale=policy.kept_seconds,
                tags=tagged((*load.tags, *current.tags)),
                version=load.version,
            )
        )
        if kept is None and landed and (flight.renews or right.stale is not None):  # what is stored is outdated
            await load.survive(backend.remove(io, load.key, load.version))
        if flight.doomed and Capability.FENCES not in backend.capabilities:
            await load.survive(backend.remove(io, load.key, load.version))
            return 0
        return proof if landed else 0


_CLOSED = Gone(CacheError("the cache was closed while this was loading"))
