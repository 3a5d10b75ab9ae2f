"""Reads of two tiers: the near one first, then the store, of which what it gives is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.tiered_base import Tiers
from asynccache.core.entry import Entry, Kind
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asynccache.backends.tiered_copies import Copy
    from asynccache.model import Version
    from asynccache.plan.io import IO


class TierReads(Tiers):
    """The plans that read, and what is quicker than a plan."""

    def peek(self, key: str, version: Version, kind: Kind) -> Any:
        copy = self._near.serving(self.stored_key(key, version), kind)
        return None if copy is None else self._value(copy)

    def get(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        copy = self._near.serving(self.stored_key(key, version), Kind.VALUE)
        if copy is not None:
            return self._value(copy)
        entry = run(self.read(BLOCKING, key, version))
        return default if entry is None else entry.value

    async def get_async(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        copy = self._near.serving(self.stored_key(key, version), Kind.VALUE)
        if copy is not None:
            return self._value(copy)
        entry = await self.read(LOOP, key, version)
        return default if entry is None else entry.value

    async def read(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        copy = self._near.serving(self.stored_key(key, version), kind)
        if copy is not None:
            self._count_near()
            return self._near.copies.entry(copy)
        try:
            entry = await self._asked(io, key, version, kind)
        except BackendUnavailableError as error:
            self._tolerated(error, misses=1)
            return None
        return self._counted(entry)

    async def look(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        stored_key = self.stored_key(key, version)
        copy = self._near.serving(stored_key, kind)
        if copy is not None:
            self._count_near()
            return self._near.copies.entry(copy, copy.times)
        try:
            entry = await self._asked(io, key, version, kind)
        except BackendUnavailableError as error:
            stand_in = self._near.stand_in(stored_key, kind)
            if stand_in is None:
                self._tolerated(error, misses=1)
            return stand_in
        self._counted(entry)
        return entry

    async def read_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        found = await self._seen_many(io, keys, version, kind)
        return {key: entry for key, entry in found.items() if self._counted(entry) is not None and entry is not None}

    async def look_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        found = await self._seen_many(io, keys, version, kind)
        for entry in found.values():
            self._counted(entry)
        return {key: entry for key, entry in found.items() if entry is not None}

    async def exists(self, io: IO, key: str, version: Version = None) -> bool:
        if self._near.serving(self.stored_key(key, version), Kind.VALUE) is not None:
            return True
        try:
            await self._settled(io, self._item(key, version).version, [key], wide=True)
            return await self._far.exists(io, key, version)
        except BackendUnavailableError as error:
            self._tolerated(error)
            return False

    async def _seen_many(self, io: IO, keys: Iterable[str], version: Version, kind: Kind) -> dict[str, Entry | None]:
        """Give what is there for each key, with its times; None: a miss."""
        found: dict[str, Entry | None] = {}
        for key in dict.fromkeys(keys):
            copy = self._near.serving(self.stored_key(key, version), kind)
            found[key] = None if copy is None else self._near.copies.entry(copy, copy.times)
            self._counts["near"] += copy is not None
        missing = [key for key, entry in found.items() if entry is None]
        try:
            found.update(await self._asked_many(io, missing, version, kind) if missing else {})
        except BackendUnavailableError as error:
            self._tolerated(error)
        return found

    def _value(self, copy: Copy) -> Any:
        self._count_near()
        return self._near.copies.value(copy)

    def _count_near(self) -> None:
        self._counts["hits"] += 1
        self._counts["near"] += 1

    def _counted(self, entry: Entry | None) -> Entry | None:
        """Count it, and give it if it is more than a stale value."""
        lives = entry is not None and entry.times.fresh_until > self.clock()
        self._counts["hits" if lives else "misses"] += 1
        return entry if lives else None
