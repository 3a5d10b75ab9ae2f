"""Every operation over three coroutines: what most backends inherit.

A store of bytes needs `_fetch`, `_store` and `_drop`; all else has a correct default, slower and not atomic, that a
store with better means overrides. Values travel as framed entries (`core/codec.py`), which know their key, their
kind and their lifetime; what does not fit is a miss, counted, logged once and removed.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from asynccache.backends.framing import added
from asynccache.backends.keeping import KeepingBackend
from asynccache.core import codec
from asynccache.core.codec import DamagedEntryError, Frame, MixedUpEntryError
from asynccache.core.entry import Kind
from asynccache.core.events import EntryDamaged
from asynccache.core.keys import key_hash
from asynccache.errors import BackendUnavailableError, ConfigurationError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asynccache.core.entry import Entry
    from asynccache.model import Version
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)


class StoreBackend(KeepingBackend, ABC):
    """A backend over a store of bytes.

    Args:
        on_error: what plain reads and `set` do while the store is away: `"miss"` (log once, count, go on) or `"raise"`.
        options: those of `BaseCacheBackend`.
    """

    def __init__(self, *, on_error: Literal["miss", "raise"] = "miss", **options: Any) -> None:
        super().__init__(**options)
        if on_error not in {"miss", "raise"}:
            raise ConfigurationError(f"on_error={on_error!r}: give 'miss' or 'raise'")
        self.on_error = on_error
        self._counts: Counter[str] = Counter()

    # Drivers: what a store can do. A key is a stored key, `ttl` is seconds or `math.inf`.

    @abstractmethod
    async def _fetch(self, io: IO, key: str) -> bytes | None:
        """Get the bytes."""

    @abstractmethod
    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        """Put the bytes; False where the store refuses them (and has then removed what was there)."""

    @abstractmethod
    async def _drop(self, io: IO, key: str) -> bool:
        """Remove; tell whether there was something."""

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        found = {key: await self._fetch(io, key) for key in keys}
        return {key: raw for key, raw in found.items() if raw is not None}

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        return [key for key, raw in raws.items() if not await self._store(io, key, raw, ttl)]

    async def _drop_many(self, io: IO, keys: list[str]) -> int:
        return sum([await self._drop(io, key) for key in keys])

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        if await self._living(io, key) is not None:
            return False
        return await self._store(io, key, raw, ttl)

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        frame = await self._living(io, key)
        return frame is not None and await self._store(io, key, self._stamped(frame, key, ttl), ttl)

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        frame = await self._living(io, key)
        number = added(frame, delta)
        left = ttl if frame is None else frame.remaining(self.clock())
        counter = replace(frame or Frame(b"", flags=codec.INTEGER), payload=codec.integer_payload(number))
        await self._store(io, key, self._stamped(counter, key, left), left)
        return number

    async def _mixed_up(self, io: IO) -> None:
        """Distrust the connections: one of them gave the reply to another's question."""

    # Plans

    async def read(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        stored_key = self.stored_key(key, version)
        try:
            raw = await self._fetch(io, stored_key)
        except BackendUnavailableError as error:
            self._tolerated(error, misses=1)
            return None
        return self._counted(None if raw is None else await self._opened(io, stored_key, raw, kind))

    async def look(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        stored_key = self.stored_key(key, version)
        try:
            raw = await self._fetch(io, stored_key)
        except BackendUnavailableError as error:
            self._tolerated(error, misses=1)
            return None
        entry = None if raw is None else await self._opened(io, stored_key, raw, kind, stale=True)
        self._counted(None if entry is None or entry.times.fresh_until <= self.clock() else entry)
        return entry

    async def read_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        return await self._found_many(io, keys, version, kind, stale=False)

    async def look_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        return await self._found_many(io, keys, version, kind, stale=True)

    async def _found_many(
        self, io: IO, keys: Iterable[str], version: Version, kind: Kind, *, stale: bool
    ) -> dict[str, Entry]:
        by_stored = {self.stored_key(key, version): key for key in keys}
        try:
            raws = await self._fetch_many(io, list(by_stored)) if by_stored else {}
        except BackendUnavailableError as error:
            self._tolerated(error, misses=len(by_stored))
            return {}
        entries = {}
        for stored_key, key in by_stored.items():
            raw = raws.get(stored_key)
            entry = None if raw is None else await self._opened(io, stored_key, raw, kind, stale=stale)
            self._counted(None if entry is None or entry.times.fresh_until <= self.clock() else entry)
            if entry is not None:
                entries[key] = entry
        return entries

    async def write(
        self,
        io: IO,
        key: str,
        value: Any,
        ttl: float,
        version: Version = None,
        kind: Kind = Kind.VALUE,
        *,
        tags: tuple[str, ...] = (),
    ) -> bool:
        return await self._written(io, self.stored_key(key, version), value, ttl, kind, tags=tags)

    async def keep(
        self,
        io: IO,
        key: str,
        value: Any,
        ttl: float,
        stale: float,
        version: Version = None,
        *,
        tags: tuple[str, ...] = (),
        kind: Kind = Kind.VALUE,
    ) -> bool:
        return await self._written(io, self.stored_key(key, version), value, ttl, kind, stale=stale, tags=tags)

    async def _written(
        self,
        io: IO,
        stored_key: str,
        value: Any,
        ttl: float,
        kind: Kind,
        *,
        stale: float = 0.0,
        tags: tuple[str, ...] = (),
    ) -> bool:
        try:
            if ttl <= 0:
                await self._drop(io, stored_key)
                return True
            raw = await self._closed(io, stored_key, value, ttl, kind, stale=stale, tags=tags)
            return await self._store(io, stored_key, raw, ttl + stale)
        except BackendUnavailableError as error:
            self._tolerated(error)
            return False

    async def write_many(self, io: IO, values: Mapping[str, Any], ttl: float, version: Version = None) -> list[str]:
        by_stored = {self.stored_key(key, version): key for key in values}
        try:
            if ttl <= 0:
                await self._drop_many(io, list(by_stored))
                return []
            raws = await self._closed_many(io, {stored: values[key] for stored, key in by_stored.items()}, ttl)
            return [by_stored[stored] for stored in await self._store_many(io, raws, ttl)]
        except BackendUnavailableError as error:
            self._tolerated(error)
            return list(values)

    async def remove(self, io: IO, key: str, version: Version = None) -> bool:
        return await self._removed(io, self.stored_key(key, version))

    async def remove_many(self, io: IO, keys: Iterable[str], version: Version = None) -> int:
        stored_keys = list({self.stored_key(key, version) for key in keys})
        if self.expires_entries:
            return await self._drop_many(io, stored_keys) if stored_keys else 0
        return sum([await self._removed(io, stored_key) for stored_key in stored_keys])

    async def exists(self, io: IO, key: str, version: Version = None) -> bool:
        try:
            return await self._living(io, self.stored_key(key, version)) is not None
        except BackendUnavailableError as error:
            self._tolerated(error)
            return False

    def stats(self) -> dict[str, int]:
        """Give `hits`, `misses`, `errors` (operations that the store did not answer) and `damaged` entries."""
        return {name: self._counts[name] for name in ("hits", "misses", "errors", "damaged")}

    # Entries

    async def _closed(
        self,
        io: IO,
        stored_key: str,
        value: Any,
        ttl: float,
        kind: Kind,
        *,
        stale: float,
        tags: tuple[str, ...],
    ) -> bytes:
        """Encode; a value that cannot be encoded takes the old one with it, so that no stale value stays."""
        try:
            return self._encoded(stored_key, value, ttl, kind, stale, tags)
        except SerializationError:
            with suppress(BackendUnavailableError):  # the caller's mistake is what to tell
                await self._drop(io, stored_key)
            raise

    async def _closed_many(self, io: IO, values: Mapping[str, Any], ttl: float) -> dict[str, bytes]:
        """Encode all; one value that cannot be encoded takes all old ones with it."""
        try:
            return {stored: self._encoded(stored, value, ttl, Kind.VALUE) for stored, value in values.items()}
        except SerializationError:
            with suppress(BackendUnavailableError):
                await self._drop_many(io, list(values))
            raise

    async def _framed(self, io: IO, stored_key: str, raw: bytes) -> Frame | None:
        """Decode what was fetched; None where it is damaged, another's or to be removed."""
        try:
            return self._current_frame(raw, key_hash(stored_key))
        except DamagedEntryError as damage:
            await self._damaged(io, stored_key, damage)
            return None

    async def _living(self, io: IO, stored_key: str) -> Frame | None:
        raw = await self._fetch(io, stored_key)
        frame = None if raw is None else await self._framed(io, stored_key, raw)
        return None if frame is None or (frame.stale_ms and not self._lives(frame)) else frame

    async def _removed(self, io: IO, stored_key: str) -> bool:
        """Remove; tell whether there was a live one, since a store that ends no lifetimes may hold a dead one."""
        was_there = self.expires_entries or await self._living(io, stored_key) is not None
        return await self._drop(io, stored_key) and was_there

    async def _opened(self, io: IO, stored_key: str, raw: bytes, kind: Kind, *, stale: bool = False) -> Entry | None:
        try:
            return self._entry(stored_key, raw, kind, timed=stale)
        except (DamagedEntryError, SerializationError) as damage:
            await self._damaged(io, stored_key, damage)
            return None

    # Faults

    async def _damaged(self, io: IO, stored_key: str, damage: Exception) -> None:
        self._counts["damaged"] += 1
        log = logger.warning if self._counts["damaged"] == 1 else logger.debug
        log("%s: an entry was not usable and is removed: %s", self.name, damage)
        self.tell(EntryDamaged(self.name, stored_key, str(damage)))
        try:
            if isinstance(damage, MixedUpEntryError):
                await self._mixed_up(io)
            await self._drop(io, stored_key)
        except BackendUnavailableError:
            logger.debug("%s: and it could not be removed", self.name)

    def _tolerated(self, error: BackendUnavailableError, misses: int = 0) -> None:
        """Raise, or count the misses that a store which is away amounts to, as `on_error` says."""
        if self.on_error == "raise":
            raise error
        self._counts["misses"] += misses

    def _counted(self, entry: Entry | None) -> Entry | None:
        self._counts["misses" if entry is None else "hits"] += 1
        return entry
