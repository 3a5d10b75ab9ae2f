"""Read-through: find the value, or load it once however many ask.

A load on a loop runs in a task that the loader owns, so that a caller who is cancelled disturbs nobody; the last one to
leave cancels it. A load off a loop runs in the thread of the caller that leads. Callers of both kinds wait for each
other.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from typing import TYPE_CHECKING, Any

from asynccache.core.events import Hit, Loaded, LoadFailed, Miss
from asynccache.core.policy import CachePolicy, lifetime
from asynccache.errors import BackendUnavailableError, SerializationError
from asynccache.loading.circles import inside, waiting, within
from asynccache.loading.outcomes import GONE, Failed, Gone, Landed
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from asynccache.core.entry import Entry
    from asynccache.core.lifetime import Ttl
    from asynccache.loading.flights import Flight, Flights
    from asynccache.loading.outcomes import Outcome
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
_PLAIN_POLICY = CachePolicy()


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be loaded: the arguments of one `get_or_set`."""

    backend: BaseCacheBackend
    key: str
    factory: Callable[[], Any]
    ttl: Ttl
    policy: CachePolicy | None
    version: Version

    @property
    def flight_key(self) -> Hashable:
        """Give what this load is known by in this process."""
        return self.backend.flight_key(self.key, self.version)

    def merged_policy(self) -> CachePolicy:
        """Give the policy, in which an explicit ttl beats its own; wrong ones raise."""
        policy: object = _PLAIN_POLICY if self.policy is None else self.policy
        if not isinstance(policy, CachePolicy):
            raise TypeError(f"policy is a CachePolicy, not {type(policy).__name__}")
        return policy if self.ttl is None else replace(policy, ttl=self.ttl)


class Loader:
    """Runs loads and owns their tasks.

    Args:
        flights: the loads under way; whoever invalidates a key detaches its flight there.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights
        self._tasks: dict[asyncio.Task[Outcome], Flight] = {}

    def get(self, load: Load) -> Any:
        """Return the value, loading it in this thread or waiting for whoever does."""
        _check(load.factory)
        if iscoroutinefunction(load.factory):
            raise TypeError(f"{load.factory!r} is asynchronous: use get_or_set_async")
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
                    return _plain(load.factory())
                outcome = flight.wait_in_thread()
            if not isinstance(outcome, Gone):
                return outcome.for_follower()

    async def get_async(self, load: Load) -> Any:
        """Return the value, loading it in a task of its own or waiting for whoever does."""
        _check(load.factory)
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
                    return await _awaited(load.factory())
                outcome = await flight.wait()
            if leads:
                return outcome.for_leader()
            if not isinstance(outcome, Gone):
                return outcome.for_follower()
            if outcome.closed_on is asyncio.get_running_loop():
                raise asyncio.CancelledError("the cache was closed")

    async def aclose(self) -> None:
        """Cancel the loads that run on this loop, and the callers on it that wait for them."""
        loop = asyncio.get_running_loop()
        mine = []
        for task, flight in list(self._tasks.items()):  # a copy: other loops go on
            if task.get_loop() is loop:
                flight.break_off(Gone(closed_on=loop))
                task.cancel()
                mine.append(task)
            elif task.get_loop().is_closed():
                self._tasks.pop(task, None)
        await asyncio.gather(*mine, return_exceptions=True)

    async def _look(self, io: IO, load: Load) -> Entry | None:
        backend = load.backend
        try:
            entry = await backend.read(io, load.key, load.version)
        except Exception as error:  # noqa: BLE001  # a store never fails a read-through: this is a miss
            entry = None
            _note(load, error)
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
        try:
            with inside(flight):
                task = asyncio.create_task(running, name=f"asynccache load {load.key!r:.80}")
        except BaseException:  # trio, or a task factory that fails
            running.close()
            flight.settle(GONE)
            raise
        self._tasks[task] = flight

        def land(task: asyncio.Task[Outcome]) -> None:
            self._tasks.pop(task, None)
            if task.cancelled():
                flight.settle(GONE)
            else:
                error = task.exception()
                flight.settle(task.result() if error is None else Gone(error))

        task.add_done_callback(land)
        flight.when_abandoned(partial(_cancel, task))

    async def _outcome(self, io: IO, flight: Flight, load: Load, *, look_again: bool) -> Landed | Failed:
        """Load and store; whatever the factory raises becomes an outcome."""
        started = time.monotonic()
        try:
            entry = await self._look(io, load) if look_again else None
            if entry is not None:
                return Landed(entry.value, _replicas(load, entry.value))
            policy = load.merged_policy()
            made = load.factory()
            value = _plain(made) if io is BLOCKING else await _awaited(made)
            await self._store(io, flight, load, policy, value)
            outcome = Landed(value, _replicas(load, value))
        except Exception as error:  # noqa: BLE001  # it is handed to every caller
            load.backend.tell(LoadFailed(load.backend.name, load.key, error))
            return Failed(error)
        load.backend.tell(Loaded(load.backend.name, load.key, time.monotonic() - started))
        return outcome

    async def _store(self, io: IO, flight: Flight, load: Load, policy: CachePolicy, value: Any) -> None:
        backend = load.backend
        ttl = lifetime(policy, value, default=backend.default_ttl, luck=random.random())
        if not flight.begin_storing() or ttl is None:
            return
        await _survived(load, backend.write(io, load.key, value, ttl, load.version))
        if flight.doomed:
            await _survived(load, backend.remove(io, load.key, load.version))


async def _survived(load: Load, writing: Coroutine[Any, Any, object]) -> None:
    """Write to a store that may be away, which never fails a read-through; a value that cannot be stored does."""
    try:
        await writing
    except SerializationError:
        raise
    except Exception as error:  # noqa: BLE001  # the caller has its value
        _note(load, error)


def _note(load: Load, error: Exception) -> None:
    """Log what no backend should raise; a wrong key is the caller's own fault, and raises."""
    if isinstance(error, BackendUnavailableError):
        return
    load.backend.stored_key(load.key, load.version)
    logger.warning("%s: loading goes on without the store", load.backend.name, exc_info=error)


def _cancel(task: asyncio.Task[Outcome]) -> None:
    with suppress(RuntimeError):  # its loop is closed: it does not run any more
        task.get_loop().call_soon_threadsafe(task.cancel)


def _replicas(load: Load, value: Any) -> Callable[[], Any]:
    try:
        return load.backend.replicas(value)
    except SerializationError:
        return lambda: value  # it was not stored, as the policy wanted it, so there is only this one


def _check(factory: object) -> None:
    if not callable(factory):
        if iscoroutine(factory):
            factory.close()
        raise TypeError(f"the factory is {factory!r:.80}: give the function itself, not what it returns")


def _plain(made: Any) -> Any:
    if isawaitable(made):
        if iscoroutine(made):
            made.close()
        raise TypeError("the factory returned an awaitable: use get_or_set_async")
    return made


async def _awaited(made: Any) -> Any:
    return await made if isawaitable(made) else made
