"""Entries in memory, never more than allowed: they leave by removal, by eviction or when it is time.

Reads take no lock. Writes take one, since the bounds would drift without it; it is an `RLock` because the finalizer of
an object that goes may use the cache.
"""

from __future__ import annotations

from math import inf
from threading import RLock
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from asynccache.backends.memory.eviction import FINGERPRINTS
from asynccache.backends.memory.reaper import reaper
from asynccache.backends.memory.slots import OVERHEAD, UNIT, BoxedSlot, Content, KeptSlot, Slot, held, shared, units_of
from asynccache.backends.memory.tickets import Tickets
from asynccache.backends.memory.timed import TICK, TimedRoom
from asynccache.core.entry import Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.backends.memory.spaces import Place
    from asynccache.backends.memory.tickets import Mark

    Tags = tuple[str, ...]

BEYOND_SIZE = OVERHEAD + UNIT - 1


class MemoryStore(TimedRoom):
    """A bounded store of one process; if it has a clock, every read is judged by it, and otherwise none is.

    Args:
        name: of the default space, which stays when it is empty.
        max_entries: of all spaces together.
        max_bytes: of all spaces together, overhead included.
        clock: seconds. `None`: real time, by which the reaper removes what is over.
    """

    def __init__(self, name: str, max_entries: int, max_bytes: int, clock: Callable[[], float] | None) -> None:
        super().__init__(name, max_entries, max_bytes, clock)
        self.lock = RLock()
        self.tickets = Tickets()
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

    def put_shared(self, key: str, value: Any, ttl: float) -> bool:
        """Do what `put` does in the default space, for what is most often set, in one piece: calls cost more than work.

        Args:
            key: a `str` itself.
            value: one to share, whose `__sizeof__` is all that it occupies.
            ttl: more than 0 seconds.
        """
        if self.judges:
            return self.put(self.default.name, key, held(value, Kind.VALUE, value.__sizeof__()), ttl)
        units = (BEYOND_SIZE + key.__sizeof__() + value.__sizeof__()) // UNIT
        slot = Slot()
        slot.value = value
        slot.seen = 0
        slot.units = units
        with self.lock:
            if self.tickets.by_key:
                self.tickets.revoke(self.default.name + key)
            due = inf
            if ttl != inf:
                due = monotonic() + ttl
                last = self._last_due
                due = last if 0.0 <= due - last < TICK else self._rounded(due)
            slot.due = due
            slots = self.default.slots
            old = slots.get(key)
            if old is not None or units > self._max_units:
                return self._put(self.default.name, key, shared(value, 0), units, ttl)
            if len(slots) + self._spaces.elsewhere >= self._max_entries or self._spaces.units + units > self._max_units:
                self._make_room(key, units)
                slots = self.default.slots
            queues = self._queues
            mark = hash(key)
            if queues.ghosts[mark & queues.mask] == mark % FINGERPRINTS:
                queues.main.append(key)
            else:
                queues.small.append(key)
            slots[key] = slot
            self._spaces.units += units
            if due < self._wheel.horizon:
                self._schedule(key, due)
            return True

    def put(
        self, name: str, key: str, content: Content, ttl: float, *, stale: float | None = None, tags: Tags = ()
    ) -> bool:
        """Store for `ttl` seconds, which are more than 0; False, and the old entry is gone, where it is too large.

        With `stale` its times are noted, and it is kept for so many seconds beyond its end. What has tags is in a box.
        """
        units = units_of(key, content, tags)
        with self.lock:
            self._revoke(name, key)
            return self._put(name, key, content, units, ttl, stale=stale, tags=tags)

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
                self._put(name, key, content, units_of(key, content, tags), ttl, stale=stale, tags=tags)
            return True

    def refill(self, name: str, key: str, slot: Slot, content: Content) -> None:
        """Replace the content of a live slot by one of the same kind and size, which stays as long as the old one."""
        self._revoke(name, key)
        _fill(slot, content)

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

    def _put(
        self,
        name: str,
        key: str,
        content: Content,
        units: int,
        ttl: float,
        *,
        stale: float | None = None,
        tags: Tags = (),
    ) -> bool:
        if self.judges:
            self._free()
        place = self._spaces.place(name, key)
        old = self._spaces.find(place)
        if old is not None and self._spaces.units - old.units + units > self._max_units:
            self._spaces.pop(place)
            old = None
        if units > self._max_units:
            return False
        if old is None:
            self._make_room(place, units)
        kind = Slot if content.box is None else BoxedSlot
        if stale is not None or tags:
            slot: Slot = self._kept(ttl, stale or 0.0, self.tickets.marks(name, tags))
        else:
            slot = old if type(old) is kind else kind()
        before = inf if old is None else old.due
        self._spaces.units += units - (0 if old is None else old.units)
        slot.units = units
        _fill(slot, content)
        slot.due = self._due(ttl)  # after the content: a reader who sees the new time sees no old content
        self._seat(place, slot, old, before)
        return True

    def _seat(self, place: Place, slot: Slot, old: Slot | None, before: float) -> None:
        """Give a slot the place of the old one, which it may be; no reader finds the place empty."""
        if old is None:
            self._queues.admit(place)
        if slot is not old:
            slot.seen = 0 if old is None else old.seen
            self._spaces.put(place, slot)
        self._schedule(place, slot.due, before)

    def _kept(self, ttl: float, stale: float, marks: tuple[Mark, ...]) -> KeptSlot:
        slot = KeptSlot()
        slot.stale = None
        slot.marks = marks
        slot.at = self.tickets.next()
        slot.written_at = self.now()
        slot.fresh_until = self._due(ttl)
        slot.dead_at = slot.fresh_until + stale
        return slot

    def _revoke(self, name: str, key: str) -> None:
        if self.tickets.by_key:
            self.tickets.revoke(name + key)

    def _is_spoiled(self, name: str, key: str, slot: KeptSlot) -> bool:
        """Tell whether one of its tags was invalidated; then it goes."""
        if not slot.is_spoiled():
            return False
        self.remove(name, key, slot)
        return True


def _fill(slot: Slot, content: Content) -> None:
    slot.value = content.value
    if isinstance(slot, BoxedSlot):
        slot.box = content.box
