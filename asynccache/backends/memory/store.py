"""Entries in memory, never more than allowed: they leave by removal, by eviction or when it is time.

Reads take no lock. Writes take one, since the bounds would drift without it; it is an `RLock` because the finalizer of
an object that goes may use the cache.
"""

from __future__ import annotations

from math import inf
from threading import RLock
from time import monotonic, sleep
from typing import TYPE_CHECKING

from asynccache.backends.memory.eviction import Queues
from asynccache.backends.memory.expiry import AHEAD, TICKS, Wheel, tick
from asynccache.backends.memory.reaper import reaper
from asynccache.backends.memory.slots import SLOW, UNIT, BoxedSlot, Content, KeptSlot, Slot, Space, units_of

if TYPE_CHECKING:
    from collections.abc import Callable


class MemoryStore:
    """A bounded store of one process.

    Args:
        name: of the default space, which stays when it is empty.
        max_entries: of all spaces together.
        max_bytes: of all spaces together, overhead included.
        clock: seconds; every read is judged by it. `None`: real time, and no read looks at a clock, since the reaper
            removes what is over.
    """

    def __init__(self, name: str, max_entries: int, max_bytes: int, clock: Callable[[], float] | None) -> None:
        self.lock = RLock()
        self.default = Space(name)
        self.judges = clock is not None
        """Whether a reader has to ask: then no slot may show its value."""
        self._spaces = {name: self.default}
        self._max_entries = max_entries
        self._max_units = max_bytes // UNIT
        self._clock = clock
        self._queues = Queues()
        self._wheel = Wheel()
        self._entries = 0
        self._units = 0
        self._last_due = inf
        self._evictions = 0
        self._expired = 0
        reaper.watch(self)

    def find(self, name: str, key: str) -> Slot | None:
        """Give the slot of a live entry."""
        slot = self._slot(name, key)
        if type(slot) is KeptSlot and (slot.stale is not None or slot.fresh_until <= self.now()):
            return None
        if slot is None or self._clock is None or slot.due > self._clock():
            return slot
        return None

    def find_kept(self, name: str, key: str) -> Slot | None:
        """Give the slot of an entry that lives, or is kept beyond its end."""
        slot = self._slot(name, key)
        return None if slot is None or (type(slot) is KeptSlot and slot.dead_at <= self.now()) else slot

    def now(self) -> float:
        """Tell the time by which entries end."""
        return monotonic() if self._clock is None else self._clock()

    def put(self, name: str, key: str, content: Content, ttl: float, stale: float | None = None) -> bool:
        """Store for `ttl` seconds, which are more than 0; False, and the old entry is gone, where it is too large.

        With `stale` its times are noted, and it is kept for so many seconds beyond its end.
        """
        units = units_of(key, content)
        with self.lock:
            if self.judges:
                self._free()
            slot = self._slot(name, key)
            if slot is not None and self._units - slot.units + units > self._max_units:
                self._forget(slot)
                slot = None
            if units > self._max_units:
                return False
            if slot is None:
                self._make_room(units)
            kind = Slot if content.box is None else BoxedSlot
            if stale is not None:
                slot = self._insert(self._kept(ttl, stale), name, key, content, units, slot)
            elif type(slot) is kind:
                self._fill(slot, content, units)
            else:
                slot = self._insert(kind(), name, key, content, units, slot)
            self._schedule(slot, ttl)
            return True

    def refill(self, slot: Slot, content: Content) -> None:
        """Replace the content of a live slot by one of the same kind and size, which stays as long as the old one."""
        self._fill(slot, content, slot.units)

    def postpone(self, slot: Slot, ttl: float) -> None:
        """Let a live slot stay for `ttl` seconds from now, and no longer."""
        self._schedule(slot, ttl)
        if type(slot) is KeptSlot:
            slot.written_at = self.now()
            slot.fresh_until = slot.dead_at = slot.due

    def drop(self, name: str, key: str) -> bool:
        """Remove an entry; tell whether there was a live one."""
        with self.lock:
            slot = self.find(name, key)
            removed = slot or self.find_kept(name, key)
            if removed is not None:
                self.remove(removed)
        return slot is not None

    def remove(self, slot: Slot) -> None:
        """Remove this very entry."""
        with self.lock:
            self._forget(slot)
            self._tidy()

    def reap(self) -> float:
        """Remove what is over, by real time; tell when to come again."""
        while True:
            with self.lock:
                if not self._turn(monotonic()):
                    return self._wheel.next()
            sleep(0)  # whoever waits for the lock goes first

    def stats(self) -> dict[str, int]:
        """Give `hits`, `entries`, `bytes`, `evictions` and `expired`."""
        with self.lock:
            self._free()
            living = sum(slot.seen for space in self._spaces.values() for slot in space.slots.values())
            return {
                "hits": self._queues.spent + living,
                "entries": self._entries,
                "bytes": self._units * UNIT,
                "evictions": self._evictions,
                "expired": self._expired,
            }

    # What follows is called with the lock held.

    def _due(self, ttl: float) -> float:
        if self._clock is not None:
            return self._clock() + ttl
        if ttl == inf:
            return inf
        due = tick(monotonic() + ttl) / TICKS
        if due != self._last_due:
            self._last_due = due
        return self._last_due  # one float for all that is written in the same tick

    def _kept(self, ttl: float, stale: float) -> KeptSlot:
        slot = KeptSlot()
        slot.stale = None
        slot.written_at = self.now()
        slot.fresh_until = self._due(ttl)
        slot.dead_at = slot.fresh_until + stale
        return slot

    def _wilted(self, slot: Slot) -> bool:
        """Let an entry that is over stay, out of sight, if it is to be kept."""
        if type(slot) is not KeptSlot or slot.stale is not None or slot.dead_at <= slot.due:
            return False
        slot.stale = Content(slot.value, slot.box, 0)
        slot.value = SLOW
        slot.box = None
        slot.due = slot.dead_at
        self._wheel.add(slot, self._entries)
        return True

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
            del space.slots[slot.key]
            if not space.slots and space is not self.default:
                del self._spaces[space.name]
            self._bury(slot)

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

    def _schedule(self, slot: Slot, ttl: float) -> None:
        due = self._due(ttl)
        earlier = due < slot.due
        slot.due = due  # after the content: a reader who sees the new time sees no old content
        if earlier:
            self._wheel.add(slot, self._entries)
            if not self.judges and due < reaper.wakes_at + AHEAD:
                reaper.expect(self._wheel.next())

    def _tidy(self) -> None:
        self._queues.tidy(self._entries)
        self._wheel.tidy(self._entries)

    def _free(self) -> None:
        """Remove what is over by a clock that no reaper knows."""
        if self._clock is not None:
            while self._turn(self._clock() - 1 / TICKS):
                pass

    def _turn(self, now: float) -> bool:
        """Remove a part of what is over; tell whether there may be more."""
        due = self._wheel.turn(now)
        for slot in due or ():
            if slot.space is not None and not self._wilted(slot):
                self._expired += 1
                self._forget(slot)
        self._tidy()
        return due is not None
