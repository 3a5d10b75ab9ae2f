"""The pages of a backend: reading them, the right to load one, and storing it where those who look will find it."""

from __future__ import annotations

from secrets import token_bytes
from typing import TYPE_CHECKING

import msgspec

from asynccache.http.page_store import PageStore
from asynccache.http.settings import MAX_NAMES
from asynccache.http.snapshot import Pass, Record, Snapshot, Spec
from asynccache.http.terms import FOR_A_WHILE, Terms
from asynccache.http.variants import SHORT, as_variant, look_at, look_at_variant, may_be_base, variant_key

if TYPE_CHECKING:
    from asynccache.core.claims import Ticket
    from asynccache.http.ask import Ask
    from asynccache.http.variants import Look
    from asynccache.loading.flight import Flight

_HINTS = 4096
_hints: dict[tuple[int, str], Spec] = {}


class Pages(PageStore):
    """Reads and writes the pages that `@Cache` keeps in one backend."""

    __slots__ = ()

    async def look(self, ask: Ask) -> Look:
        """Look a page up; a store that is away or talks nonsense has none."""
        key = ask.key
        hint = _hints.get((id(self._backend), key))
        if hint is None:
            entry = await self._read(key)
            base = None if entry is None else entry.value
            return await self._below(ask, base) if isinstance(base, Spec) else look_at(ask, entry)
        variant = variant_key(ask, hint)
        entries = await self._read_many((key, variant))
        entry, found = entries[key], entries[variant]
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

    async def store(
        self, ask: Ask, look: Look, record: Record, terms: Terms, flight: Flight | None, ticket: Ticket
    ) -> Snapshot | None:
        """Store a page where this request and those like it find it; None where that was not possible.

        The ticket is for where the request looked, and lands there: the page; or the names of its variants, by a new id
        and with the tags of the page, which thereby is found as long only as nothing was invalidated since. Names that
        add to others replace them without a page: nobody knows what was removed meanwhile.
        """
        if not self.is_told_of(flight, look):
            return None
        known = look.base if isinstance(look.base, Spec) else None
        if known is None and not record.names and may_be_base(ask, look.base):
            snapshot = Snapshot(record)
            return snapshot if await self._land(look.key, snapshot, terms, flight, ticket) else None
        if known is None:
            spec = Spec(record.names, token_bytes(8))
            lasting = msgspec.structs.replace(terms, ttl=terms.base_seconds, stale=None)
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

    async def _learn(
        self, ask: Ask, known: Spec, names: tuple[bytes, ...], terms: Terms, flight: Flight | None
    ) -> None:
        """Let later requests look by more names, unless the known ones were removed, or somebody learnt more."""
        more = tuple(sorted({*names, *known.names}))
        entry = await self._read(ask.key)
        if len(more) <= MAX_NAMES and entry is not None and entry.value == known:
            lasting = Terms(terms.base_seconds, (), None, 0.0)
            await self._write(ask.key, Spec(more, token_bytes(8)), lasting, flight)

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
