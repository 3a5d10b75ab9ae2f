"""Local memory in front of a shared store: hits without I/O, and what others change is heard of a moment later."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from asynccache.backends.tiered_copies import Ground, is_counter
from asynccache.backends.tiered_reads import TierReads
from asynccache.backends.tiered_rights import TierRights, entry_of
from asynccache.core.entry import Entry, Kind
from asynccache.errors import BackendUnavailableError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from asynccache.backends.tiered_copies import Content
    from asynccache.model import Version
    from asynccache.plan.io import IO


class TieredCacheBackend(TierReads, TierRights):
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
        counted = {name: self._counts[name] for name in ("misses", "errors")}
        hits = {"hits": self._counts["hits"] + self._near.hits, "near": self._near.hits}
        return hits | counted | {"flushes": self._near.flushes, "queued": len(self._journal)}

    # Plans

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

    async def _written(
        self, io: IO, key: str, version: Version, kind: Kind, entry: Entry, write: Callable[[], Awaitable[bool]]
    ) -> bool:
        stored_key, item = self.stored_key(key, version), self._item(key, version)
        try:
            content = self._content(stored_key, kind, entry)  # of now: its owner may change it meanwhile
            with self._near.stamps() as stamps, self._changing([key], version):
                written = await write()
        except BackendUnavailableError as error:
            self._tolerated(error)
            return False
        except SerializationError:
            with suppress(BackendUnavailableError):
                await self.remove(io, key, version)
            raise
        for known, change in stamps if written else ():
            if content is not None and stored_key in change.what:
                self._near.hold(Ground(known, change.stamp, 0.0), stored_key, item, kind, entry, content)
        return written

    def _content(self, stored_key: str, kind: Kind, entry: Entry) -> Content | None:
        """Say what is to be held of what is written; None: nothing."""
        ground = self._watch.ground(stored_key)
        holds = ground is not None and ground.known is not self._near.own
        if not holds or is_counter(kind, entry.value) or entry.times.fresh_until <= self.clock():
            return None
        return self._near.copies.content(kind, entry.value)
