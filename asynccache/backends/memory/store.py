"""Entries in memory, never more than allowed: they leave by removal, by eviction or when it is time.

Reads take no lock. Writes take one, since the bounds would drift without it; it is an `RLock` because the finalizer of
an object that goes may use the cache.
"""

from __future__ import annotations

from math import inf
from time import monotonic, sleep
from typing import TYPE_CHECKING

from asynccache.backends.memory.reaper import reaper
from asynccache.backends.memory.slots import KeptSlot
from asynccache.backends.memory.writing import WritableRoom, fill

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.backends.memory.slots import Content, Slot


class MemoryStore(WritableRoom):
    """A bounded store of one process; if it has a clock, every read is judged by it, and otherwise none is.

    Args:
        name: of the default space, which stays when it is empty.
        max_entries: of all spaces together.
        max_bytes: of all spaces together, overhead included.
        clock: seconds. `None`: real time, by which the reaper removes what is over.
    """

    def __init__(self, name: str, max_entries: int, max_bytes: int, clock: Callable[[], float] | None) -> None:
        super().__init__(name, max_entries, max_bytes, clock)
        reaper.watch(self)

    def find(self, name: str, key: str) -> Slot | None:
        """Give the slot of a live entry."""
        slot = self._spaces.find(self._spaces.place(name, key))
        if type(slot) is KeptSlot and (
            slot.stale is not None or slot.fresh_until <= self.now() or self._is_spoiled(name, key, slot)
        ):
            return None
        if slot is None or self._clock is None or slot.due > self._clock():
            return slot
        return None

    def find_kept(self, name: str, key: str) -> Slot | None:
        """Give the slot of an entry that lives, or is kept beyond its end."""
        slot = self._spaces.find(self._spaces.place(name, key))
        if type(slot) is KeptSlot:
            return None if slot.dead_at <= self.now() or self._is_spoiled(name, key, slot) else slot
        return self.find(name, key)

    def refill(self, name: str, key: str, slot: Slot, content: Content) -> None:
        """Replace the content of a live slot by one of the same kind and size, which stays as long as the old one."""
        self._revoke(name, key)
        fill(slot, content)

    def postpone(self, name: str, key: str, slot: Slot, ttl: float) -> None:
        """Let a live slot stay for `ttl` seconds from now, and no longer."""
        self._revoke(name, key)
        before, slot.due = slot.due, self._due(ttl)
        self._schedule(self._spaces.place(name, key), slot.due, before)
        if type(slot) is KeptSlot:
            slot.at = self.tickets.next()
            slot.written_at = self.now()
            slot.fresh_until = slot.dead_at = slot.due

    def drop(self, name: str, key: str) -> bool:
        """Remove an entry; tell whether there was a live one."""
        with self.lock:
            self._revoke(name, key)
            slot = self.find(name, key)
            self._spaces.pop(self._spaces.place(name, key))
            self._tidy()
        return slot is not None

    def clear(self, name: str) -> None:
        """Remove all entries of a space, at once for readers, and keep loads that are under way from landing."""
        with self.lock:
            self.tickets.revoke_all(name)
            self._empty(name)
            self._last_due = -inf
            has_more = self._free_cleared()
        if has_more:
            reaper.expect(-inf)

    def remove(self, name: str, key: str, slot: Slot) -> None:
        """Remove this very entry."""
        place = self._spaces.place(name, key)
        with self.lock:
            if self._spaces.find(place) is slot:
                self._spaces.pop(place)
                self._tidy()

    def reap(self) -> float:
        """Remove what is over, by real time, and free what was cleared; tell when to come again."""
        while True:
            with self.lock:
                has_more = self._free_cleared()
                if not (self._clock is None and self._turn(monotonic())) and not has_more:
                    return self._wheel.next() if self._clock is None else inf
            sleep(0)  # whoever waits for the lock goes first

    def stats(self) -> dict[str, int]:
        """Give `hits`, `entries`, `bytes`, `evictions` and `expired`."""
        with self.lock:
            self._free()
            return self._counts()

    # What follows is called with the lock held.

    def _is_spoiled(self, name: str, key: str, slot: KeptSlot) -> bool:
        """Tell whether one of its tags was invalidated; then it goes."""
        if not slot.is_spoiled():
            return False
        self.remove(name, key, slot)
        return True
