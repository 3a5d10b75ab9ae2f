"""Entries in memory, never more than allowed: they leave by removal, by eviction or when it is time.

Reads take no lock. Writes take one, since the bounds would drift without it; it is an `RLock` because the finalizer of
an object that goes may use the cache.
"""

from __future__ import annotations

from math import inf
from threading import RLock
from time import monotonic, sleep
from typing import TYPE_CHECKING

from asynccache.backends.memory.expiry import AHEAD, CHUNK, TICKS, tick
from asynccache.backends.memory.reaper import reaper
from asynccache.backends.memory.room import Room
from asynccache.backends.memory.slots import SLOW, BoxedSlot, Content, KeptSlot, Slot, units_of
from asynccache.backends.memory.tickets import Tickets

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.backends.memory.tickets import Mark

    Tags = tuple[str, ...]


class MemoryStore(Room):
    """A bounded store of one process.

    Args:
        name: of the default space, which stays when it is empty.
        max_entries: of all spaces together.
        max_bytes: of all spaces together, overhead included.
        clock: seconds; every read is judged by it. `None`: real time, and no read looks at a clock, since the reaper
            removes what is over.
    """

    def __init__(self, name: str, max_entries: int, max_bytes: int, clock: Callable[[], float] | None) -> None:
        super().__init__(name, max_entries, max_bytes)
        self.lock = RLock()
        self.tickets = Tickets()
        self.judges = clock is not None
        """Whether a reader has to ask: then no slot may show its value."""
        self._clock = clock
        self._last_due = inf
        reaper.watch(self)

    def find(self, name: str, key: str) -> Slot | None:
        """Give the slot of a live entry."""
        slot = self._slot(name, key)
        if type(slot) is KeptSlot and (
            slot.stale is not None or slot.fresh_until <= self.now() or self._is_spoiled(slot)
        ):
            return None
        if slot is None or self._clock is None or slot.due > self._clock():
            return slot
        return None

    def find_kept(self, name: str, key: str) -> Slot | None:
        """Give the slot of an entry that lives, or is kept beyond its end."""
        slot = self._slot(name, key)
        if type(slot) is KeptSlot:
            return None if slot.dead_at <= self.now() or self._is_spoiled(slot) else slot
        return self.find(name, key)

    def now(self) -> float:
        """Tell the time by which entries end."""
        return monotonic() if self._clock is None else self._clock()

    def put(
        self, name: str, key: str, content: Content, ttl: float, *, stale: float | None = None, tags: Tags = ()
    ) -> bool:
        """Store for `ttl` seconds, which are more than 0; False, and the old entry is gone, where it is too large.

        With `stale` its times are noted, and it is kept for so many seconds beyond its end. What has tags is in a box.
        """
        with self.lock:
            if self.tickets.by_key:
                self.tickets.revoke(name + key)
            return self._put(name, key, content, ttl, stale, tags)

    def land(
        self,
        name: str,
        key: str,
        content: Content | None,
        ttl: float,
        ticket: int,
        *,
        stale: float | None = None,
        tags: Tags = (),
    ) -> bool:
        """Store what was loaded, or nothing, if the ticket stands and no tag was invalidated since; tell whether so."""
        with self.lock:
            is_right = self.tickets.allows(ticket, name, tags)
            if not self.tickets.end(name + key, ticket) or not is_right:
                return False
            if content is not None:
                self._put(name, key, content, ttl, stale, tags)
            return True

    def refill(self, slot: Slot, content: Content) -> None:
        """Replace the content of a live slot by one of the same kind and size, which stays as long as the old one."""
        self._revoke(slot)
        self._fill(slot, content, slot.units)

    def postpone(self, slot: Slot, ttl: float) -> None:
        """Let a live slot stay for `ttl` seconds from now, and no longer."""
        self._revoke(slot)
        self._schedule(slot, ttl)
        if type(slot) is KeptSlot:
            slot.at = self.tickets.next()
            slot.written_at = self.now()
            slot.fresh_until = slot.dead_at = slot.due

    def drop(self, name: str, key: str) -> bool:
        """Remove an entry; tell whether there was a live one."""
        with self.lock:
            if self.tickets.by_key:
                self.tickets.revoke(name + key)
            slot = self.find(name, key)
            removed = slot or self._slot(name, key)
            if removed is not None:
                self.remove(removed)
        return slot is not None

    def clear(self, name: str) -> None:
        """Remove all entries of a space, at once for readers, and keep loads that are under way from landing."""
        with self.lock:
            self.tickets.revoke_all(name)
            space = self._spaces.get(name)
            slots = [] if space is None else list(space.slots.values())
            if space is not None:
                space.slots.clear()
                self._leave(space)
        for start in range(0, len(slots), CHUNK):
            with self.lock:
                for slot in slots[start : start + CHUNK]:
                    self._forget(slot)
                self._tidy()
            sleep(0)  # whoever waits for the lock goes first

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
            return self._counts()

    # What follows is called with the lock held.

    def _put(self, name: str, key: str, content: Content, ttl: float, stale: float | None, tags: Tags) -> bool:
        if self.judges:
            self._free()
        units = units_of(key, content, tags)
        slot = self._slot(name, key)
        if slot is not None and self._units - slot.units + units > self._max_units:
            self._forget(slot)
            slot = None
        if units > self._max_units:
            return False
        if slot is None:
            self._make_room(units)
        kind = Slot if content.box is None else BoxedSlot
        if stale is not None or tags:
            kept = self._kept(ttl, stale or 0.0, self.tickets.marks(name, tags))
            slot = self._insert(kept, name, key, content, units, slot)
        elif type(slot) is kind:
            self._fill(slot, content, units)
        else:
            slot = self._insert(kind(), name, key, content, units, slot)
        self._schedule(slot, ttl)
        return True

    def _revoke(self, slot: Slot) -> None:
        if self.tickets.by_key and slot.space is not None:
            self.tickets.revoke(slot.space.name + slot.key)

    def _is_spoiled(self, slot: KeptSlot) -> bool:
        """Tell whether one of its tags was invalidated; then it goes."""
        if not slot.is_spoiled():
            return False
        self.remove(slot)
        return True

    def _due(self, ttl: float) -> float:
        if self._clock is not None:
            return self._clock() + ttl
        if ttl == inf:
            return inf
        due = tick(monotonic() + ttl) / TICKS
        if due != self._last_due:
            self._last_due = due
        return self._last_due  # one float for all that is written in the same tick

    def _kept(self, ttl: float, stale: float, marks: tuple[Mark, ...]) -> KeptSlot:
        slot = KeptSlot()
        slot.stale = None
        slot.marks = marks
        slot.at = self.tickets.next()
        slot.written_at = self.now()
        slot.fresh_until = self._due(ttl)
        slot.dead_at = slot.fresh_until + stale
        return slot

    def _wilted(self, slot: Slot) -> bool:
        """Let an entry that is over stay, out of sight, if it is to be kept."""
        if type(slot) is not KeptSlot or slot.stale is not None or slot.dead_at <= slot.due or slot.is_spoiled():
            return False
        slot.stale = Content(slot.value, slot.box, 0)
        slot.value = SLOW
        slot.box = None
        slot.due = slot.dead_at
        self._wheel.add(slot, self._entries)
        return True

    def _schedule(self, slot: Slot, ttl: float) -> None:
        due = self._due(ttl)
        earlier = due < slot.due
        slot.due = due  # after the content: a reader who sees the new time sees no old content
        if earlier:
            self._wheel.add(slot, self._entries)
            if not self.judges and due < reaper.wakes_at + AHEAD:
                reaper.expect(self._wheel.next())

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
