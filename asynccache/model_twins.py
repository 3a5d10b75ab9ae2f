"""What users call, in two flavours over one plan each: off a loop, where `run` finishes it, and on one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.core import keys
from asynccache.core.counters import checked_delta
from asynccache.core.tags import tagged
from asynccache.fence import Unfenced
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asynccache.core.entry import Entry
    from asynccache.core.keys import Version
    from asynccache.core.lifetime import Ttl


class BackendTwins(Unfenced):
    """The operations of a backend; a ttl is in seconds or a `timedelta`, and `None` is the backend's default."""

    def get(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        """Return the value, or `default` on a miss."""
        entry = run(self.read(BLOCKING, key, version))
        return default if entry is None else entry.value

    async def get_async(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        """Return the value, or `default` on a miss."""
        entry = await self.read(LOOP, key, version)
        return default if entry is None else entry.value

    def set(self, key: str, value: Any, ttl: Ttl = None, version: Version = None, *, tags: Iterable[str] = ()) -> bool:
        """Store a value; False where the store could not take it (the old value is then gone)."""
        return run(self.write(BLOCKING, key, value, self.lifetime(ttl), version, tags=tagged(tags)))

    async def set_async(
        self, key: str, value: Any, ttl: Ttl = None, version: Version = None, *, tags: Iterable[str] = ()
    ) -> bool:
        """Store a value; False where the store could not take it (the old value is then gone)."""
        return await self.write(LOOP, key, value, self.lifetime(ttl), version, tags=tagged(tags))

    def add(self, key: str, value: Any, ttl: Ttl = None, version: Version = None) -> bool:
        """Store a value unless there is one; tell whether it was stored."""
        return run(self.insert(BLOCKING, key, value, self.lifetime(ttl), version))

    async def add_async(self, key: str, value: Any, ttl: Ttl = None, version: Version = None) -> bool:
        """Store a value unless there is one; tell whether it was stored."""
        return await self.insert(LOOP, key, value, self.lifetime(ttl), version)

    def delete(self, key: str, version: Version = None) -> bool:
        """Remove an entry; tell whether there was one."""
        return run(self.remove(BLOCKING, key, version))

    async def delete_async(self, key: str, version: Version = None) -> bool:
        """Remove an entry; tell whether there was one."""
        return await self.remove(LOOP, key, version)

    def has_key(self, key: str, version: Version = None) -> bool:
        """Tell whether there is a live entry."""
        return run(self.exists(BLOCKING, key, version))

    async def has_key_async(self, key: str, version: Version = None) -> bool:
        """Tell whether there is a live entry."""
        return await self.exists(LOOP, key, version)

    def touch(self, key: str, ttl: Ttl = None, version: Version = None) -> bool:
        """Give an entry a new lifetime; tell whether there was one."""
        return run(self.extend(BLOCKING, key, self.lifetime(ttl), version))

    async def touch_async(self, key: str, ttl: Ttl = None, version: Version = None) -> bool:
        """Give an entry a new lifetime; tell whether there was one."""
        return await self.extend(LOOP, key, self.lifetime(ttl), version)

    def incr(self, key: str, delta: int = 1, version: Version = None) -> int:
        """Add to a counter and return it; a missing one starts from 0 with the default ttl."""
        return run(self.bump(BLOCKING, key, checked_delta(delta), version))

    async def incr_async(self, key: str, delta: int = 1, version: Version = None) -> int:
        """Add to a counter and return it; a missing one starts from 0 with the default ttl."""
        return await self.bump(LOOP, key, checked_delta(delta), version)

    def decr(self, key: str, delta: int = 1, version: Version = None) -> int:
        """Subtract from a counter and return it; a missing one starts from 0 with the default ttl."""
        return run(self.bump(BLOCKING, key, -checked_delta(delta), version))

    async def decr_async(self, key: str, delta: int = 1, version: Version = None) -> int:
        """Subtract from a counter and return it; a missing one starts from 0 with the default ttl."""
        return await self.bump(LOOP, key, -checked_delta(delta), version)

    def get_many(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        """Return the values that are there, by key."""
        return _values(run(self.read_many(BLOCKING, keys, version)))

    async def get_many_async(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        """Return the values that are there, by key."""
        return _values(await self.read_many(LOOP, keys, version))

    def set_many(self, mapping: Mapping[str, Any], ttl: Ttl = None, version: Version = None) -> list[str]:
        """Store all values; return the keys that could not be stored."""
        return run(self.write_many(BLOCKING, keys.mapped(mapping), self.lifetime(ttl), version))

    async def set_many_async(self, mapping: Mapping[str, Any], ttl: Ttl = None, version: Version = None) -> list[str]:
        """Store all values; return the keys that could not be stored."""
        return await self.write_many(LOOP, keys.mapped(mapping), self.lifetime(ttl), version)

    def delete_many(self, keys: Iterable[str], version: Version = None) -> int:
        """Remove all these entries; return how many there were."""
        return run(self.remove_many(BLOCKING, keys, version))

    async def delete_many_async(self, keys: Iterable[str], version: Version = None) -> int:
        """Remove all these entries; return how many there were."""
        return await self.remove_many(LOOP, keys, version)

    def invalidate_tags(self, *tags: str, version: Version = None) -> None:
        """Invalidate all entries with one of these tags, and all that is being loaded with one."""
        run(self.void(BLOCKING, tagged(tags), version))

    async def invalidate_tags_async(self, *tags: str, version: Version = None) -> None:
        """Invalidate all entries with one of these tags, and all that is being loaded with one."""
        await self.void(LOOP, tagged(tags), version)

    def clear(self, version: Version = None) -> None:
        """Remove all entries of this prefix and version."""
        run(self.empty(BLOCKING, version))

    async def clear_async(self, version: Version = None) -> None:
        """Remove all entries of this prefix and version."""
        await self.empty(LOOP, version)

    def close(self) -> None:
        """Let go of connections."""
        run(self.shut(BLOCKING))

    async def aclose(self) -> None:
        """Let go of connections."""
        await self.shut(LOOP)


def _values(entries: Mapping[str, Entry]) -> dict[str, Any]:
    return {key: entry.value for key, entry in entries.items()}
