"""What a node knows of the changes in one part of a store, and hence what it may hold nearby, and until when.

A value that the store confirmed is held with a position that the store had reached by then at least. It is admitted
where no later change of its key is known, so that a reply which was under way meanwhile is told by its number. It is
served as long as no later change of its tags, or of everything, is known, and all changes were heard of a moment ago.
The rules themselves are those of `core/fence.py`. Numbers only: no I/O, no clock.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from asynccache.backends.followed import At
from asynccache.core import fence
from asynccache.core.fence import Change, View, follows, has_hole, is_admitted, is_served

if TYPE_CHECKING:
    from asynccache.backends.followed import Batch

MOST_RECENT = 4_096
"""How many changed keys are remembered; for all others, the last that was forgotten counts."""


class Known:
    """What is known since some place in the log: when something is missing, a new one takes its place.

    Args:
        at: the place from which on everything is known.
        trusted_until: monotonic seconds until which nothing held by this is too old to be served.
        reached: the stamp of the last change of our own, where that is later.
    """

    __slots__ = ("cells", "floor", "position", "reached", "recent", "recent_floor", "trusted_until", "view")

    def __init__(self, at: At, trusted_until: float, reached: int = 0) -> None:
        self.view, self.position = at
        self.reached = max(self.position, reached)
        """What the store has reached, as far as is known: what is read from now on is as of this, or later."""
        self.trusted_until = trusted_until
        self.recent: dict[str, int] = {}
        self.recent_floor = self.reached
        self.cells: dict[int, int] = {}
        self.floor = 0

    def admits(self, key: str, as_of: int, held_as_of: int) -> bool:
        """Tell whether a value that was confirmed at `as_of` may be held; `held_as_of` is of what is (-1: nothing)."""
        recent = max(self.recent.get(key, 0), self.recent_floor)
        return is_admitted(as_of, self.view, self.view, recent, held_as_of)

    def serves(self, as_of: int, cells: tuple[int, ...]) -> bool:
        """Tell whether neither everything nor one of these cells was changed since."""
        if not cells:
            return is_served(as_of, self.floor, ())
        stamps = self.cells
        return is_served(as_of, self.floor, tuple([stamps.get(cell, 0) for cell in cells]))

    def hear(self, batch: Batch) -> bool:
        """Apply what the log has next; False where that does not follow on what is known."""
        if batch.at.view != self.view:
            return False
        for change in batch.changes:
            if not follows(change, self.position):
                return False
            self.apply(change)
            self.position = change.stamp
        return not has_hole(batch.at.position, self.position)

    def apply(self, change: Change) -> None:
        """Take note of one change, of which the log may tell again."""
        stamp = change.stamp
        self.reached = max(self.reached, stamp)
        match change.kind:
            case fence.KEYS:
                for key in change.what:
                    self._note(str(key), stamp)
            case fence.TAGS:
                for cell in change.what:
                    self.cells[int(cell)] = max(self.cells.get(int(cell), 0), stamp)
            case fence.CLEAR:
                self.floor = max(self.floor, stamp)

    def end(self) -> None:
        """Let nothing be served that is held by this."""
        self.trusted_until = -inf

    @property
    def is_over(self) -> bool:
        """Tell whether what is held by this is of no use any more, not even to stand in."""
        return self.trusted_until == -inf

    def _note(self, key: str, stamp: int) -> None:
        stamp = max(stamp, self.recent.pop(key, 0))
        self.recent[key] = stamp
        if len(self.recent) > MOST_RECENT:
            self.recent_floor = max(self.recent_floor, self.recent.pop(next(iter(self.recent))))


class OwnOrder(Known):
    """The changes of this process alone, numbered by itself: for what is held without a log that could be followed."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(At(View(b"", b""), 1), inf)

    def note(self, kind: str, what: tuple[str, ...] | tuple[int, ...] = ()) -> Change:
        """Give a number to a change that is over."""
        change = Change(self.reached + 1, self.reached, kind, what)
        self.apply(change)
        return change
