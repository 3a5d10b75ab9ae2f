"""What a backend can do, each written once: the plans of reading and writing, which do nothing here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.core.entry import Entry, Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asynccache.core.keys import Version
    from asynccache.core.lifetime import Ttl
    from asynccache.plan.io import IO

_PLAIN_ONLY = (
    "this backend has plain methods only: hand it to a CacheService, or to asynccache.backends.plain.PlainBackend"
)


class BackendPlans:
    """The plans that a backend writes; those that are not needed have a default."""

    async def read(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        """Find the live entry of this kind."""
        raise NotImplementedError(_PLAIN_ONLY)

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
        """Store for `ttl` seconds; 0 or less removes. The value of a PAGE or MARKER is any object with `__bytes__`."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def look(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        """Find the value for a read-through, with its times; also one that is over, where that was kept."""
        return await self.read(io, key, version, kind)

    async def look_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        """Find what there is for read-throughs, as `look` does for each."""
        looks = {key: await self.look(io, key, version, kind) for key in dict.fromkeys(keys)}
        return {key: entry for key, entry in looks.items() if entry is not None}

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
        """Store for `ttl` seconds, and keep it for `stale` more, in which `look` alone finds it, if the store can."""
        del stale
        return await self.write(io, key, value, ttl, version, kind, tags=tags)

    async def insert(self, io: IO, key: str, value: Any, ttl: float, version: Version = None) -> bool:
        """Store unless a live entry is there."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def remove(self, io: IO, key: str, version: Version = None) -> bool:
        """Remove the entry of whatever kind; tell whether there was one."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def exists(self, io: IO, key: str, version: Version = None) -> bool:
        """Tell whether there is a live entry of whatever kind."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def extend(self, io: IO, key: str, ttl: float, version: Version = None) -> bool:
        """Give a live entry of whatever kind a new lifetime; 0 or less removes it."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def bump(self, io: IO, key: str, delta: int, version: Version = None) -> int:
        """Add to a counter, which starts from 0."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def read_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        """Find the live entries of this kind."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def write_many(self, io: IO, values: Mapping[str, Any], ttl: float, version: Version = None) -> list[str]:
        """Store all; give the keys that failed."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def remove_many(self, io: IO, keys: Iterable[str], version: Version = None) -> int:
        """Remove all; tell how many there were."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def open(self, io: IO) -> None:
        """Get ready; called at start-up, and not needed before the first operation."""

    async def shut(self, io: IO) -> None:
        """Let go of connections; the backend can be used again afterwards."""

    def stats(self) -> dict[str, int]:
        """Give this backend's counters since it was made."""
        return {}

    # What plans go by

    def stored_key(self, key: str, version: Version = None) -> str:
        """Give the key in the store."""
        raise NotImplementedError

    def lifetime(self, ttl: Ttl) -> float:
        """Give the seconds that the ttl of a call means."""
        raise NotImplementedError
