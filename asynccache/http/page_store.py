"""What is kept of responses in one backend: read, claimed and landed in one way, whatever it is."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

import anyio
from msgspec.structs import replace

from asynccache.core.codec import DamagedEntryError
from asynccache.core.entry import Kind
from asynccache.http.edge.shelved import Shelved
from asynccache.http.rights import PageRight
from asynccache.http.snapshot import Found, Snapshot, restored
from asynccache.http.terms import NotTakenError, Terms
from asynccache.loading.outcomes import GONE
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable, Iterable

    from asynccache.core.claims import Claimed, Ticket
    from asynccache.core.entry import Entry
    from asynccache.http.rights import Sought
    from asynccache.loading.flight import Flight
    from asynccache.loading.flights import Flights
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
_LARGE = 512 * 1024  # memcached takes less than twice as much, unless it was told to


class PageStore:
    """Reads and writes what is kept of responses in one backend.

    Args:
        backend: the backend.
        flights: those under way in this process.
        version: of the keys; None: the backend's own.
        io: how plans wait.
        timed: whether it matters when something was stored and when it ends.
    """

    __slots__ = ("_backend", "_flights", "_io", "_timed", "_version")

    def __init__(self, backend: BaseCacheBackend, flights: Flights, version: Version, io: IO, *, timed: bool) -> None:
        self._backend = backend
        self._flights = flights
        self._version = version
        self._io = io
        self._timed = timed

    @property
    def _is_fenced(self) -> bool:
        return Capability.FENCES in self._backend.capabilities

    # Rights

    async def claim(self, place: Sought, lease: float, *, anew: bool = False) -> Claimed:
        """Ask for the right to store what a request found nothing of, for so many seconds."""
        entry = place.entry
        anew = anew or (entry is not None and not entry.at)
        return await self._backend.claim(
            self._io, place.key, lease, seen=entry, anew=anew, version=self._version, kind=Kind.PAGE
        )

    def right(self, ticket: Ticket, told: Flight | None = None) -> PageRight:
        """Give a right that was granted, and is renewed from now on."""
        return PageRight(self._io, self._backend, ticket, told)

    def told_of(self, place: Sought) -> Flight | None:
        """Begin a flight that is told when the key changes; None where the store itself knows that."""
        return None if self._is_fenced else self._flights.begin_apart(self._flight_key(place.key))

    def is_told_of(self, flight: Flight | None, place: Sought) -> bool:
        """Tell whether a change of the key would be known: not where a flight began for what was found elsewhere."""
        return self._is_fenced or (flight is not None and flight.key == self._flight_key(place.key))

    def shield(self) -> AbstractContextManager[object]:
        """Put off a cancellation of this request, where it runs on a loop, until what stands within is done.

        A store in memory is never waited for.
        """
        return nullcontext() if self._backend.is_at_hand else self._io.pick(nullcontext, _shielded)()

    async def attend(self, place: Sought, seconds: float) -> None:
        """Wait until whoever loads the page may be done; not at all where the store is away."""
        try:
            await self._backend.attend(self._io, place.key, seconds, self._version, Kind.PAGE)
        except Exception:  # whatever a store raises, the handler answers
            logger.debug("a page could not be waited for", exc_info=True)

    # Reading

    async def _read(self, key: str) -> Entry | None:
        backend = self._backend
        try:
            read = backend.look if self._timed else backend.read
            return await self._opened(key, await read(self._io, key, self._version, Kind.PAGE))
        except Exception:  # whatever a store raises, the handler answers
            logger.debug("a page could not be read", exc_info=True)
            return None

    async def _read_many(self, keys: Iterable[str]) -> dict[str, Entry | None]:
        """Look all of these up at once; a store that is away has none."""
        backend, keys = self._backend, tuple(keys)
        read = backend.look_many if self._timed else backend.read_many
        try:
            entries = await read(self._io, keys, self._version, Kind.PAGE)
            return {key: await self._opened(key, entries.get(key)) for key in keys}
        except Exception:  # whatever a store raises, the handler answers
            logger.debug("a page could not be read", exc_info=True)
            return dict.fromkeys(keys)

    async def _opened(self, key: str, entry: Entry | None) -> Entry | None:
        if entry is None or isinstance(entry.value, Found):
            return entry
        try:
            return replace(entry, value=restored(entry.value))
        except DamagedEntryError as damage:
            logger.warning("a stored page was not usable and is removed: %s", damage)
            await self.remove(key)
            return None

    # Writing

    async def _land(self, key: str, found: Found, terms: Terms, flight: Flight | None, ticket: Ticket) -> bool:
        """Store by a right; a store without fences is told by flights, and says whether it could take it."""
        if self._is_fenced:
            landed = await self._landed(key, found, terms, ticket)
            if landed and not await self._has_taken(key, found):
                raise NotTakenError
            return landed
        if not await self._landed(key, None, terms, ticket) or not await self._write(key, found, terms, flight):
            return False
        if await self._landed(key, None, terms, ticket):
            return True
        await self.remove(key)  # a tag was invalidated, perhaps just before this was written
        return False

    async def _landed(self, key: str, found: Found | None, terms: Terms, ticket: Ticket) -> bool:
        """Tell whether nothing was invalidated since a right was granted, and store by it if that is to be done."""
        return await self._backend.land(
            self._io,
            key,
            found,
            None if found is None else terms.ttl,
            ticket,
            stale=terms.stale,
            tags=terms.tags,
            version=self._version,
            kind=Kind.PAGE,
        )

    async def _has_taken(self, key: str, found: Found) -> bool:
        """Tell whether a store has room for what landed: who grants rights does not say, and asking for all costs."""
        if Capability.SHARED in self._backend.capabilities:
            is_doubtful = isinstance(found, Snapshot | Shelved) and len(found.body) >= _LARGE
        else:
            is_doubtful = self._backend.peek is not None
        return not is_doubtful or await self._backend.exists(self._io, key, self._version)  # which counts no hit

    async def _write(self, key: str, found: Found, terms: Terms, flight: Flight | None) -> bool:
        if flight is not None and not flight.begin_storing():
            return False
        backend, version, tags = self._backend, self._version, terms.tags
        if terms.stale is None:
            written = await backend.write(self._io, key, found, terms.ttl, version, Kind.PAGE, tags=tags)
        else:
            written = await backend.keep(
                self._io, key, found, terms.ttl, terms.stale, version, tags=tags, kind=Kind.PAGE
            )
        if flight is not None and flight.doomed:
            await self.remove(key)
            return False
        if not written:
            raise NotTakenError
        return True

    async def _prolong(self, key: str, seconds: float) -> bool:
        """Let the names of variants be known for longer, if they were not removed.

        A store without fences may bring them back while they are removed: then a flight of their own is told.
        """
        if self._is_fenced:
            return await self._backend.extend(self._io, key, seconds, self._version)
        async with self._turn(key) as flight:
            if flight is None:
                return False
            there = await self._backend.extend(self._io, key, seconds, self._version)
            if there and flight.doomed:
                await self.remove(key)
            return there and not flight.doomed

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncIterator[Flight | None]:
        """Have a flight that is told when the key is changed meanwhile; None where it is being changed or made anew.

        Whoever was told before has removed what he wrote: what is read now was there all the time.
        """
        flight_key = self._flight_key(key)
        flight, leads = self._flights.join(flight_key)
        while not leads and flight.is_storing:
            await self._io.twin(flight.wait_in_thread, flight.wait)
            flight, leads = self._flights.join(flight_key)
        try:
            for earlier in self._flights.still_stored([flight_key]) if leads else ():
                await self._io.twin(earlier.wait_in_thread, earlier.wait)
            may_write = leads and not self._flights.is_changing(flight_key) and flight.begin_storing()
            yield flight if may_write else None
        finally:
            if leads:
                flight.settle(GONE)

    def _flight_key(self, key: str) -> Hashable:
        """Give what a flight is known by that makes what lies there."""
        return self._backend.flight_key(key, self._version, Kind.PAGE)

    async def remove(self, key: str) -> None:
        """Remove what lies there."""
        await self._backend.remove(self._io, key, self._version)


def _shielded() -> AbstractContextManager[object]:
    return anyio.CancelScope(shield=True)
