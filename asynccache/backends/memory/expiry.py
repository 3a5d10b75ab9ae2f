"""Who goes when it is time: a timing wheel of two levels (Varghese and Lauck, SOSP 1987).

A slot waits in the bucket of the second in which it is due, and shortly before that second it moves to the bucket of
its tick, 1/128 s. A bucket is emptied when its tick begins, so that nobody has to look at a clock to read an entry:
entries go up to 8 ms early, and late only if the thread that turns the wheel is.

A slot whose lifetime grew stays where it is and moves on when its old time comes: a value that is renewed a thousand
times a second costs no more than any other.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynccache.backends.memory.slots import Slot

TICKS = 128
"""Ticks of a second; a power of two, so that every tick is an exact float."""
AHEAD = 1
"""Seconds before it begins that a second is split up into ticks."""
CHUNK = 1000
"""Slots that are handled at once, while nobody else can write."""
SLACK = 64


class Buckets:
    """Lists of slots by number, and which number is the lowest."""

    __slots__ = ("_lists", "_numbers")

    def __init__(self) -> None:
        self._lists: dict[int, list[Slot]] = {}
        self._numbers: list[int] = []

    def add(self, number: int, slot: Slot) -> None:
        """Put a slot into the bucket of this number."""
        bucket = self._lists.get(number)
        if bucket is None:
            self._lists[number] = [slot]
            heappush(self._numbers, number)
        else:
            bucket.append(slot)

    def lowest(self) -> float:
        """Give the lowest number of a bucket; `inf` where all are empty."""
        return self._numbers[0] if self._numbers else inf

    def take(self) -> list[Slot]:
        """Take up to a thousand slots out of the bucket with the lowest number."""
        bucket = self._lists[self._numbers[0]]
        taken = bucket[-CHUNK:]
        del bucket[-CHUNK:]
        if not bucket:
            del self._lists[heappop(self._numbers)]
        return taken

    def keep_one_of_each(self, known: set[Slot]) -> None:
        """Let go of removed slots, of those that never expire, and of those that are known; the others are then."""
        for number in sorted(self._lists):
            bucket = [slot for slot in dict.fromkeys(self._lists.pop(number)) if slot.space and slot.due != inf]
            bucket = [slot for slot in bucket if slot not in known]
            known.update(bucket)
            if bucket:
                self._lists[number] = bucket
        self._numbers = list(self._lists)


class Wheel:
    """Slots by the time at which they are due. It has no clock: whoever turns it says what time it is."""

    __slots__ = ("_far", "_near", "_reached", "_size")

    def __init__(self) -> None:
        self._near = Buckets()
        self._far = Buckets()
        self._reached: float = -inf
        self._size = 0

    def add(self, slot: Slot, entries: int) -> None:
        """Take in a slot whose time became finite or earlier; there are so many entries now."""
        self._place(slot)
        self._size += 1
        self.tidy(entries)

    def next(self) -> float:
        """Give the time at which the wheel is to be turned next; `inf` where nothing waits."""
        return min(self._near.lowest() / TICKS, self._far.lowest() - AHEAD)

    def turn(self, now: float) -> list[Slot] | None:
        """Do a part of what there is to do by `now` and give the slots that are due; None: all is done.

        What is due is what has a tick that began; a slot may be given twice.
        """
        if self._near.lowest() <= now * TICKS:
            return self._over(now)
        if self._far.lowest() <= now + AHEAD:
            self._split_up()
            return []
        return None

    def tidy(self, entries: int) -> None:
        """Let go of removed slots and of double ones, where it holds many more than there are entries."""
        if self._size > entries + entries // 4 + SLACK:
            known: set[Slot] = set()
            self._near.keep_one_of_each(known)
            self._far.keep_one_of_each(known)
            self._size = len(known)

    def _over(self, now: float) -> list[Slot]:
        slots = self._near.take()
        self._size -= len(slots)
        due = []
        for slot in slots:
            if slot.space is None or slot.due == inf:
                continue
            if tick(slot.due) <= now * TICKS:
                due.append(slot)
            else:
                self._size += 1
                self._place(slot)
        return due

    def _split_up(self) -> None:
        self._reached = self._far.lowest() + 1
        for slot in self._far.take():
            if slot.space is not None and slot.due != inf:
                self._place(slot)
            else:
                self._size -= 1

    def _place(self, slot: Slot) -> None:
        if slot.due < self._reached:
            self._near.add(tick(slot.due), slot)
        else:
            self._far.add(int(slot.due), slot)


def tick(seconds: float) -> int:
    """Give the tick in which a moment is."""
    return int(seconds * TICKS)
