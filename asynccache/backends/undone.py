"""Invalidations that did not reach the store: keys, tags and "all", never values.

While one is here, what the store has under that key, with that tag, or at all, is a miss on this node. They are done
again, as drops, before this node uses the store for these again; nobody has to decide who was newer, since all end at a
miss.
"""

from __future__ import annotations

import threading
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from asynccache.core.fence import cells_of
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST = 10_000
"""How many are remembered; beyond that, everything of their versions counts as invalidated."""


class Item(NamedTuple):
    """A key or a tag of a version; neither: all of it."""

    version: str
    key: str | None = None
    tag: str | None = None

    @property
    def is_wide(self) -> bool:
        """Tell whether it concerns more than one key."""
        return self.key is None


class Undone:
    """The journal of what is to be invalidated in the store, for all threads of a process.

    Args:
        can_clear: whether "all" can be done at the store; where not, what is too much is refused.
    """

    def __init__(self, *, can_clear: bool) -> None:
        self._can_clear = can_clear
        self._pending: dict[Item, int] = {}
        self._cells: Counter[tuple[str, int]] = Counter()
        self._number = count(1)
        self.wide = 0
        """How many of them concern more than one key."""
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Forget the parent's lock, in a forked child; what was not done is the child's to do as well."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._pending)

    def add(self, items: Collection[Item]) -> bool:
        """Remember these; False where there are too many already."""
        with self._lock:
            if len(self._pending) + len(items) > MOST:
                if not self._can_clear:
                    return False
                items = {Item(item.version) for item in (*self._pending, *items)}
                self._remove(list(self._pending))
            for item in items:
                self._insert(item)
        return True

    def acknowledged(self, items: Iterable[Item], before: int) -> None:
        """Note that the store did these just now: what was pending of them, and is older than `before`, is done too."""
        if self._pending:
            with self._lock:
                self._remove([item for item in items if self._pending.get(item, before) < before])

    def mark(self) -> int:
        """Give a number that is later than those of all that is pending."""
        return next(self._number)

    def bars(self, item: Item, cells: Iterable[int]) -> bool:
        """Tell whether what the store has under this key, with these cells, is to be invalidated."""
        return bool(self._pending) and (item in self._pending or self.dooms(item.version, cells))

    def dooms(self, version: str, cells: Iterable[int]) -> bool:
        """Tell whether what is tagged so, or everything, is to be invalidated."""
        if not self.wide:
            return False
        with self._lock:
            return Item(version) in self._pending or any(self._cells[version, cell] for cell in cells)

    def pending(self, version: str, keys: Iterable[str], *, wide: bool) -> dict[Item, int]:
        """Give what is to be done before these keys are used: with `wide`, also what concerns more than one."""
        with self._lock:
            found = {item: self._pending[item] for key in keys if (item := Item(version, key)) in self._pending}
            if wide and self.wide:
                found |= {item: n for item, n in self._pending.items() if item.is_wide and item.version == version}
            return found

    def all(self) -> dict[Item, int]:
        """Give all that is pending, with the number of each."""
        with self._lock:
            return dict(self._pending)

    def done(self, items: dict[Item, int]) -> None:
        """Forget these, but for those that were added again meanwhile."""
        with self._lock:
            self._remove([item for item, number in items.items() if self._pending.get(item) == number])

    def _insert(self, item: Item) -> None:
        if item not in self._pending and item.is_wide:
            self.wide += 1
            self._cells.update((item.version, cell) for cell in _cells(item))
        self._pending[item] = next(self._number)

    def _remove(self, items: list[Item]) -> None:
        for item in items:
            del self._pending[item]
            if item.is_wide:
                self.wide -= 1
                self._cells.subtract((item.version, cell) for cell in _cells(item))
        if not self.wide:
            self._cells.clear()


def _cells(item: Item) -> tuple[int, ...]:
    return () if item.tag is None else cells_of((item.tag,))
