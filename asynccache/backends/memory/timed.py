"""Slots that leave when it is time, by a clock of the user's or by real time.

Whoever calls holds the lock of the store.
"""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from asynccache.backends.memory.expiry import AHEAD, TICKS, tick
from asynccache.backends.memory.reaper import reaper
from asynccache.backends.memory.room import Room
from asynccache.backends.memory.slots import SLOW, Content, KeptSlot

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.backends.memory.slots import Slot
    from asynccache.backends.memory.spaces import Place

TICK = 1 / TICKS


class TimedRoom(Room):
    """Bounded spaces of slots that expire.

    Args:
        name, max_entries, max_bytes: those of `Room`.
        clock: seconds. `None`: real time, by which the reaper removes what is over.
    """

    def __init__(self, name: str, max_entries: int, max_bytes: int, clock: Callable[[], float] | None) -> None:
        super().__init__(name, max_entries, max_bytes)
        self.judges = clock is not None
        """Whether a reader has to ask: then no slot may show its value."""
        self._clock = clock
        self._last_due = -inf

    def now(self) -> float:
        """Tell the time by which entries end."""
        return monotonic() if self._clock is None else self._clock()

    def _due(self, ttl: float) -> float:
        due = self.now() + ttl
        if due == inf:
            return inf
        if self.judges:
            self._wheel.note(due)
            return due
        return self._rounded(due)

    def _rounded(self, due: float) -> float:
        """Give one float for all that is due in the same tick."""
        self._last_due = tick(due) / TICKS
        self._wheel.note(self._last_due)
        return self._last_due

    def _schedule(self, place: Place, due: float, before: float = inf) -> None:
        """Let a slot expire then, which would have done so later or earlier before."""
        if due < before and due < self._wheel.horizon:
            self._wheel.add(place, due, self.now())
            if not self.judges and due < reaper.wakes_at + AHEAD:
                reaper.expect(self._wheel.next())

    def _free(self) -> None:
        """Remove what is over by a clock that no reaper knows."""
        if self._clock is not None:
            while self._turn(self._clock() - TICK):
                pass

    def _turn(self, now: float) -> bool:
        """Remove a part of what is over; tell whether there may be more."""
        self._last_due = -inf
        due = self._wheel.turn(now)
        for place in due or ():
            slot = self._spaces.find(place)
            if slot is not None and slot.due <= now + TICK and not self._wilted(place, slot):  # a place may come twice
                self._expired += 1
                self._spaces.pop(place)
        self._tidy()
        return due is not None

    def _wilted(self, place: Place, slot: Slot) -> bool:
        """Let an entry that is over stay, out of sight, if it is to be kept."""
        if type(slot) is not KeptSlot or slot.stale is not None or slot.dead_at <= slot.due or slot.is_spoiled():
            return False
        slot.stale = Content(slot.value, slot.box, 0)
        slot.value = SLOW
        slot.box = None
        slot.due = slot.dead_at
        if slot.due < inf:
            self._wheel.note(slot.due)
            self._schedule(place, slot.due)
        return True
