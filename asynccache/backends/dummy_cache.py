"""A cache that keeps nothing: for development, and for tests of code that must work without hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.core.counters import checked_delta, counted
from asynccache.core.entry import Entry, Kind
from asynccache.model import BaseCacheBackend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asynccache.model import Version
    from asynccache.plan.io import IO


class DummyCacheBackend(BaseCacheBackend):
    """Answers every call as an empty cache would, and forgets what it was given.

    Reads are misses, `set` and `add` are True, counters start from 0 each time. Arguments are checked as by any other
    backend; values are not encoded.
    """

    async def read(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        self.stored_key(key, version)
        return None

    async def read_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        self._check(keys, version)
        return {}

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
        self.stored_key(key, version)
        return True

    async def write_many(self, io: IO, values: Mapping[str, Any], ttl: float, version: Version = None) -> list[str]:
        self._check(values, version)
        return []

    async def empty(self, io: IO, version: Version = None) -> None:
        self.stored_key("", version)

    async def insert(self, io: IO, key: str, value: Any, ttl: float, version: Version = None) -> bool:
        self.stored_key(key, version)
        return True

    async def remove(self, io: IO, key: str, version: Version = None) -> bool:
        self.stored_key(key, version)
        return False

    async def remove_many(self, io: IO, keys: Iterable[str], version: Version = None) -> int:
        self._check(keys, version)
        return 0

    async def exists(self, io: IO, key: str, version: Version = None) -> bool:
        self.stored_key(key, version)
        return False

    async def extend(self, io: IO, key: str, ttl: float, version: Version = None) -> bool:
        self.stored_key(key, version)
        return False

    async def bump(self, io: IO, key: str, delta: int, version: Version = None) -> int:
        self.stored_key(key, version)
        return counted(0, checked_delta(delta))

    def _check(self, keys: Iterable[str], version: Version) -> None:
        for key in keys:
            self.stored_key(key, version)
