"""What there is room for: slots by place, never more than allowed, and who goes for those who come.

Whoever calls holds the lock of the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.backends.memory.eviction import Queues
from asynccache.backends.memory.expiry import CHUNK, Wheel
from asynccache.backends.memory.slots import UNIT
from asynccache.backends.memory.spaces import Spaces

if TYPE_CHECKING:
    from asynccache.backends.memory.slots import Slot
    from asynccache.backends.memory.spaces import Place

MOST_AT_ONCE = 16
"""Entries that go at once where there are too many, which costs less than one by one: one in a thousand at most."""


class Room:
    """Bounded spaces.

    Args:
        name: of the default space, which stays when it is empty.
        max_entries: of all spaces together.
        max_bytes: of all spaces together, overhead included.
    """

    def __init__(self, name: str, max_entries: int, max_bytes: int) -> None:
        self._spaces = Spaces(name)
        self.default = self._spaces.default
        self._max_entries = max_entries
        self._max_units = max_bytes // UNIT
        self._at_once = min(1 + max_entries // 1000, MOST_AT_ONCE)
        self._queues = Queues(self._spaces)
        self._wheel = Wheel(self._spaces)
        self._units = 0
        self._evictions = 0
        self._expired = 0
        self._cleared: list[dict[Place, Slot]] = []

    def _make_room(self, place: Place, units: int) -> None:
        """Let entries go until one of so many units can come to a place, which is empty then."""
        spaces = self._spaces
        while True:
            self._remove(place)  # a finalizer of what went may have set it
            is_crowded = len(spaces) >= self._max_entries
            if not is_crowded and self._units + units <= self._max_units:
                return
            places = self._queues.choose(self._at_once if is_crowded else 1)
            slots = spaces.default.slots
            for gone in places:
                slot = slots.pop(gone, None) or spaces.pop(gone)
                if slot is not None:  # otherwise a finalizer removed it
                    self._units -= slot.units
                    self._queues.spent += slot.seen
            slot = None  # the last finalizer runs now
            self._evictions += len(places)
            spaces.changed(len(places))

    def _remove(self, place: Place) -> None:
        slot = self._spaces.pop(place)
        if slot is not None:
            self._units -= slot.units
            self._queues.spent += slot.seen

    def _empty(self, name: str) -> None:
        """Take all entries of a space out of sight; a great many are freed later, by `_free_cleared`."""
        slots = self._spaces.take(name)
        if self._spaces:
            self._units -= sum(slot.units for slot in slots.values())
            self._tidy()
        else:
            self._units, spent = 0, self._queues.spent
            self._queues, self._wheel = Queues(self._spaces), Wheel(self._spaces)
            self._queues.spent = spent
        if slots:
            self._cleared.append(slots)

    def _free_cleared(self) -> bool:
        """Free some of the slots that were taken out of sight; tell whether there are more."""
        if self._cleared:
            slots = self._cleared[-1]
            for _ in range(min(CHUNK, len(slots))):
                self._queues.spent += slots.popitem()[1].seen
            if not slots:
                self._cleared.remove(slots)
        return bool(self._cleared)

    def _tidy(self) -> None:
        self._queues.tidy()
        self._wheel.tidy()

    def _counts(self) -> dict[str, int]:
        slots = [*(space.slots for space in self._spaces), *self._cleared]
        return {
            "hits": self._queues.spent + sum(slot.seen for some in slots for slot in some.values()),
            "entries": len(self._spaces),
            "bytes": self._units * UNIT,
            "evictions": self._evictions,
            "expired": self._expired,
        }
