"""Who goes when the memory is full: S3-FIFO (Yang et al., SOSP 2023, https://doi.org/10.1145/3600006.3613147).

What is new waits in a small queue; most of it is never asked for again and leaves from there, and only its fingerprint
stays in a ghost queue for a while. What was asked for moves on to the main queue, and so does at once what comes back
while its ghost is there. The main queue spares what was hit since its last turn.

Unlike the paper's, the small queue is 5 % and the ghost queue a hash table whose places are overwritten: both gave
better hit ratios in `benchmarks/local_memory.py`, and a ghost costs 4 bytes.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynccache.backends.memory.slots import Slot

SMALL_PART = 20
"""The small queue is kept at one in so many entries."""
MOST_SPARED = 3
"""Hits beyond these do not spare an entry more turns."""
SLACK = 64


class Ghosts:
    """Remembers by fingerprints whom the small queue has lost: about as many as there are entries."""

    __slots__ = ("_table",)

    def __init__(self) -> None:
        self._table = array("I")

    def add(self, mark: int, entries: int) -> None:
        """Remember a key by its hash; the memory is as long as the number of entries (within a factor of two)."""
        if not entries <= 2 * len(self._table) <= 4 * entries:
            self._table = array("I", bytes(4 * entries))
        self._table[mark % len(self._table)] = _fingerprint(mark)

    def take(self, mark: int) -> bool:
        """Tell whether it is remembered, and forget it."""
        if not self._table:
            return False
        place = mark % len(self._table)
        if self._table[place] != _fingerprint(mark):
            return False
        self._table[place] = 0
        return True


class Queues:
    """The order in which slots leave. Slots that were removed (`space` is None) are skipped when their turn comes."""

    __slots__ = ("_ghosts", "_main", "_small", "spent")

    def __init__(self) -> None:
        self._small: deque[Slot] = deque()
        self._main: deque[Slot] = deque()
        self._ghosts = Ghosts()
        self.spent = 0
        """Hits that slots had, and do not count any more since they were spared for them."""

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    def admit(self, slot: Slot) -> None:
        """Take in a new slot."""
        (self._main if self._ghosts.take(_mark(slot)) else self._small).append(slot)

    def evict(self, entries: int) -> Slot:
        """Choose one of the entries, of which there is at least one; it is in no queue any more."""
        while True:
            from_small = len(self._small) > max(1, len(self) // SMALL_PART) or not self._main
            slot = (self._small if from_small else self._main).popleft()
            if slot.space is None:
                continue
            if slot.seen:
                self._spare(slot, 0 if from_small else min(slot.seen, MOST_SPARED) - 1)
                continue
            if from_small:
                self._ghosts.add(_mark(slot), entries)
            return slot

    def tidy(self, entries: int) -> None:
        """Let go of removed slots, where there are many more than entries."""
        if len(self) > entries + entries // 4 + SLACK:
            self._small = deque(slot for slot in self._small if slot.space is not None)
            self._main = deque(slot for slot in self._main if slot.space is not None)

    def _spare(self, slot: Slot, seen: int) -> None:
        self.spent += slot.seen - seen
        slot.seen = seen
        self._main.append(slot)


def _mark(slot: Slot) -> int:
    return hash(slot.key) ^ slot.space.salt if slot.space else 0


def _fingerprint(mark: int) -> int:
    return mark >> 31 & 0xFFFFFFFF or 1
