"""What there is room for: slots by place, never more than allowed, and who goes for those who come.

Whoever calls holds the lock of the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.backends.memory.eviction import Queues
from asynccache.backends.memory.expiry import CHUNK, Wheel
from asynccache.backends.memory.slots import UNIT
from asynccache.backends.memory.spaces import MOST_AT_ONCE, Spaces

if TYPE_CHECKING:
    from asynccache.backends.memory.slots import Slot
    from asynccache.backends.memory.spaces import Place

PART_AT_ONCE = 500
"""Where there are too many entries, one in so many goes at once, which costs less than one by one."""


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
        self._at_once = min(1 + max_entries // PART_AT_ONCE, MOST_AT_ONCE)
        self._queues = Queues(self._spaces)
        self._wheel = Wheel(self._spaces)
        self._evictions = 0
        self._expired = 0
        self._cleared: list[dict[Place, Slot]] = []

    def _make_room(self, place: Place, units: int) -> None:
        """Let entries go until one of so many units can come to a place, which is empty then."""
        spaces = self._spaces
        while True:
            spaces.pop(place)  # a finalizer of what went may have set it
            is_crowded = len(spaces.default.slots) + spaces.elsewhere >= self._max_entries
            if not is_crowded and spaces.units + units <= self._max_units:
                return
            count = self._queues.evict(self._at_once if is_crowded else 1)
            self._evictions += count
            spaces.renewed_in -= count
            if spaces.renewed_in <= 0:
                spaces.renew()

    def _empty(self, name: str) -> None:
        """Take all entries of a space out of sight; a great many are freed later, by `_free_cleared`."""
        slots = self._spaces.take(name)
        if self._spaces:
            self._tidy()
        else:
            self._queues, self._wheel = Queues(self._spaces), Wheel(self._spaces)
        if slots:
            self._cleared.append(slots)

    def _free_cleared(self) -> bool:
        """Free some of the slots that were taken out of sight; tell whether there are more."""
        if self._cleared:
            slots = self._cleared[-1]
            for _ in range(min(CHUNK, len(slots))):
                self._spaces.spent += slots.popitem()[1].seen
            if not slots:
                self._cleared.remove(slots)
        return bool(self._cleared)

    def _tidy(self) -> None:
        self._queues.tidy()
        self._wheel.tidy()

    def _counts(self) -> dict[str, int]:
        slots = [*(space.slots for space in self._spaces), *self._cleared]
        return {
            "hits": self._spaces.spent + sum(slot.seen for some in slots for slot in some.values()),
            "entries": len(self._spaces),
            "bytes": self._spaces.units * UNIT,
            "evictions": self._evictions,
            "expired": self._expired,
        }
