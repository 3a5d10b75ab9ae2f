"""Values in the memory of this process: the default backend, and the quickest.

Nothing here ever waits, so both twins and the plan of an operation call the same plain function. A hit is a look-up in
a dict: no lock, no clock, no copy; for a value that could be changed, a copy made by the serializer.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.memory.leases import Leases
from asynccache.backends.memory.operations import MISSING, Operations
from asynccache.backends.memory.plans import PlansInMemory
from asynccache.backends.memory.rights import plain
from asynccache.backends.memory.slots import SLOW, BoxedSlot, Held, KeptSlot
from asynccache.backends.memory.store import MemoryStore
from asynccache.core.counters import checked_delta
from asynccache.core.entry import Kind
from asynccache.core.events import EntryDamaged
from asynccache.core.immutable import IMMUTABLE
from asynccache.core.tags import tagged
from asynccache.errors import ConfigurationError
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asynccache.core.lifetime import Ttl
    from asynccache.model import Version

logger = logging.getLogger(__name__)


class LocalMemCacheBackend(PlansInMemory):
    """A cache in the memory of this process, bounded, shared by its threads and loops, and by nobody else.

    Where it is full, S3-FIFO chooses who goes. Entries are removed when they expire, without being read, by one thread
    for the process; with a `clock` of yours they are judged at each read, and removed by writes. Values that cannot be
    changed (`str`, `bytes`, numbers, `None`, tuples of these) are shared; others are kept encoded and decoded at each
    read. After `fork` each process has a copy of its own. Closing removes nothing: it can be used as before.

    Args:
        max_entries: how many entries there are at most, of all versions together.
        max_bytes: how much memory they occupy at most: an estimate that has 256 bytes of overhead for each. An entry
            that is larger than all this is not stored.
        copy: False: values are shared whatever they are, and whoever changes one changes it for all.
        options: those of `BaseCacheBackend`.

    Raises `ConfigurationError` where a bound is no positive `int`.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability) - {Capability.SHARED}
    default_clock: ClassVar[Callable[[], float]] = time.monotonic
    is_at_hand: ClassVar[bool] = True

    def __init__(
        self, *, max_entries: int = 10_000, max_bytes: int = 64 * 1024 * 1024, copy: bool = True, **options: Any
    ) -> None:
        super().__init__(**options)
        for name, bound in (("max_entries", max_entries), ("max_bytes", max_bytes)):
            if type(bound) is not int or bound < 1:
                raise ConfigurationError(f"{name}={bound!r}: give a positive int")
        self.copy = copy
        store = MemoryStore(self.stored_key(""), max_entries, max_bytes, options.get("clock"))
        self._own = store.default
        self._put_shared = store.put_shared
        self._leases = Leases(store.lock, store.now)
        self._is_reaped = options.get("clock") is None
        self._do = Operations(store, self.serializer, copy=copy, damaged=self._damaged)

    def stats(self) -> dict[str, int]:
        """Give `hits`, `misses`, `evictions` and `expired` since it was made, and the `entries` and `bytes` there are.

        Hits and misses are counted without a lock: threads may lose one now and then.
        """
        return {"misses": self._do.misses, **self._do.store.stats()}

    def replicas(self, value: Any) -> Callable[[], Any]:
        return super().replicas(value) if self.copy else lambda: value

    # Reading. The hit path is written out in both twins: a call costs as much as all the rest of it.

    def get(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        if version is None:
            try:
                slot = self._own.slots[key]
            except (KeyError, TypeError):
                return self._missed(key, default)
            value = slot.value
            if value is not SLOW:
                slot.seen += 1
                return value
        return self._get(key, version, default)

    async def get_async(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        if version is None:
            try:
                slot = self._own.slots[key]
            except (KeyError, TypeError):
                return self._missed(key, default)
            value = slot.value
            if value is not SLOW:
                slot.seen += 1
                return value
        return self._get(key, version, default)

    def get_many(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        found = {key: self.get(key, version, default=MISSING) for key in dict.fromkeys(keys)}
        return {key: value for key, value in found.items() if value is not MISSING}

    async def get_many_async(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        return self.get_many(keys, version)

    def peek(self, key: str, version: Version, kind: Kind) -> Any:
        if kind is Kind.VALUE:
            return self._peek_value(key, version)
        if version is None and self._is_reaped:
            slot = self._own.slots.get(key)
            if type(slot) is BoxedSlot or (type(slot) is KeptSlot and not (slot.marks and slot.is_spoiled())):
                box = slot.box
                if type(box) is Held and box.kind is kind:
                    slot.seen += 1
                    return box.value
        value = self._do.look(self._space(version), plain(key), kind)
        return None if value is MISSING else value

    def has_key(self, key: str, version: Version = None) -> bool:
        return self._do.has(self._space(version), plain(key))

    async def has_key_async(self, key: str, version: Version = None) -> bool:
        return self.has_key(key, version)

    # Writing; what has no twins here has those of the base, over the plan

    def set(self, key: str, value: Any, ttl: Ttl = None, version: Version = None, *, tags: Iterable[str] = ()) -> bool:
        lifetime = self.default_ttl if ttl is None else self.lifetime(ttl)
        if type(value) in IMMUTABLE and type(key) is str and version is None and not tags and lifetime > 0:
            return self._put_shared(key, value, lifetime)
        given = tagged(tags) if tags else ()
        return self._do.put(self._space(version), plain(key), value, lifetime, tags=given)

    async def set_async(
        self, key: str, value: Any, ttl: Ttl = None, version: Version = None, *, tags: Iterable[str] = ()
    ) -> bool:
        return self.set(key, value, ttl, version, tags=tags)

    def add(self, key: str, value: Any, ttl: Ttl = None, version: Version = None) -> bool:
        return self._do.add(self._space(version), plain(key), value, self.lifetime(ttl))

    async def add_async(self, key: str, value: Any, ttl: Ttl = None, version: Version = None) -> bool:
        return self.add(key, value, ttl, version)

    def delete(self, key: str, version: Version = None) -> bool:
        return self._do.store.drop(self._space(version), plain(key))

    async def delete_async(self, key: str, version: Version = None) -> bool:
        return self.delete(key, version)

    def incr(self, key: str, delta: int = 1, version: Version = None) -> int:
        return self._do.bump(self._space(version), plain(key), checked_delta(delta), self.default_ttl)

    async def incr_async(self, key: str, delta: int = 1, version: Version = None) -> int:
        return self.incr(key, delta, version)

    def decr(self, key: str, delta: int = 1, version: Version = None) -> int:
        return self._do.bump(self._space(version), plain(key), -checked_delta(delta), self.default_ttl)

    async def decr_async(self, key: str, delta: int = 1, version: Version = None) -> int:
        return self.decr(key, delta, version)

    def _missed(self, key: str, default: Any) -> Any:
        if type(key) is not str:
            return self._get(key, None, default)
        self._do.misses += 1
        return default

    def _get(self, key: str, version: Version, default: Any) -> Any:
        value = self._do.look(self._space(version), plain(key))
        return default if value is MISSING else value

    def _peek_value(self, key: str, version: Version) -> Any:
        if version is None and self._is_reaped:
            slot = self._own.slots.get(key)
            if slot is None:
                return None
            value = slot.value
            if value is not SLOW:
                slot.seen += 1
                return value
        space, key = self._space(version), plain(key)
        value = self._do.look(space, key) if self._do.has(space, key) else MISSING
        return None if value is MISSING else value

    def _damaged(self, key: str, damage: Exception) -> None:
        logger.warning("%s: an entry cannot be decoded and is removed: %s", self.name, damage)
        self.tell(EntryDamaged(self.name, key, str(damage)))
