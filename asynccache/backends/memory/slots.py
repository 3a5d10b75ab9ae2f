"""An entry in memory, as small and as quick to read as Python has it.

Slots have no `__init__`, which would cost as much as all the rest of a `set`. Memory is counted in units of 16 bytes,
as the allocator rounds: up to 4 KB the number is one of those small integers that Python keeps anyway.
"""

from __future__ import annotations

from sys import getsizeof
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from asynccache.core.entry import Kind

if TYPE_CHECKING:
    from asynccache.backends.memory.tickets import Mark

UNIT = 16
OVERHEAD = 256
"""Bytes of an entry beyond its key and its value: slot, places in a dict, in a queue, in a wheel and in a ghost queue,
and what allocators and growing dicts leave unused: measured with a million keys that expire."""
TAG_OVERHEAD = 400
"""Bytes of a tag beyond its text, where its entry is the only one that has it: its mark, and the mark's places."""
CONTAINERS = frozenset({tuple, list, set, frozenset, dict})
SLOW: Final = object()
"""Stands in a slot for a value that cannot be handed out as it is."""


class Slot:
    """An entry. It does not know its key: what finds it knows that."""

    __slots__ = ("due", "seen", "units", "value")

    due: float
    """When it expires, in seconds of the store's clock."""
    seen: int
    """How often it was hit, since it was last spared from eviction."""
    units: int
    value: Any


class BoxedSlot(Slot):
    """An entry whose value needs a look first: a payload to decode, or something that only some may see."""

    __slots__ = ("box",)

    box: Box | None


class KeptSlot(BoxedSlot):
    """An entry with tags, or of a read-through that looks at its times, and may want it beyond its end."""

    __slots__ = ("at", "dead_at", "fresh_until", "marks", "stale", "written_at")

    at: int
    """Tells it from a later one of its key."""
    dead_at: float
    fresh_until: float
    marks: tuple[Mark, ...]
    stale: Content | None
    """What it holds, once it is over; then it shows nothing else."""
    written_at: float

    def is_spoiled(self) -> bool:
        """Tell whether one of its tags was invalidated."""
        for mark in self.marks:  # noqa: SIM110  # a third of the time that a generator takes
            if mark.is_spoiled:
                return True
        return False


class Held(NamedTuple):
    """An object that is handed out as it is, to those who ask for its kind."""

    kind: Kind
    value: Any


Box = bytes | Held


class Content(NamedTuple):
    """What is to be stored: a value to share, or `SLOW` and a box; and its size in bytes."""

    value: Any
    box: Box | None
    size: int


def shared(value: Any, size: int) -> Content:
    """Give the content for a value that can be handed out as it is."""
    return Content(value, None, size)


def encoded(payload: bytes) -> Content:
    """Give the content for a value that is decoded at each read."""
    return Content(SLOW, payload, getsizeof(payload))


def held(value: Any, kind: Kind, size: int) -> Content:
    """Give the content for an object of this kind."""
    return Content(SLOW, Held(kind, value), size)


def size_of(value: Any) -> int:
    """Estimate the bytes that a value occupies, with what it contains; objects of unknown classes count flat."""
    if type(value) not in CONTAINERS:
        return getsizeof(value)
    size, waiting, known = 0, [value], set()
    while waiting:
        part = waiting.pop()
        size += getsizeof(part)
        if type(part) in CONTAINERS and id(part) not in known:
            known.add(id(part))
            waiting.extend(part)
            if type(part) is dict:
                waiting.extend(part.values())
    return size


def units_of(key: str, content: Content, tags: tuple[str, ...] = ()) -> int:
    """Give the memory that an entry occupies, in units of 16 bytes, rounded up; a tag counts for each that has it."""
    size = OVERHEAD + getsizeof(key) + content.size
    for tag in tags:
        size += TAG_OVERHEAD + getsizeof(tag)
    return -(-size // UNIT)
