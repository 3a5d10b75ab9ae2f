"""Read-through: find the value, or load it once however many ask.

A load on a loop runs in a task that the loader owns, so that a caller who is cancelled disturbs nobody; the last one to
leave cancels it. A load off a loop runs in the thread of the caller that leads. Callers of both kinds wait for each
other.
"""

from __future__ import annotations

import random
import time
from threading import get_ident
from typing import TYPE_CHECKING, Any

from asynccache.core.events import Hit, Loaded, LoadFailed, Miss
from asynccache.core.policy import lifetime
from asynccache.loading.circles import inside, waiting, within
from asynccache.loading.load import awaited, check_factory, is_plain_function, plain
from asynccache.loading.loops import required_loop
from asynccache.loading.outcomes import GONE, Failed, Gone, Landed
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from asynccache.core.entry import Entry
    from asynccache.core.policy import CachePolicy
    from asynccache.loading.flights import Flight, Flights
    from asynccache.loading.load import Load
    from asynccache.loading.loops import Launched
    from asynccache.loading.outcomes import Outcome
    from asynccache.plan.io import IO


class Loader:
    """Runs loads and owns their tasks.

    Args:
        flights: the loads under way; whoever invalidates a key detaches its flight there.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights
        self._launched: dict[Launched, Flight] = {}

    def get(self, load: Load) -> Any:
        """Return the value, loading it in this thread or waiting for whoever does."""
        _check_plain(load)
        while True:
            settled = self._flights.settled
            entry = run(self._look(BLOCKING, load))
            if entry is not None:
                return entry.value
            flight, leads = self._flights.join(load.flight_key)
            if leads:
                return self._lead(flight, load, look_again=self._flights.settled != settled)
            stuck = (*within.get(), *self._flights.led_here())
            with waiting(self._flights, stuck, flight) as ends:
                if not ends:
                    return plain(load.factory())
                outcome = flight.wait_in_thread()
            if not isinstance(outcome, Gone):
                return outcome.for_follower()

    async def get_async(self, load: Load) -> Any:
        """Return the value, loading it in a task of its own or waiting for whoever does."""
        check_factory(load.factory)
        while True:
            settled = self._flights.settled
            entry = await self._look(LOOP, load)
            if entry is not None:
                return entry.value
            flight, leads = self._flights.join(load.flight_key)
            if leads:
                self._launch(flight, load, look_again=self._flights.settled != settled)
            with waiting(self._flights, within.get(), flight) as ends:
                if not ends:
                    return await awaited(load.factory())
                outcome = await flight.wait()
            if leads or (isinstance(outcome, Gone) and outcome.closed_on == required_loop()):
                return outcome.for_leader()
            if not isinstance(outcome, Gone):
                return outcome.for_follower()

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
                return self._lead(flight, load, look_again=False)
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
                self._launch(flight, load, look_again=False)
            with waiting(self._flights, within.get(), flight) as ends:
                if not ends:
                    return await awaited(load.factory())
                outcome = await flight.wait()
            if leads or (isinstance(outcome, Gone) and outcome.closed_on == required_loop()):
                return outcome.for_leader()
            if has_waited and not isinstance(outcome, Gone):
                return outcome.for_follower()
            has_waited = True

    async def aclose(self) -> None:
        """Cancel the loads that run on this loop, and the callers on it that wait for them."""
        here = required_loop()
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

    async def _look(self, io: IO, load: Load) -> Entry | None:
        backend = load.backend
        try:
            entry = await backend.read(io, load.key, load.version)
        except Exception as error:  # noqa: BLE001  # a store never fails a read-through: this is a miss
            entry = None
            load.note(error)
        if backend.listeners:
            backend.tell((Miss if entry is None else Hit)(backend.name, load.key))
        return entry

    def _lead(self, flight: Flight, load: Load, *, look_again: bool) -> Any:
        outcome: Outcome = GONE
        try:
            with inside(flight):
                outcome = run(self._outcome(BLOCKING, flight, load, look_again=look_again))
        finally:
            flight.settle(outcome)
        return outcome.for_leader()

    def _launch(self, flight: Flight, load: Load, *, look_again: bool) -> None:
        running = self._outcome(LOOP, flight, load, look_again=look_again)

        def land(outcome: Outcome) -> None:
            self._launched.pop(launched, None)
            flight.settle(outcome)

        try:
            with inside(flight):
                launched = required_loop().launch(running, f"asynccache load {load.key!r:.80}", land)
        except BaseException:  # no loop that is known here, or a task factory that fails
            running.close()
            flight.settle(GONE)
            raise
        self._launched[launched] = flight
        flight.when_abandoned(launched.cancel)

    async def _outcome(self, io: IO, flight: Flight, load: Load, *, look_again: bool) -> Landed | Failed:
        """Load and store; whatever the factory raises becomes an outcome."""
        started = time.monotonic()
        try:
            entry = await self._look(io, load) if look_again else None
            if entry is not None:
                return Landed(entry.value, load.replicas(entry.value))
            policy = load.merged_policy()
            if flight.displaced is not None:
                await _stored(io, flight.displaced)
            made = load.factory()
            value = plain(made) if io is BLOCKING else await awaited(made)
            await self._store(io, flight, load, policy, value)
            outcome = Landed(value, load.replicas(value))
        except Exception as error:  # noqa: BLE001  # it is handed to every caller
            load.backend.tell(LoadFailed(load.backend.name, load.key, error))
            return Failed(error)
        load.backend.tell(Loaded(load.backend.name, load.key, time.monotonic() - started))
        return outcome

    async def _store(self, io: IO, flight: Flight, load: Load, policy: CachePolicy, value: Any) -> None:
        backend = load.backend
        ttl = lifetime(policy, value, default=backend.default_ttl, luck=random.random())
        if not flight.begin_storing():
            return
        if ttl is not None:
            await load.survive(backend.write(io, load.key, value, ttl, load.version))
        elif flight.renews:  # what is stored is outdated
            await load.survive(backend.remove(io, load.key, load.version))
        if flight.doomed:
            await load.survive(backend.remove(io, load.key, load.version))


async def _stored(io: IO, flight: Flight) -> None:
    """Wait for what is just being stored, so that it does not land later; unless that waits for this."""
    if flight.is_storing and flight not in within.get() and not (io is BLOCKING and flight.thread == get_ident()):
        await io.twin(flight.wait_in_thread, flight.wait)


def _check_plain(load: Load) -> None:
    check_factory(load.factory)
    if not is_plain_function(load.factory):
        raise TypeError(f"{load.factory!r} is asynchronous: use get_or_set_async")
