"""What there is room for: slots by key, never more than allowed, and who goes for those who come.

Whoever calls holds the lock of the store.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from asynccache.backends.memory.eviction import Queues
from asynccache.backends.memory.expiry import Wheel
from asynccache.backends.memory.slots import SLOW, UNIT, BoxedSlot, KeptSlot, Slot, Space

if TYPE_CHECKING:
    from asynccache.backends.memory.slots import Content


class Room:
    """Bounded spaces.

    Args:
        name: of the default space, which stays when it is empty.
        max_entries: of all spaces together.
        max_bytes: of all spaces together, overhead included.
    """

    def __init__(self, name: str, max_entries: int, max_bytes: int) -> None:
        self.default = Space(name)
        self._spaces = {name: self.default}
        self._max_entries = max_entries
        self._max_units = max_bytes // UNIT
        self._queues = Queues()
        self._wheel = Wheel()
        self._entries = 0
        self._units = 0
        self._evictions = 0
        self._expired = 0

    def _slot(self, name: str, key: str) -> Slot | None:
        space = self._spaces.get(name)
        return None if space is None else space.slots.get(key)

    def _insert(self, slot: Slot, name: str, key: str, content: Content, units: int, old: Slot | None) -> Slot:
        """Put a new slot in the place of the old one; no reader finds the place empty."""
        space = self._spaces.get(name)
        if space is None:
            space = self._spaces[name] = Space(name)
        slot.key = key
        slot.space = space
        slot.seen = 0
        slot.units = 0
        slot.due = inf
        self._fill(slot, content, units)
        space.slots[key] = slot
        self._entries += 1
        self._queues.admit(slot)
        if old is not None:
            self._bury(old)
            self._queues.tidy(self._entries)
        return slot

    def _fill(self, slot: Slot, content: Content, units: int) -> None:
        self._units += units - slot.units
        slot.units = units
        slot.value = content.value
        if isinstance(slot, BoxedSlot):
            slot.box = content.box

    def _make_room(self, units: int) -> None:
        while self._entries >= self._max_entries or self._units + units > self._max_units:
            self._evictions += 1
            self._forget(self._queues.evict(self._entries))

    def _forget(self, slot: Slot) -> None:
        space = slot.space
        if space is not None:
            if space.slots.get(slot.key) is slot:  # otherwise the space was cleared
                del space.slots[slot.key]
                self._leave(space)
            self._bury(slot)

    def _leave(self, space: Space) -> None:
        if not space.slots and space is not self.default:
            del self._spaces[space.name]

    def _bury(self, slot: Slot) -> None:
        """Take everything from a slot that nobody can find any more; queues and wheel will let go of it."""
        self._entries -= 1
        self._units -= slot.units
        self._queues.spent += slot.seen
        slot.space = None
        slot.value = SLOW
        if isinstance(slot, BoxedSlot):
            slot.box = None
        if type(slot) is KeptSlot:
            slot.stale = None
            slot.marks = ()

    def _tidy(self) -> None:
        self._queues.tidy(self._entries)
        self._wheel.tidy(self._entries)

    def _counts(self) -> dict[str, int]:
        living = sum(slot.seen for space in self._spaces.values() for slot in space.slots.values())
        return {
            "hits": self._queues.spent + living,
            "entries": self._entries,
            "bytes": self._units * UNIT,
            "evictions": self._evictions,
            "expired": self._expired,
        }
