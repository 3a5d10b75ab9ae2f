"""What each operation does, once, as plain functions: both twins and the plan call the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.memory.slots import SLOW, BoxedSlot, Content, Held, KeptSlot, encoded, held, shared, size_of
from asynccache.core.codec import DamagedEntryError
from asynccache.core.counters import counted
from asynccache.core.entry import ALWAYS, Entry, Kind, Times
from asynccache.core.immutable import is_immutable
from asynccache.errors import SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from asynccache.backends.memory.slots import Box, Slot
    from asynccache.backends.memory.store import MemoryStore
    from asynccache.serializers import ICacheSerializer

MISSING: Any = object()


class Operations:
    """Operations on a store in memory; a `space` is the name of a prefix and version, a `ttl` is seconds.

    Args:
        store: where the slots are.
        serializer: how values that can be changed are kept.
        copy: False: no value is encoded.
        damaged: called with the key of an entry that could not be decoded and was removed.
    """

    def __init__(
        self, store: MemoryStore, serializer: ICacheSerializer, *, copy: bool, damaged: Callable[[str, Exception], None]
    ) -> None:
        self.store = store
        self.misses = 0
        self._serializer = serializer
        self._copy = copy
        self._damaged = damaged

    def look(self, space: str, key: str, kind: Kind = Kind.VALUE) -> Any:
        """Give the value; `MISSING` where none of this kind is there. Counts a hit or a miss."""
        slot = self.store.find(space, key)
        value = MISSING if slot is None else self._value(space, key, slot, kind)
        if slot is None or value is MISSING:
            self.misses += 1
            return MISSING
        slot.seen += 1
        return value

    def look_kept(self, space: str, key: str, kind: Kind = Kind.VALUE) -> Entry | None:
        """Give a value with its times, also one that is kept beyond its end. Counts a hit or a miss, as `look` does."""
        slot, entry = self._found(space, key, kind)
        if slot is None or entry is None or not self.lives(entry):
            self.misses += 1
        else:
            slot.seen += 1
        return entry

    def peek_kept(self, space: str, key: str, kind: Kind) -> Entry | None:
        """Give what `look_kept` gives, and count nothing."""
        return self._found(space, key, kind)[1]

    def lives(self, entry: Entry) -> bool:
        """Tell whether it is more than a stale value."""
        return entry.times is ALWAYS or entry.times.fresh_until > self.store.now()

    def has(self, space: str, key: str) -> bool:
        """Tell whether an entry of whatever kind is there."""
        return self.store.find(space, key) is not None

    def put(
        self,
        space: str,
        key: str,
        value: Any,
        ttl: float,
        kind: Kind = Kind.VALUE,
        *,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> bool:
        """Store; what cannot be stored takes the old entry with it. With `stale`, keep its times."""
        if ttl <= 0:
            self.store.drop(space, key)
            return True
        return self.store.put(
            space, key, self._content_or_nothing(space, key, value, kind, tags), ttl, stale=stale, tags=tags
        )

    def land(
        self,
        space: str,
        key: str,
        value: Any,
        ttl: float | None,
        ticket: int,
        *,
        kind: Kind = Kind.VALUE,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
    ) -> bool:
        """Store what was loaded, or nothing without a ttl, unless the load was overtaken; tell whether it was not."""
        if ttl is None or ttl <= 0:
            return self.store.land(space, key, None, 0.0, ticket, tags=tags)
        content = self._content_or_nothing(space, key, value, kind, tags)
        return self.store.land(space, key, content, ttl, ticket, stale=stale, tags=tags)

    def put_many(self, space: str, values: Mapping[str, Any], ttl: float) -> list[str]:
        """Store all; where one cannot be encoded, all old ones are gone. Give the keys that failed."""
        if ttl <= 0:
            self.drop_many(space, values)
            return []
        try:
            contents = {key: self._content(value) for key, value in values.items()}
        except SerializationError:
            self.drop_many(space, values)
            raise
        return [key for key, content in contents.items() if not self.store.put(space, key, content, ttl)]

    def add(self, space: str, key: str, value: Any, ttl: float) -> bool:
        """Store unless an entry is there."""
        content = self._content(value)
        with self.store.lock:
            if self.has(space, key):
                return False
            return ttl <= 0 or self.store.put(space, key, content, ttl)

    def touch(self, space: str, key: str, ttl: float) -> bool:
        """Give an entry a new lifetime."""
        if ttl <= 0:
            return self.store.drop(space, key)
        with self.store.lock:
            slot = self.store.find(space, key)
            if slot is not None:
                self.store.postpone(space, key, slot, ttl)
            return slot is not None

    def drop_many(self, space: str, keys: Iterable[str]) -> int:
        """Remove these entries; tell how many there were."""
        return sum(self.store.drop(space, key) for key in keys)

    def bump(self, space: str, key: str, delta: int, ttl: float) -> int:
        """Add to a counter, which keeps its lifetime; a new one gets this one."""
        with self.store.lock:
            slot = self.store.find(space, key)
            number = counted(0 if slot is None else self._value(space, key, slot, Kind.VALUE), delta)
            if slot is not None:
                boxed = type(slot) is KeptSlot and slot.marks != ()
                self.store.refill(space, key, slot, self._content(number, boxed=boxed))
            elif ttl > 0:
                self.store.put(space, key, self._content(number), ttl)
            return number

    def _content_or_nothing(self, space: str, key: str, value: Any, kind: Kind, tags: tuple[str, ...]) -> Content:
        try:
            return self._content(value, kind, boxed=tags != ())
        except SerializationError:
            self.store.drop(space, key)
            raise

    def _content(self, value: Any, kind: Kind = Kind.VALUE, *, boxed: bool = False) -> Content:
        """Say what is to be kept of a value: itself, in a box where a reader has to ask, or its encoded form."""
        if kind is not Kind.VALUE:
            return held(value, kind, len(bytes(value)))
        if self._copy and not is_immutable(value):
            return encoded(self._serializer.dumps(value))
        return held(value, kind, size_of(value)) if boxed or self.store.judges else shared(value, size_of(value))

    def _found(self, space: str, key: str, kind: Kind) -> tuple[Slot | None, Entry | None]:
        """Find what lives or is kept; nothing where it is of another kind."""
        slot = self.store.find_kept(space, key)
        if slot is None:
            return None, None
        value = self._value(space, key, slot, kind)
        if type(slot) is KeptSlot and value is MISSING and (stale := slot.stale) is not None:
            value = self._held(space, key, slot, stale.value, stale.box, kind)
        return slot, None if value is MISSING else self._entry(slot, value)

    def _entry(self, slot: Slot, value: Any) -> Entry:
        if type(slot) is not KeptSlot:
            return Entry(value)
        times = Times(slot.written_at, slot.fresh_until, slot.dead_at)
        return Entry(value, tags=tuple(mark.tag for mark in slot.marks), times=times, at=slot.at)

    def _value(self, space: str, key: str, slot: Slot, kind: Kind) -> Any:
        """Give what is in a slot; `MISSING` where it is of another kind or damaged."""
        return self._held(space, key, slot, slot.value, slot.box if isinstance(slot, BoxedSlot) else None, kind)

    def _held(self, space: str, key: str, slot: Slot, value: Any, box: Box | None, kind: Kind) -> Any:
        if value is not SLOW:
            return value if kind is Kind.VALUE else MISSING
        if isinstance(box, Held):
            return box.value if box.kind is kind else MISSING
        return MISSING if box is None or kind is not Kind.VALUE else self._decoded(space, key, slot, box)

    def _decoded(self, space: str, key: str, slot: Slot, payload: bytes) -> Any:
        try:
            return self._serializer.loads(payload)
        except DamagedEntryError as damage:
            self.store.remove(space, key, slot)
            self._damaged(key, damage)
            return MISSING
