"""The pages of a backend: under a key lies a page, or the names that its variants depend on; each of them below.

Every page carries the names and values it was made for, and whoever reads it checks them: that alone makes it right.
The `Spec` is a hint with a random id that its variants repeat, so that removing the key removes them all.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

import msgspec

from asynccache.core.codec import DamagedEntryError
from asynccache.core.entry import Kind
from asynccache.http.ask import Ask, values_of
from asynccache.http.settings import MAX_NAMES
from asynccache.http.snapshot import Found, Pass, Record, Snapshot, Spec, restored

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.core.entry import Entry
    from asynccache.http.ask import Owner
    from asynccache.loading.flights import Flight
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
PASS_SECONDS = 60.0
_HINTS = 4096
_SHORT = 512
_hints: dict[tuple[int, str], Spec] = {}
_variants: dict[tuple[object, ...], str] = {}


@dataclass(frozen=True, slots=True)
class Look:
    """What a request found under its key, and of that what concerns it: a page that fits, or a mark."""

    base: Found | None
    found: Snapshot | Pass | None
    key: str

    def suits(self, ask: Ask) -> bool:
        """Tell whether what was found answers the request."""
        return type(self.found) is Snapshot and not ask.is_barred(self.found.record)


class Pages:
    """Reads and writes the pages of one backend."""

    __slots__ = ("_backend", "_io", "_version")

    def __init__(self, backend: BaseCacheBackend, version: Version, io: IO) -> None:
        self._backend = backend
        self._version = version
        self._io = io

    async def look(self, ask: Ask) -> Look:
        """Look a page up; a store that is away or talks nonsense has none."""
        key = ask.key
        hint = _hints.get((id(self._backend), key))
        if hint is None:
            base = await self._read(key)
            return await self._below(ask, base) if isinstance(base, Spec) else _look(ask, base)
        variant = variant_key(ask, hint)
        base, found = await self._read_both(key, variant)
        if not isinstance(base, Spec):
            return _look(ask, base)
        return _of_variant(ask, base, found, variant) if base == hint else await self._below(ask, base)

    async def _below(self, ask: Ask, spec: Spec) -> Look:
        if len(_hints) >= _HINTS:
            _hints.clear()
        if len(ask.key) <= _SHORT:
            _hints[id(self._backend), ask.key] = spec
        variant = variant_key(ask, spec)
        return _of_variant(ask, spec, await self._read(variant), variant)

    async def store(self, ask: Ask, look: Look, record: Record, ttl: float, flight: Flight | None) -> Snapshot | None:
        """Store a page where this request and those like it find it; None where that was not possible."""
        key = ask.key
        if record.names or not _is_base(ask, look.base):
            spec = await self._spec_for(ask, look, record, ttl, flight)
            if spec is None:
                return None
            values = values_of(ask.headers, spec.names)
            record = msgspec.structs.replace(record, names=spec.names, values=values, spec_id=spec.id)
            key = variant_key(ask, spec)
        snapshot = Snapshot(record)
        return snapshot if await self._write(key, snapshot, ttl, flight) else None

    async def _spec_for(self, ask: Ask, look: Look, record: Record, ttl: float, flight: Flight | None) -> Spec | None:
        known = look.base if isinstance(look.base, Spec) else None
        if known and set(record.names) <= set(known.names):
            return known if await self._backend.extend(self._io, ask.key, ttl, self._version) else None
        if known and await self._read(ask.key) != known:
            return None  # it was removed in the meantime, or somebody learnt more
        names = sorted({*record.names, *(known.names if known else ())})
        spec = Spec(tuple(names), token_bytes(8))
        return spec if len(names) <= MAX_NAMES and await self._write(ask.key, spec, ttl, flight) else None

    async def _write(self, key: str, found: Found, ttl: float, flight: Flight | None) -> bool:
        if flight is not None and not flight.begin_storing():
            return False
        written = await self._backend.write(self._io, key, found, ttl, self._version, Kind.PAGE)
        if flight is not None and flight.doomed:
            await self._backend.remove(self._io, key, self._version)
            return False
        return written

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
            if not await self._write(ask.key, spec, PASS_SECONDS, flight):
                return
            key = variant_key(ask, spec)
        await self._write(key, found, PASS_SECONDS, flight)

    async def _read(self, key: str) -> Found | None:
        try:
            return await self._opened(key, await self._backend.read(self._io, key, self._version, Kind.PAGE))
        except Exception:  # whatever a store raises, the handler answers
            logger.debug("a page could not be read", exc_info=True)
            return None

    async def _read_both(self, key: str, variant: str) -> tuple[Found | None, Found | None]:
        try:
            entries = await self._backend.read_many(self._io, (key, variant), self._version, Kind.PAGE)
            return await self._opened(key, entries.get(key)), await self._opened(variant, entries.get(variant))
        except Exception:  # whatever a store raises, the handler answers
            logger.debug("a page could not be read", exc_info=True)
            return None, None

    async def _opened(self, key: str, entry: Entry | None) -> Found | None:
        if entry is None or isinstance(entry.value, Found):
            return None if entry is None else entry.value
        try:
            return restored(entry.value)
        except DamagedEntryError as damage:
            logger.warning("a stored page was not usable and is removed: %s", damage)
            await self._backend.remove(self._io, key, self._version)
            return None


def glance(peek: Callable[[str, Version, Kind], Any], version: Version, ask: Ask) -> Look:
    """Look a page up in a backend that can be asked without waiting."""
    base = peek(ask.key, version, Kind.PAGE)
    if type(base) is not Spec:
        return _look(ask, base)
    variant = variant_key(ask, base)
    return _of_variant(ask, base, peek(variant, version, Kind.PAGE), variant)


def variant_key(ask: Ask, spec: Spec) -> str:
    """Give the key of the variant for this request."""
    return variant_of(ask.key, ask.owner, spec, values_of(ask.headers, spec.names))


def variant_of(base_key: str, owner: Owner, spec: Spec, values: tuple[bytes | None, ...]) -> str:
    """Give the key of a variant; remembered for those that come again and again."""
    asked = (base_key, owner, spec.id, values)
    key = _variants.get(asked)
    if key is None:
        parts = msgspec.msgpack.encode((*owner, *spec.names, *values, spec.id))
        key = f"{base_key}#{blake2b(parts, digest_size=16).hexdigest()}"
        if len(_variants) >= _HINTS:
            _variants.clear()
        if len(base_key) + len(parts) <= 2 * _SHORT:
            _variants[asked] = key
    return key


def _look(ask: Ask, base: Found | None) -> Look:
    if isinstance(base, Snapshot):
        fits = not base.record.spec_id and ask.fits(base.record)
        return Look(base, base if fits else None, ask.key)
    return Look(base, _heeded(ask, base), ask.key)


def _of_variant(ask: Ask, spec: Spec, found: Found | None, key: str) -> Look:
    if isinstance(found, Snapshot):
        fits = found.record.spec_id == spec.id and ask.fits(found.record)
        return Look(spec, found if fits else None, key)
    return Look(spec, _heeded(ask, found), key)


def _heeded(ask: Ask, found: Found | None) -> Pass | None:
    """Give the mark, if it is one and concerns this request."""
    return found if isinstance(found, Pass) and (not found.personal or ask.is_personal()) else None


def _is_base(ask: Ask, base: Found | None) -> bool:
    """Tell whether a page that depends on nothing may lie under the key itself."""
    if isinstance(base, Snapshot):
        return base.record.owner == ask.owner
    return not isinstance(base, Spec)
