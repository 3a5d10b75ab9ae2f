"""Changes of keys from outside: what was loading before, or begins meanwhile, is not stored afterwards."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

from asynccache.core.entry import Kind
from asynccache.loading.circles import within

if TYPE_CHECKING:
    from asynccache.loading.flights import Flight, Flights
    from asynccache.model import BaseCacheBackend, Version

_KINDS = (Kind.VALUE, Kind.PAGE)


class Change:
    """A change of these keys, around which `with` or `async with` stands.

    Loads of them are detached before and after. One that is just being stored has its way first, and is removed,
    unless the change would wait for itself: it is part of that load, or a sync call in the thread that stores.
    """

    __slots__ = ("_backend", "_flights", "_keys", "_version")

    def __init__(self, flights: Flights, backend: BaseCacheBackend, version: Version, *keys: str) -> None:
        self._flights = flights
        self._backend = backend
        self._version = version
        self._keys = keys

    def __enter__(self) -> None:
        self.wait()

    def __exit__(self, *failure: object) -> None:
        self.wait()

    async def __aenter__(self) -> None:
        if self._flights.under_way:
            await self.wait_async()

    async def __aexit__(self, *failure: object) -> None:
        if self._flights.under_way:
            await self.wait_async()

    def wait(self) -> None:
        """Keep what is loading from being stored, and wait for what is just being stored."""
        for flight in self._detached() if self._flights.under_way else ():
            if flight.thread != get_ident():
                flight.wait_in_thread()

    async def wait_async(self) -> None:
        """Keep what is loading from being stored, and wait for what is just being stored."""
        for flight in self._detached() if self._flights.under_way else ():
            await flight.wait()

    def _detached(self) -> list[Flight]:
        """Detach the flights; give those that are being stored."""
        named = [self._backend.flight_key(key, self._version, kind) for key in self._keys for kind in _KINDS]
        found = [flight for one in named if (flight := self._flights.detach(one)) is not None]
        return [flight for flight in found if flight.is_storing and flight not in within.get()]
