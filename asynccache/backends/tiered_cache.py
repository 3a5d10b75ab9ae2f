"""Local memory in front of a shared store: hits without I/O, and what others change is heard of a moment later."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from asynccache.backends.tiered_rights import TierRights, entry_of
from asynccache.core.entry import Entry, Kind
from asynccache.errors import BackendUnavailableError, SerializationError
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from asynccache.backends.tiered_copies import Copy
    from asynccache.model import Version
    from asynccache.plan.io import IO


class TieredCacheBackend(TierRights):
    """Holds what it gets from a shared store in local memory: `TieredCacheBackend(LocalMemCacheBackend(), redis)`.

    All writes go to the store, and so do counters, locks and rights to load. What this process changes is changed here
    when the call returns. What others change is heard of within milliseconds from the log of the store (Redis, SQL);
    where there has been no news for `max_staleness` seconds, local memory is not used. Stores without a log (memcached)
    are asked again after that time. While the store is away, values older than that are stale, what is loaded is kept
    here for that time, and invalidations raise `BackendUnavailableError` with `queued=True`: they are done when it
    answers again, before it is used for what they concern. All options that every backend has are those of `l2`.

    Args:
        l1: bounds of the local memory, which is used for nothing else.
        l2: the shared store. Both are closed with the tiers.
        max_staleness: seconds by which a value may be older than what another process has changed.

    Raises `ConfigurationError` for what is no backend of these kinds, and for `max_staleness` that is not above 0.
    """

    def stats(self) -> dict[str, int]:
        """Give `hits`, those of them that were `near`, `misses`, `errors`, `flushes` and what is `queued` just now.

        `flushes`: how often all of a part was forgotten, because something was missing in the log; `queued`:
        invalidations that are still to be done at the store.
        """
        counted = {name: self._counts[name] for name in ("hits", "near", "misses", "errors")}
        return counted | {"flushes": self._near.flushes, "queued": len(self._journal)}

    # Reading

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

    # Writing

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
        write = partial(self._far.write, io, key, value, ttl, version, kind, tags=tags)
        return await self._written(io, key, version, kind, entry_of(value, ttl, 0.0, tags, self.clock()), write)

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
        write = partial(self._far.keep, io, key, value, ttl, stale, version, tags=tags, kind=kind)
        return await self._written(io, key, version, kind, entry_of(value, ttl, stale, tags, self.clock()), write)

    async def write_many(self, io: IO, values: Mapping[str, Any], ttl: float, version: Version = None) -> list[str]:
        try:
            with self._changing(values, version):
                return await self._far.write_many(io, values, ttl, version)
        except BackendUnavailableError as error:
            self._tolerated(error)
            return list(values)
        except SerializationError:
            with suppress(BackendUnavailableError):
                await self.remove_many(io, values, version)
            raise

    async def insert(self, io: IO, key: str, value: Any, ttl: float, version: Version = None) -> bool:
        await self._settled(io, self._item(key, version).version, [key], wide=True)
        with self._touching(self.stored_key(key, version)):
            return await self._far.insert(io, key, value, ttl, version)

    async def remove(self, io: IO, key: str, version: Version = None) -> bool:
        with self._changing([key], version):
            return await self._far.remove(io, key, version)

    async def remove_many(self, io: IO, keys: Iterable[str], version: Version = None) -> int:
        chosen = list(dict.fromkeys(keys))
        if not chosen:
            return 0
        with self._changing(chosen, version):
            return await self._far.remove_many(io, chosen, version)

    async def extend(self, io: IO, key: str, ttl: float, version: Version = None) -> bool:
        if ttl <= 0:
            return await self.remove(io, key, version)
        await self._settled(io, self._item(key, version).version, [key], wide=True)
        with self._touching(self.stored_key(key, version)):
            return await self._far.extend(io, key, ttl, version)

    async def bump(self, io: IO, key: str, delta: int, version: Version = None) -> int:
        await self._settled(io, self._item(key, version).version, [key], wide=True)
        with self._touching(self.stored_key(key, version)):
            return await self._far.bump(io, key, delta, version)

    async def void(self, io: IO, tags: Iterable[str], version: Version = None) -> None:
        if chosen := tuple(tags):
            with self._changing([], version, tags=chosen):
                await self._far.void(io, chosen, version)

    async def empty(self, io: IO, version: Version = None) -> None:
        with self._changing([], version):
            await self._far.empty(io, version)

    async def open(self, io: IO) -> None:
        await self._far.open(io)

    async def shut(self, io: IO) -> None:
        self._replay.stop()
        self._watch.end()
        try:
            await self._replay.do_last(io)
        finally:
            await self._far.shut(io)

    # Parts of these

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

    async def _written(
        self, io: IO, key: str, version: Version, kind: Kind, entry: Entry, write: Callable[[], Awaitable[bool]]
    ) -> bool:
        stored_key, item = self.stored_key(key, version), self._item(key, version)
        try:
            with self._near.stamps() as stamps, self._changing([key], version):
                written = await write()
        except BackendUnavailableError as error:
            self._tolerated(error)
            return False
        except SerializationError:
            with suppress(BackendUnavailableError):
                await self.remove(io, key, version)
            raise
        if written:
            self._near.admit_own(stamps, stored_key, item, kind, entry)
        return written

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
