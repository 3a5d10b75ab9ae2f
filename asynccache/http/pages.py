"""The pages of a backend: reading them, the right to load one, and storing it where those who look will find it."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from secrets import token_bytes
from typing import TYPE_CHECKING

import anyio

from asynccache.core.codec import DamagedEntryError
from asynccache.core.entry import Entry, Kind
from asynccache.http.rights import PageRight
from asynccache.http.settings import MAX_NAMES
from asynccache.http.snapshot import Found, Pass, Record, Snapshot, Spec, restored
from asynccache.http.terms import FOR_A_WHILE, NotTakenError, Terms
from asynccache.http.variants import SHORT, as_variant, look_at, look_at_variant, may_be_base, variant_key
from asynccache.loading.outcomes import GONE
from asynccache.model import Capability

if TYPE_CHECKING:
    from asynccache.core.claims import Claimed, Ticket
    from asynccache.http.ask import Ask
    from asynccache.http.variants import Look
    from asynccache.loading.flights import Flight, Flights
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
_HINTS = 4096
_hints: dict[tuple[int, str], Spec] = {}


class Pages:
    """Reads and writes the pages of one backend.

    Args:
        backend: the backend.
        flights: those under way in this process.
        version: of the pages; None: the backend's own.
        io: how plans wait.
        timed: whether it matters when a page was stored and when it ends.
    """

    __slots__ = ("_backend", "_flights", "_io", "_timed", "_version")

    def __init__(self, backend: BaseCacheBackend, flights: Flights, version: Version, io: IO, *, timed: bool) -> None:
        self._backend = backend
        self._flights = flights
        self._version = version
        self._io = io
        self._timed = timed

    async def look(self, ask: Ask) -> Look:
        """Look a page up; a store that is away or talks nonsense has none."""
        key = ask.key
        hint = _hints.get((id(self._backend), key))
        if hint is None:
            entry = await self._read(key)
            base = None if entry is None else entry.value
            return await self._below(ask, base) if isinstance(base, Spec) else look_at(ask, entry)
        variant = variant_key(ask, hint)
        entry, found = await self._read_both(key, variant)
        base = None if entry is None else entry.value
        if not isinstance(base, Spec):
            return look_at(ask, entry)
        return look_at_variant(ask, base, found, variant) if base == hint else await self._below(ask, base)

    async def _below(self, ask: Ask, spec: Spec) -> Look:
        if len(_hints) >= _HINTS:
            _hints.clear()
        if len(ask.key) <= SHORT:
            _hints[id(self._backend), ask.key] = spec
        variant = variant_key(ask, spec)
        return look_at_variant(ask, spec, await self._read(variant), variant)

    async def claim(self, look: Look, lease: float, *, anew: bool = False) -> Claimed:
        """Ask for the right to store what a request found nothing of, for so many seconds."""
        entry = look.entry
        anew = anew or (entry is not None and not entry.at)
        return await self._backend.claim(
            self._io, look.key, lease, seen=entry, anew=anew, version=self._version, kind=Kind.PAGE
        )

    def right(self, ticket: Ticket) -> PageRight:
        """Give a right that was granted, and is renewed from now on."""
        return PageRight(self._io, self._backend, ticket)

    def shield(self) -> AbstractContextManager[object]:
        """Put off a cancellation of this request, where it runs on a loop, until what stands within is done."""
        return self._io.pick(nullcontext, _shielded)()

    async def attend(self, look: Look, seconds: float) -> None:
        """Wait until whoever loads the page may be done; not at all where the store is away."""
        try:
            await self._backend.attend(self._io, look.key, seconds, self._version, Kind.PAGE)
        except Exception:  # whatever a store raises, the handler answers
            logger.debug("a page could not be waited for", exc_info=True)

    async def store(
        self, ask: Ask, look: Look, record: Record, terms: Terms, flight: Flight | None, ticket: Ticket
    ) -> Snapshot | None:
        """Store a page where this request and those like it find it; None where that was not possible.

        The ticket is for where the request looked, and lands there: the page; or the names of its variants, by a new id
        and with the tags of the page, which thereby is found as long only as nothing was invalidated since. Names that
        add to others replace them without a page: nobody knows what was removed meanwhile.
        """
        known = look.base if isinstance(look.base, Spec) else None
        if known is None and not record.names and may_be_base(ask, look.base):
            snapshot = Snapshot(record)
            return snapshot if await self._land(look.key, snapshot, terms, flight, ticket) else None
        if known is None:
            spec = Spec(record.names, token_bytes(8))
            lasting = replace(terms, ttl=terms.base_seconds, stale=None)
            if not await self._land(ask.key, spec, lasting, flight, ticket):
                return None
            snapshot = as_variant(ask, spec, record)
            return snapshot if await self._write(variant_key(ask, spec), snapshot, terms, flight) else None
        if not set(record.names) <= set(known.names):
            await self._learn(ask, known, record.names, terms, flight)
            return None
        if not await self._prolong(ask.key, terms.base_seconds):
            return None
        snapshot = as_variant(ask, known, record)
        return snapshot if await self._land(look.key, snapshot, terms, flight, ticket) else None

    async def _prolong(self, key: str, seconds: float) -> bool:
        """Let the names of variants be known for longer, if they were not removed.

        A store without fences may bring them back while they are removed: then a flight of their own is told.
        """
        if Capability.FENCES in self._backend.capabilities:
            return await self._backend.extend(self._io, key, seconds, self._version)
        flight_key = self._backend.flight_key(key, self._version, Kind.PAGE)
        flight, leads = self._flights.join(flight_key)
        while not leads:
            if not flight.is_storing:
                return False  # they are being made anew
            await self._io.twin(flight.wait_in_thread, flight.wait)
            flight, leads = self._flights.join(flight_key)
        try:
            there = flight.begin_storing() and await self._backend.extend(self._io, key, seconds, self._version)
            if there and flight.doomed:
                await self.remove(key)
            return there and not flight.doomed
        finally:
            flight.settle(GONE)

    async def _learn(
        self, ask: Ask, known: Spec, names: tuple[bytes, ...], terms: Terms, flight: Flight | None
    ) -> None:
        """Let later requests look by more names, unless the known ones were removed, or somebody learnt more."""
        more = tuple(sorted({*names, *known.names}))
        entry = await self._read(ask.key)
        if len(more) <= MAX_NAMES and entry is not None and entry.value == known:
            lasting = Terms(terms.base_seconds, (), None, 0.0)
            await self._write(ask.key, Spec(more, token_bytes(8)), lasting, flight)

    async def _land(self, key: str, found: Found, terms: Terms, flight: Flight | None, ticket: Ticket) -> bool:
        """Store by a right; a store without fences is told by flights, and says whether it could take it."""
        backend, peek = self._backend, self._backend.peek
        fenced = Capability.FENCES in backend.capabilities
        landed = await backend.land(
            self._io,
            key,
            found,
            terms.ttl if fenced else None,
            ticket,
            stale=terms.stale,
            tags=terms.tags,
            version=self._version,
            kind=Kind.PAGE,
        )
        if fenced:
            if landed and peek is not None and Capability.SHARED not in backend.capabilities:
                self._check_taken(peek(key, self._version, Kind.PAGE))
            return landed
        return landed and await self._write(key, found, terms, flight)

    def _check_taken(self, there: object) -> None:
        if there is None:
            raise NotTakenError

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
            await backend.remove(self._io, key, version)
            return False
        if not written:
            raise NotTakenError
        return True

    async def remove(self, key: str) -> None:
        """Remove a page."""
        await self._backend.remove(self._io, key, self._version)

    async def mark(self, ask: Ask, look: Look, found: Pass, names: tuple[bytes, ...], flight: Flight | None) -> None:
        """Let requests with the same values of these headers run their own for a while; pages stay."""
        spec, key = look.base, look.key
        if isinstance(spec, Spec):
            if not set(names) <= set(spec.names):
                return  # one odd request is not to take all variants with it
        elif spec is not None and not isinstance(spec, Pass):
            return
        elif 0 < len(names) <= MAX_NAMES:
            spec = Spec(names, token_bytes(8))
            if not await self._write(ask.key, spec, FOR_A_WHILE, flight):
                return
            key = variant_key(ask, spec)
        await self._write(key, found, FOR_A_WHILE, flight)

    async def _read(self, key: str) -> Entry | None:
        backend = self._backend
        try:
            read = backend.look if self._timed else backend.read
            return await self._opened(key, await read(self._io, key, self._version, Kind.PAGE))
        except Exception:  # whatever a store raises, the handler answers
            logger.debug("a page could not be read", exc_info=True)
            return None

    async def _read_both(self, key: str, variant: str) -> tuple[Entry | None, Entry | None]:
        backend = self._backend
        read = backend.look_many if self._timed else backend.read_many
        try:
            entries = await read(self._io, (key, variant), self._version, Kind.PAGE)
            return await self._opened(key, entries.get(key)), await self._opened(variant, entries.get(variant))
        except Exception:  # whatever a store raises, the handler answers
            logger.debug("a page could not be read", exc_info=True)
            return None, None

    async def _opened(self, key: str, entry: Entry | None) -> Entry | None:
        if entry is None or isinstance(entry.value, Found):
            return entry
        try:
            return replace(entry, value=restored(entry.value))
        except DamagedEntryError as damage:
            logger.warning("a stored page was not usable and is removed: %s", damage)
            await self.remove(key)
            return None


def _shielded() -> AbstractContextManager[object]:
    return anyio.CancelScope(shield=True)
