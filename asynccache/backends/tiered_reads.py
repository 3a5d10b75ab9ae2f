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
            self._near.hits += 1
            return self._near.copies.entry(copy)
        try:
            entry = await self._asked(io, key, version, kind)
        except BackendUnavailableError as error:
            self._tolerated(error, misses=1)
            return None
        return self._counted(self._still_fresh(entry))

    async def look(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        stored_key = self.stored_key(key, version)
        copy = self._near.serving(stored_key, kind)
        if copy is not None:
            self._near.hits += 1
            return self._near.copies.entry(copy, copy.times)
        try:
            entry = await self._asked(io, key, version, kind)
        except BackendUnavailableError as error:
            stand_in = self._near.stand_in(stored_key, kind)
            if stand_in is None:
                self._tolerated(error, misses=1)
            return stand_in
        self._counted(self._still_fresh(entry))
        return entry

    async def read_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        found, missing = self._near_many(keys, version, kind)
        try:
            theirs = await self._asked_many(io, missing, version, kind) if missing else {}
        except BackendUnavailableError as error:
            self._tolerated(error, misses=len(missing))
            return found
        living = {key: self._counted(self._still_fresh(theirs.get(key))) for key in missing}
        return found | {key: entry for key, entry in living.items() if entry is not None}

    async def look_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        found, missing = self._near_many(keys, version, kind)
        try:
            theirs = await self._asked_many(io, missing, version, kind) if missing else {}
        except BackendUnavailableError as error:
            entries = {key: self._near.stand_in(self.stored_key(key, version), kind) for key in missing}
            theirs = {key: entry for key, entry in entries.items() if entry is not None}
            if len(theirs) < len(missing):
                self._tolerated(error, misses=len(missing) - len(theirs))
            return found | theirs
        for key in missing:
            self._counted(self._still_fresh(theirs.get(key)))
        return found | theirs

    async def exists(self, io: IO, key: str, version: Version = None) -> bool:
        if self._near.serving(self.stored_key(key, version), Kind.VALUE) is not None:
            return True
        try:
            await self._settled(io, self._item(key, version).version, [key], wide=True)
            return await self._far.exists(io, key, version)
        except BackendUnavailableError as error:
            self._tolerated(error)
            return False

    def _near_many(self, keys: Iterable[str], version: Version, kind: Kind) -> tuple[dict[str, Entry], list[str]]:
        """Give what is held of these, with its times, and the others."""
        found, missing = {}, []
        for key in dict.fromkeys(keys):
            copy = self._near.serving(self.stored_key(key, version), kind)
            if copy is None:
                missing.append(key)
            else:
                self._near.hits += 1
                found[key] = self._near.copies.entry(copy, copy.times)
        return found, missing

    def _value(self, copy: Copy) -> Any:
        self._near.hits += 1
        return self._near.copies.value(copy)
