"""Who goes when it is time: a timing wheel of two levels (Varghese and Lauck, SOSP 1987), fed late.

What is due soon waits in the bucket of the second in which it is due, and shortly before that second it moves to the
bucket of its tick, 1/128 s. A bucket is emptied when its tick begins, so that nobody has to look at a clock to read an
entry: entries go up to 8 ms early, and late only if the thread that turns the wheel is.

What is due later is in no bucket. Now and then all entries are looked at, and those put into buckets that are due
before the next look: so most that are evicted, renewed or removed in time were never in the wheel.

An entry whose lifetime grew stays where it is and moves on when its old time comes: a value that is renewed a thousand
times a second costs no more than any other.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynccache.backends.memory.spaces import Place, Spaces

TICKS = 128
"""Ticks of a second; a power of two, so that every tick is an exact float."""
AHEAD = 1
"""Seconds before it begins that a second is split up into ticks."""
PERIOD = 32
"""Seconds from one look at all entries to the next."""
CHUNK = 1000
"""Places that are handled at once, while nobody else can write."""
SLACK = 64


class Buckets:
    """Lists of places by number, and which number is the lowest."""

    __slots__ = ("_lists", "_numbers")

    def __init__(self) -> None:
        self._lists: dict[int, list[Place]] = {}
        self._numbers: list[int] = []

    def add(self, number: int, place: Place) -> None:
        """Put a place into the bucket of this number."""
        bucket = self._lists.get(number)
        if bucket is None:
            self._lists[number] = [place]
            heappush(self._numbers, number)
        else:
            bucket.append(place)

    def lowest(self) -> float:
        """Give the lowest number of a bucket; `inf` where all are empty."""
        return self._numbers[0] if self._numbers else inf

    def take(self) -> list[Place]:
        """Take up to a thousand places out of the bucket with the lowest number."""
        bucket = self._lists[self._numbers[0]]
        taken = bucket[-CHUNK:]
        del bucket[-CHUNK:]
        if not bucket:
            del self._lists[heappop(self._numbers)]
        return taken

    def keep_one_of_each(self, known: set[Place], spaces: Spaces) -> None:
        """Let go of places that lead nowhere, and of those that are known; the others are then."""
        for number in sorted(self._lists):
            bucket = dict.fromkeys(place for place in spaces.leading(self._lists.pop(number)) if place not in known)
            known.update(bucket)
            if bucket:
                self._lists[number] = list(bucket)
        self._numbers = list(self._lists)


class Wheel:
    """Places by the time at which their slots are due. It has no clock: whoever turns it says what time it is."""

    __slots__ = ("_far", "_latest", "_looks_at", "_near", "_reached", "_size", "_spaces", "_unseen", "horizon")

    def __init__(self, spaces: Spaces) -> None:
        self._spaces = spaces
        self._near = Buckets()
        self._far = Buckets()
        self._reached: float = -inf
        self._size = 0
        self._unseen: list[Place] = []
        self._looks_at = inf
        self._latest = -inf
        self.horizon = inf
        """Who is due before this must be added; whoever is due later may be, and is heard of by `note` at least."""

    def add(self, place: Place, due: float, now: float) -> None:
        """Take in a place whose slot is due then, a finite time that is earlier than it was."""
        if self.horizon == inf:
            self._look_later(now)
        self._size += 1
        self._place(place, due)
        self.tidy()

    def note(self, due: float) -> None:
        """Hear that somebody is due then."""
        self._latest = max(self._latest, due)

    def next(self) -> float:
        """Give the time at which the wheel is to be turned next; `inf` where nothing waits."""
        return min(self._near.lowest() / TICKS, self._far.lowest() - AHEAD, self._looks_at)

    def turn(self, now: float) -> list[Place] | None:
        """Do a part of what there is to do by `now` and give the places that are due; None: all is done.

        What is due is what has a tick that began; a place may be given twice.
        """
        if self._near.lowest() <= now * TICKS:
            return self._over(now)
        if self._far.lowest() <= now + AHEAD:
            self._split_up()
            return []
        if self._unseen:
            self._look()
            return []
        if self._latest < self.horizon:  # so nobody is left who is in no bucket
            self._looks_at = self.horizon = inf
        elif self._looks_at <= now:
            self._look_later(now)
            self._latest = -inf
            self._unseen = self._spaces.places()
            return []
        return None

    def tidy(self) -> None:
        """Let go of places that lead nowhere and of double ones, where there are many more than entries."""
        if self._size > len(self._spaces) * 3 // 2 + SLACK:
            known: set[Place] = set()
            self._near.keep_one_of_each(known, self._spaces)
            self._far.keep_one_of_each(known, self._spaces)
            self._size = len(known)

    def _look_later(self, now: float) -> None:
        self._looks_at = now + PERIOD
        self.horizon = now + PERIOD + 2 * AHEAD

    def _look(self) -> None:
        seen = self._unseen[-CHUNK:]
        del self._unseen[-CHUNK:]
        for place in seen:
            slot = self._spaces.find(place)
            if slot is not None and slot.due != inf:
                self._size += 1
                self._place(place, slot.due)

    def _over(self, now: float) -> list[Place]:
        due = []
        slots, find = self._spaces.default.slots, self._spaces.find
        for place in self._near.take():
            slot = slots.get(place) or find(place)
            if slot is None or slot.due == inf:
                self._size -= 1
            elif tick(slot.due) <= now * TICKS:
                self._size -= 1
                due.append(place)
            else:
                self._place(place, slot.due)
        return due

    def _split_up(self) -> None:
        self._reached = self._far.lowest() + 1
        slots, find = self._spaces.default.slots, self._spaces.find
        for place in self._far.take():
            slot = slots.get(place) or find(place)
            if slot is not None and slot.due != inf:
                self._place(place, slot.due)
            else:
                self._size -= 1

    def _place(self, place: Place, due: float) -> None:
        if due >= self.horizon:
            self._size -= 1
            self.note(due)
        elif due < self._reached:
            self._near.add(tick(due), place)
        else:
            self._far.add(int(due), place)


def tick(seconds: float) -> int:
    """Give the tick in which a moment is."""
    return int(seconds * TICKS)
