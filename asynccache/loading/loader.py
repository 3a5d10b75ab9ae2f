"""Read-through: find the value, or load it once however many ask.

A load on a loop runs in a task that the loader owns, so that a caller who is cancelled disturbs nobody; the last one to
leave cancels it. A load off a loop runs in the thread of the caller that leads. Callers of both kinds wait for each
other.
"""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from inspect import isawaitable, iscoroutine, iscoroutinefunction
from threading import get_ident
from typing import TYPE_CHECKING, Any

from asynccache.core.events import Hit, Loaded, LoadFailed, Miss
from asynccache.core.policy import CachePolicy, lifetime
from asynccache.errors import BackendUnavailableError, SerializationError
from asynccache.loading.outcomes import GONE, Failed, Gone, Landed
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asynccache.core.entry import Entry
    from asynccache.loading.flights import Flight, Flights
    from asynccache.loading.outcomes import Outcome
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.plan.io import IO

_within: ContextVar[tuple[Flight, ...]] = ContextVar("asynccache_within", default=())


@dataclass(frozen=True, slots=True)
class Load:
    """What is to be loaded: the arguments of one `get_or_set`."""

    backend: BaseCacheBackend
    key: str
    factory: Callable[[], Any]
    policy: CachePolicy
    version: Version = None


class Loader:
    """Runs loads and owns their tasks.

    Args:
        flights: the loads under way; whoever invalidates a key detaches its flight there.
    """

    def __init__(self, flights: Flights) -> None:
        self._flights = flights
        self._tasks: set[asyncio.Task[Outcome]] = set()

    def get(self, load: Load) -> Any:
        """Return the value, loading it in this thread or waiting for whoever does."""
        if iscoroutinefunction(load.factory):
            raise TypeError(f"{load.factory!r} is asynchronous: use get_or_set_async")
        while True:
            settled = self._flights.settled
            entry = run(self._look(BLOCKING, load))
            if entry is not None:
                return entry.value
            flight, leads = self._flights.join(load.backend.flight_key(load.key, load.version))
            if leads:
                return self._lead(flight, load, look_again=self._flights.settled != settled)
            if flight in _within.get() or flight.thread == get_ident():
                return _plain(load.factory())
            outcome = flight.wait_in_thread()
            if not isinstance(outcome, Gone):
                return outcome.for_follower()

    async def get_async(self, load: Load) -> Any:
        """Return the value, loading it in a task of its own or waiting for whoever does."""
        while True:
            settled = self._flights.settled
            entry = await self._look(LOOP, load)
            if entry is not None:
                return entry.value
            flight, leads = self._flights.join(load.backend.flight_key(load.key, load.version))
            if flight in _within.get():
                return await _awaited(load.factory())
            if leads:
                self._launch(flight, load, look_again=self._flights.settled != settled)
            outcome = await flight.wait()
            if isinstance(outcome, Gone):
                if leads:
                    raise asyncio.CancelledError(f"the load of {load.key!r} was cancelled")
                continue
            return outcome.for_leader() if leads else outcome.for_follower()

    async def aclose(self) -> None:
        """Cancel the loads that run on this loop."""
        loop = asyncio.get_running_loop()
        tasks = [task for task in list(self._tasks) if task.get_loop() is loop]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look(self, io: IO, load: Load) -> Entry | None:
        backend = load.backend
        try:
            entry = await backend.read(io, load.key, load.version)
        except BackendUnavailableError:
            entry = None  # a store that is away never fails a read-through
        if backend.listeners:
            backend.tell((Miss if entry is None else Hit)(backend.name, load.key))
        return entry

    def _lead(self, flight: Flight, load: Load, *, look_again: bool) -> Any:
        outcome: Outcome = GONE
        try:
            with _inside(flight):
                outcome = run(self._outcome(BLOCKING, flight, load, look_again=look_again))
        finally:
            flight.settle(outcome)
        return outcome.for_leader()

    def _launch(self, flight: Flight, load: Load, *, look_again: bool) -> None:
        with _inside(flight):
            task = asyncio.create_task(
                self._outcome(LOOP, flight, load, look_again=look_again), name=f"asynccache load {load.key!r:.80}"
            )
        self._tasks.add(task)

        def land(task: asyncio.Task[Outcome]) -> None:
            self._tasks.discard(task)
            failed = task.cancelled() or task.exception() is not None
            flight.settle(GONE if failed else task.result())

        task.add_done_callback(land)
        flight.when_abandoned(task.cancel)

    async def _outcome(self, io: IO, flight: Flight, load: Load, *, look_again: bool) -> Landed | Failed:
        """Load and store; whatever the factory raises becomes an outcome."""
        started = time.monotonic()
        try:
            entry = await self._look(io, load) if look_again else None
            if entry is not None:
                return Landed(entry.value, load.backend.replicas(entry.value))
            made = load.factory()
            value = _plain(made) if io is BLOCKING else await _awaited(made)
            await self._store(io, flight, load, value)
            outcome = Landed(value, _replicas(load, value))
        except Exception as error:  # noqa: BLE001  # it is handed to every caller
            load.backend.tell(LoadFailed(load.backend.name, load.key, error))
            return Failed(error)
        load.backend.tell(Loaded(load.backend.name, load.key, time.monotonic() - started))
        return outcome

    async def _store(self, io: IO, flight: Flight, load: Load, value: Any) -> None:
        backend = load.backend
        ttl = lifetime(load.policy, value, default=backend.default_ttl, luck=random.random())
        if ttl is None or flight.doomed:
            return
        try:
            await backend.write(io, load.key, value, ttl, load.version)
            if flight.doomed:
                await backend.remove(io, load.key, load.version)
        except BackendUnavailableError:
            return  # a store that is away never fails a read-through


def _replicas(load: Load, value: Any) -> Callable[[], Any]:
    try:
        return load.backend.replicas(value)
    except SerializationError:
        return lambda: value  # the policy's condition kept it from being stored: there is only this one


def _plain(made: Any) -> Any:
    if isawaitable(made):
        if iscoroutine(made):
            made.close()
        raise TypeError("the factory returned an awaitable: use get_or_set_async")
    return made


async def _awaited(made: Any) -> Any:
    return await made if isawaitable(made) else made


@contextmanager
def _inside(flight: Flight) -> Iterator[None]:
    """Mark what runs here as part of this load, so that it never waits for itself."""
    token = _within.set((*_within.get(), flight))
    try:
        yield
    finally:
        _within.reset(token)
