"""How entries come in: in every way, and in a quick one for what is most often set."""

from __future__ import annotations

from math import inf
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.memory.eviction import FINGERPRINTS
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


class WritableRoom(TimedRoom):
    """Bounded spaces of slots that expire, under a lock; its arguments are those of `TimedRoom`."""

    def __init__(self, name: str, max_entries: int, max_bytes: int, clock: Callable[[], float] | None) -> None:
        super().__init__(name, max_entries, max_bytes, clock)
        self.lock = RLock()
        self.tickets = Tickets()

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
            spaces, slots = self._spaces, self.default.slots
            old = slots.get(key)
            if units > self._max_units or (old is not None and spaces.units + units - old.units > self._max_units):
                return self._put(self.default.name, key, shared(value, 0), units, ttl)
            if old is not None:
                slot.seen = old.seen
                slots[key] = slot
                spaces.units += units - old.units
                if due < old.due and due < self._wheel.horizon:
                    self._schedule(key, due)
                return True
            if len(slots) + spaces.elsewhere >= self._max_entries or spaces.units + units > self._max_units:
                self._make_room(key, units)
                slots = self.default.slots
            queues = self._queues
            mark = hash(key)
            if queues.ghosts[mark & queues.mask] == mark % FINGERPRINTS:
                queues.main.append(key)
            else:
                queues.small.append(key)
            slots[key] = slot
            spaces.units += units
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
        fill(slot, content)
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


def fill(slot: Slot, content: Content) -> None:
    """Put a content into a slot of its kind."""
    slot.value = content.value
    if isinstance(slot, BoxedSlot):
        slot.box = content.box
