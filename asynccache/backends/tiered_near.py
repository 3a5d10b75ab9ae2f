"""The near tier: copies, and what is known of the changes in each part of the store that they are of.

Nothing here waits. A lock is held while a change is applied, or a copy admitted; readers take none.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from asynccache.backends.followed import At, Batch, Hole
from asynccache.backends.tiered_copies import Content, Copies, Copy, Ground, is_counter, with_object
from asynccache.backends.tiered_state import Known, OwnOrder
from asynccache.core import fence
from asynccache.core.entry import Entry, Kind
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asynccache.backends.undone import Item, Undone
    from asynccache.core.fence import Change, View

_own_changes: ContextVar[list[tuple[Known, Change]] | None] = ContextVar("asynccache_own_changes", default=None)


@dataclass(slots=True)
class _Part:
    """What is known of a part; between two views that is nothing. `own` is the last change that this process made."""

    known: Known | None = None
    own_view: View | None = None
    own_stamp: int = 0


class NearTier:
    """Copies, and whether they may be used.

    Args:
        copies: where they are held.
        journal: what is to be invalidated in the store.
        max_staleness: seconds for which a copy may be used after the changes in its part were heard of.
        clock: that of the store, in whose times entries end.
    """

    def __init__(self, copies: Copies, journal: Undone, max_staleness: float, clock: Callable[[], float]) -> None:
        self.copies = copies
        self.own = OwnOrder()
        self.flushes = 0
        self.hits = 0
        """Counted without a lock: threads may lose one now and then."""
        self._journal = journal
        self._max_staleness = max_staleness
        self._clock = clock
        self._parts: dict[str, _Part] = {}
        self._find = copies.find
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Forget the parent's lock, in a forked child; what is known there is good for a moment here, too."""
        self._lock = threading.RLock()

    # Serving

    def serving(self, stored_key: str, kind: Kind) -> Copy | None:
        """Give a copy that may be used as it is."""
        copy = self._find(stored_key)
        if copy is None or copy.kind is not kind:
            return None
        known, now = copy.known, monotonic()
        if now >= known.trusted_until or now >= copy.good_until or not known.serves(copy.as_of, copy.cells):
            return None
        if copy.is_kept and self._clock() >= copy.times.fresh_until:
            return None
        if self._journal.wide and known is not self.own and self._journal.dooms(copy.version, copy.cells):
            return None
        return copy

    def stand_in(self, stored_key: str, kind: Kind) -> Entry | None:
        """Give a copy that may be outdated, as an entry that is over, for where the store does not answer."""
        copy = self._find(stored_key)
        if copy is None or copy.kind is not kind or copy.known.is_over or not copy.known.serves(copy.as_of, copy.cells):
            return None
        if copy.known is not self.own and self._journal.dooms(copy.version, copy.cells):
            return None
        seconds_over = monotonic() - min(copy.known.trusted_until, copy.good_until)
        fresh_until = min(copy.times.fresh_until, self._clock() - max(seconds_over, 0.0))
        return self.copies.entry(copy, copy.times._replace(fresh_until=fresh_until))

    # Holding

    def ground(self, part: str | None) -> Ground | None:
        """Tell what a copy will rest on that the store is asked for now; None: it cannot be held."""
        if part is None:
            return Ground(self.own, self.own.reached, monotonic())
        known = self.known(part)
        return None if known is None or known.is_over else Ground(known, known.reached, monotonic())

    def known(self, part: str) -> Known | None:
        """Tell what is known of a part, if it is followed."""
        found = self._parts.get(part)
        return None if found is None else found.known

    def admit(self, ground: Ground | None, stored_key: str, item: Item, kind: Kind, entry: Entry) -> Entry:
        """Hold what the store gave, if it may be held; give it as readers of its kind want it."""
        entry = with_object(entry, kind)
        if ground is not None and not is_counter(kind, entry.value):
            content = self.copies.content(kind, entry.value)
            self.hold(ground, stored_key, item, kind, entry, content)
        return entry

    def hold(self, ground: Ground, stored_key: str, item: Item, kind: Kind, entry: Entry, content: Content) -> None:
        """Hold this of an entry, if it may be held."""
        copy = Copy(kind, entry, content, ground, item.version)
        if ground.known is self.own:
            copy.good_until = ground.asked + self._max_staleness
        now = self._clock()
        with self._lock:
            if now < entry.times.fresh_until and self._admits(stored_key, item, copy):
                self.copies.put(stored_key, copy, entry.times.dead_at - now)

    def holds(self, ground: Ground, stored_key: str, cells: tuple[int, ...]) -> bool:
        """Tell whether nothing that is known has changed this key, these cells or everything since."""
        known = ground.known
        return known.admits(stored_key, ground.as_of, -1) and known.serves(ground.as_of, cells)

    def _admits(self, stored_key: str, item: Item, copy: Copy) -> bool:
        known, held = copy.known, self._find(stored_key)
        held_as_of = held.as_of if held is not None and held.known is known else -1
        return (
            not known.is_over
            and known.admits(stored_key, copy.as_of, held_as_of)
            and known.serves(copy.as_of, copy.cells)
            and (known is self.own or not self._journal.bars(item, copy.cells))
        )

    # Changes

    @contextmanager
    def stamps(self) -> Iterator[list[tuple[Known, Change]]]:
        """Note the stamps that changes made in here get, where they belong to a part that is followed."""
        stamps: list[tuple[Known, Change]] = []
        token = _own_changes.set(stamps)
        try:
            yield stamps
        finally:
            _own_changes.reset(token)

    def changed(self, part: str, view: View, change: Change) -> None:
        """Apply a change that this process made, before its caller hears of it."""
        with self._lock:
            found = self._parts.get(part)
            if found is None:
                return
            if found.own_view != view or found.own_stamp < change.stamp:
                found.own_view, found.own_stamp = view, change.stamp
            known = found.known
            if known is None:
                return
            if known.view != view:
                known.end()
                found.known = None
                return
            self._apply(known, change)
        if (stamps := _own_changes.get()) is not None:
            stamps.append((known, change))

    def hear(self, part: str, news: Batch | Hole, asked: float) -> None:
        """Apply what the log of a part said when it was `asked`."""
        with self._lock:
            found = self._parts.get(part)
            if found is None:
                return
            known = found.known
            if isinstance(news, Hole) or known is None or not self._follow(known, news):
                self._begin(found, news.at, asked)
            elif news.is_all:
                known.trusted_until = max(known.trusted_until, asked + self._max_staleness)

    def note(self, kind: str, what: tuple[str, ...] | tuple[int, ...] = ()) -> None:
        """Give a number to a change that this process made or tried, for what is held without a log."""
        with self._lock:
            self._drop(self.own, self.own.note(kind, what))

    def forget(self, stored_keys: Iterable[str]) -> None:
        """Hold these no more: whether the store let go of them is not known."""
        with self._lock:
            for stored_key in stored_keys:
                self.copies.drop(stored_key)

    def expect(self, parts: Iterable[str]) -> None:
        """Take note of changes in these parts from now on."""
        with self._lock:
            for part in parts:
                self._parts.setdefault(part, _Part())

    def end(self, parts: Iterable[str]) -> None:
        """Hold nothing of these any more: nobody will hear of changes."""
        with self._lock:
            for part in parts:
                found = self._parts.pop(part, None)
                if found is not None and found.known is not None:
                    found.known.end()

    def _follow(self, known: Known, batch: Batch) -> bool:
        follows = known.hear(batch)
        for change in batch.changes if follows else ():
            self._drop(known, change)
        return follows

    def _begin(self, found: _Part, at: At, asked: float) -> None:
        if found.known is not None:
            self.flushes += 1
            found.known.end()
        reached = found.own_stamp if found.own_view == at.view else 0
        found.known = Known(at, asked + self._max_staleness, reached)

    def _apply(self, known: Known, change: Change) -> None:
        known.apply(change)
        self._drop(known, change)

    def _drop(self, known: Known, change: Change) -> None:
        for key in change.what if change.kind == fence.KEYS else ():
            copy = self._find(str(key))
            if copy is not None and copy.known is known and change.stamp > copy.as_of:
                self.copies.drop(str(key))
