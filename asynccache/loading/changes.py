"""Changes of keys from outside: what was loading before, or begins meanwhile, is not stored afterwards."""

from __future__ import annotations

from functools import lru_cache
from threading import get_ident
from typing import TYPE_CHECKING

from asynccache.core.entry import Kind
from asynccache.loading.circles import within
from asynccache.model import Capability

if TYPE_CHECKING:
    from asynccache.loading.flight import Flight
    from asynccache.loading.flights import Flights
    from asynccache.model import BaseCacheBackend, Version

_KINDS = (Kind.VALUE, Kind.PAGE)


class Change:
    """A change of these keys, around which `with` or `async with` stands.

    Loads of them are detached before and after. One that is just being stored has its way first, and is removed,
    unless the change would wait for itself: it is part of that load, or a sync call in the thread that stores. Where
    the store has no fences, whoever would rewrite what is there knows meanwhile that it is being changed.
    """

    __slots__ = ("_backend", "_flights", "_is_told", "_keys", "_version")

    def __init__(self, flights: Flights, backend: BaseCacheBackend, version: Version, *keys: str) -> None:
        self._flights = flights
        self._backend = backend
        self._version = version
        self._keys = keys
        self._is_told = _lacks_fences(backend.capabilities)

    def __enter__(self) -> None:
        if self._is_told:
            self._flights.begin_change(self._named())
        try:
            self._wait()
        except BaseException:
            self._end()
            raise

    def __exit__(self, *failure: object) -> None:
        if self._is_told:
            self._end()
        self._wait()

    async def __aenter__(self) -> None:
        if self._is_told:
            self._flights.begin_change(self._named())
        if not self._flights.is_idle:
            try:
                await self._wait_async()
            except BaseException:
                self._end()
                raise

    async def __aexit__(self, *failure: object) -> None:
        if self._is_told:
            self._end()
        if not self._flights.is_idle:
            await self._wait_async()

    def _end(self) -> None:
        if self._is_told:
            self._flights.end_change(self._named())

    def _wait(self) -> None:
        """Keep what is loading from being stored, and wait for what is just being stored."""
        for flight in () if self._flights.is_idle else self._detached():
            if flight.thread != get_ident():
                flight.wait_in_thread()

    async def _wait_async(self) -> None:
        for flight in self._detached():
            await flight.wait()

    def _detached(self) -> list[Flight]:
        """Detach the flights; give those that are being stored."""
        return [flight for flight in self._flights.being_stored(self._named()) if flight not in within.get()]

    def _named(self) -> list[tuple[int, str, Kind]]:
        return [self._backend.flight_key(key, self._version, kind) for key in self._keys for kind in _KINDS]


@lru_cache
def _lacks_fences(capabilities: frozenset[Capability]) -> bool:
    return Capability.FENCES not in capabilities
