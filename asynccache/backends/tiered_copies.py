"""Copies of a store's entries in local memory, each with what it takes to tell whether it may be used.

They follow the copy rules of local memory: what cannot be changed is shared, all else is kept encoded and decoded at
each read. Pages and markers are kept as the objects that their readers use.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from asynccache.backends.memory.slots import size_of
from asynccache.core.codec import DamagedEntryError
from asynccache.core.entry import ALWAYS, Entry, Kind, Times, objects
from asynccache.core.fence import cells_of
from asynccache.core.immutable import is_immutable
from asynccache.plan.io import BLOCKING, run

if TYPE_CHECKING:
    from asynccache.backends.local_cache import LocalMemCacheBackend
    from asynccache.backends.tiered_state import Known
    from asynccache.serializers import ICacheSerializer


class Ground(NamedTuple):
    """What a copy rests on: what was known when the store was asked, where that was, and when (monotonic seconds)."""

    known: Known
    as_of: int
    asked: float


class Content(NamedTuple):
    """What is held of a value: itself to share, or its encoded form; and its size in bytes."""

    value: Any
    payload: bytes | None
    size: int


class Copy:
    """An entry that is held nearby; its bytes are as many as it takes, for local memory to count."""

    __slots__ = (*("as_of", "at", "cells", "good_until", "is_kept", "kind", "known", "load_seconds", "payload", "size"),
                 *("tags", "times", "value", "version"))  # fmt: skip

    def __init__(self, kind: Kind, entry: Entry, content: Content, ground: Ground, version: str) -> None:
        self.kind = kind
        self.version = version
        self.value, self.payload, self.size = content
        self.load_seconds, self.tags, self.times, self.at = entry.load_seconds, entry.tags, entry.times, entry.at
        self.is_kept = entry.times.fresh_until < entry.times.dead_at
        self.cells = cells_of(entry.tags) if entry.tags else ()
        self.known, self.as_of = ground.known, ground.as_of
        self.good_until = inf
        """Monotonic seconds; of importance where no log is followed."""

    def __bytes__(self) -> bytes:
        return bytes(self.size)


class Copies:
    """Copies by stored key, in a local memory that is used for nothing else.

    Args:
        memory: where they are.
        serializer: how values that can be changed are kept.
    """

    def __init__(self, memory: LocalMemCacheBackend, serializer: ICacheSerializer) -> None:
        self.memory = memory
        self._serializer = serializer
        self._peek = memory.peek

    def find(self, stored_key: str) -> Copy | None:
        """Give the copy that is held, whether or not it may be used."""
        found: Copy | None = self._peek(stored_key, None, Kind.MARKER)
        return found

    def content(self, kind: Kind, value: Any) -> Content:
        """Say what is to be held of a value."""
        if kind is not Kind.VALUE:
            return Content(value, None, len(bytes(value)))
        if self.memory.copy and not is_immutable(value):
            payload = self._serializer.dumps(value)
            return Content(None, payload, len(payload))
        return Content(value, None, size_of(value))

    def put(self, stored_key: str, copy: Copy, ttl: float) -> None:
        """Hold a copy for `ttl` seconds, which are more than 0, or until there is no more room."""
        run(self.memory.write(BLOCKING, stored_key, copy, ttl, None, Kind.MARKER))

    def drop(self, stored_key: str) -> None:
        """Hold it no more."""
        self.memory.delete(stored_key)

    def value(self, copy: Copy) -> Any:
        """Give the value, which is the caller's to change."""
        return copy.value if copy.payload is None else self._serializer.loads(copy.payload)

    def entry(self, copy: Copy, times: Times = ALWAYS) -> Entry:
        """Give the entry that it is a copy of, with these times."""
        return Entry(self.value(copy), copy.load_seconds, copy.tags, times, copy.at)


def with_object(entry: Entry, kind: Kind) -> Entry:
    """Give an entry whose value is the object that readers of its kind use, where that is known."""
    make = objects.get(kind)
    if make is None or type(entry.value) is not bytes:
        return entry
    try:
        return Entry(make(entry.value), entry.load_seconds, entry.tags, entry.times, entry.at)
    except DamagedEntryError:
        return entry  # its reader will see that, too, and have it removed


def is_counter(kind: Kind, value: Any) -> bool:
    """Tell whether this may be counted with, of which the store's log does not tell each time."""
    return kind is Kind.VALUE and type(value) is int
