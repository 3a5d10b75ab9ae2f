"""Who goes when the memory is full: S3-FIFO (Yang et al., SOSP 2023, https://doi.org/10.1145/3600006.3613147).

What is new waits in a small queue; most of it is never asked for again and leaves from there, and only its fingerprint
stays in a ghost queue for a while. What was asked for moves on to the main queue, and so does at once what comes back
while its ghost is there. The main queue spares what was hit since its last turn.

Unlike the paper's, the small queue is 5 % and the ghost queue a table whose places are overwritten: both gave better
hit ratios in `benchmarks/local_memory.py`, and a ghost costs a byte.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asynccache.backends.memory.spaces import Place, Spaces

SMALL_PART = 20
"""The small queue is kept at one in so many entries."""
MOST_SPARED = 3
"""Hits beyond these do not spare an entry more turns."""
SLACK = 64
FINGERPRINTS = 251
NOBODY = b"\xff"


class Queues:
    """The order in which places leave. Those that lead nowhere are passed over when their turn comes.

    Ghosts are remembered by fingerprints, as many as there are entries, within a factor of two. A fingerprint is a
    byte, so one newcomer in 250 is taken for somebody else.
    """

    __slots__ = ("_spaces", "ghosts", "main", "mask", "small")

    def __init__(self, spaces: Spaces) -> None:
        self.small: deque[Place] = deque()
        self.main: deque[Place] = deque()
        self.ghosts = bytearray(NOBODY)
        self.mask = 0
        """A ghost's place is its hash in as many bits."""
        self._spaces = spaces

    def __len__(self) -> int:
        return len(self.small) + len(self.main)

    def admit(self, place: Place) -> None:
        """Take in the place of a new slot."""
        mark = hash(place)
        was_here = self.ghosts[mark & self.mask] == mark % FINGERPRINTS
        (self.main if was_here else self.small).append(place)

    def evict(self, count: int) -> int:
        """Remove so many entries, or all; tell how many. It is one piece, since calls cost more than the work."""
        small, main, spaces = self.small, self.main, self._spaces
        if not small and not main:  # an exception out of nowhere, such as Ctrl-C, came before a removal
            small.extend(spaces.places())
        entries = len(spaces.default.slots) + spaces.elsewhere
        if not entries <= len(self.ghosts) <= 4 * entries:
            self._fit_ghosts(entries)
        ghosts, mask = self.ghosts, self.mask
        least = max(1, (len(small) + len(main)) // SMALL_PART)
        left = count
        while left and (small or main):
            slot = None  # the finalizer of what went runs now, and may use the store
            slots = spaces.default.slots
            from_small = len(small) > least or not main
            place = small.popleft() if from_small else main.popleft()
            slot = slots.get(place) or spaces.find(place)
            if slot is None:
                continue
            if seen := slot.seen:
                most = seen if seen < MOST_SPARED else MOST_SPARED  # noqa: FURB136  # `min` would be a call
                slot.seen = 0 if from_small else most - 1
                spaces.spent += seen - slot.seen
                main.append(place)
                continue
            if from_small:
                mark = hash(place)
                ghosts[mark & mask] = mark % FINGERPRINTS
            left -= 1
            if type(place) is tuple:
                spaces.pop(place)
            else:
                spaces.units -= slot.units
                del slots[place]
        return count - left

    def tidy(self) -> None:
        """Let go of places that lead nowhere, and of double ones, where there are many more than entries."""
        if len(self) > len(self._spaces) * 3 // 2 + SLACK:
            main, small = (dict.fromkeys(self._spaces.leading(queue)) for queue in (self.main, self.small))
            self.main.clear()  # the very deques, since an eviction may be under way, whose finalizer came here
            self.main.extend(main)
            self.small.clear()
            self.small.extend(place for place in small if place not in main)

    def _fit_ghosts(self, entries: int) -> None:
        """Begin anew with as many places for ghosts, or up to twice as many."""
        self.mask = (1 << (entries - 1).bit_length()) - 1
        self.ghosts = bytearray(NOBODY) * (self.mask + 1)
