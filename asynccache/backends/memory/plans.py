"""The plans over a store in memory, which never wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.memory.operations import MISSING
from asynccache.backends.memory.rights import RightsInMemory, plain
from asynccache.core.entry import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asynccache.model import Version
    from asynccache.plan.io import IO


class PlansInMemory(RightsInMemory):
    """The plans that read and write."""

    async def read(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        value = self._do.look(self._space(version), plain(key), kind)
        return None if value is MISSING else Entry(value)

    async def look(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        return self._do.look_kept(self._space(version), plain(key), kind)

    async def read_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        space = self._space(version)
        found = {key: self._do.look(space, plain(key), kind) for key in dict.fromkeys(keys)}
        return {key: Entry(value) for key, value in found.items() if value is not MISSING}

    async def exists(self, io: IO, key: str, version: Version = None) -> bool:
        return self._do.has(self._space(version), plain(key))

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
        return self._do.put(self._space(version), plain(key), value, ttl, kind, tags=tags)

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
        return self._do.put(self._space(version), plain(key), value, ttl, kind, stale=stale, tags=tags)

    async def write_many(self, io: IO, values: Mapping[str, Any], ttl: float, version: Version = None) -> list[str]:
        return self._do.put_many(self._space(version), {plain(key): value for key, value in values.items()}, ttl)

    async def insert(self, io: IO, key: str, value: Any, ttl: float, version: Version = None) -> bool:
        return self._do.add(self._space(version), plain(key), value, ttl)

    async def remove(self, io: IO, key: str, version: Version = None) -> bool:
        return self._do.store.drop(self._space(version), plain(key))

    async def remove_many(self, io: IO, keys: Iterable[str], version: Version = None) -> int:
        return self._do.drop_many(self._space(version), [plain(key) for key in keys])

    async def extend(self, io: IO, key: str, ttl: float, version: Version = None) -> bool:
        return self._do.touch(self._space(version), plain(key), ttl)

    async def bump(self, io: IO, key: str, delta: int, version: Version = None) -> int:
        return self._do.bump(self._space(version), plain(key), delta, self.default_ttl)
