"""Every operation over three coroutines: what most backends inherit.

A store of bytes needs `_fetch`, `_store` and `_drop`; all else has a correct default, slower and not atomic, that a
store with better means overrides (`drivers.py`).
"""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any

from asynccache.backends.keeping import KeepingBackend
from asynccache.core.entry import Kind
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asynccache.core.entry import Entry
    from asynccache.model import Version
    from asynccache.plan.io import IO


class StoreBackend(KeepingBackend, ABC):
    """A backend over a store of bytes.

    Args:
        on_error: what plain reads and `set` do while the store is away: `"miss"` (log once, count, go on) or `"raise"`.
        options: those of `BaseCacheBackend`.
    """

    async def read(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        return await self._found(io, key, version, kind, stale=False)

    async def look(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        return await self._found(io, key, version, kind, stale=True)

    async def _found(self, io: IO, key: str, version: Version, kind: Kind, *, stale: bool) -> Entry | None:
        stored_key = self.stored_key(key, version)
        try:
            raw = await self._fetch(io, stored_key)
        except BackendUnavailableError as error:
            self._tolerated(error, misses=1)
            return None
        entry = None if raw is None else await self._opened(io, stored_key, raw, kind, stale=stale)
        self._counted(self._still_fresh(entry))
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
            self._counted(self._still_fresh(entry))
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
