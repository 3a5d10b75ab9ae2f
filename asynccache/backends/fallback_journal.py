"""Which keys are outdated in which store: what a chain remembers of an outage. Keys only, and not without end.

The stores are known by their places: 0 is the one that is preferred. A key that is not marked anywhere lives in the
first store and in no other. What is changed in a store further down is marked for all those above, before it is done;
once the entry above was removed, the key lives there again, and is marked for all those below.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from itertools import count, groupby, islice
from typing import TYPE_CHECKING

from asynccache.errors import BackendUnavailableError
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

Name = tuple[str, str]
"""A version and a key."""
Marks = dict[Name, int]
"""Names, each with the number that tells whether it was marked again."""
MOST_BYTES = 32 * 1024 * 1024
_OVERHEAD = 160
"""Bytes that a mark takes beside its key, about."""


class Journal:
    """The outdated keys of so many stores, for all threads of a process.

    Args:
        stores: how many there are.
        most_bytes: how much may be remembered of each, about; beyond that nothing new can be marked.
    """

    def __init__(self, stores: int, most_bytes: int = MOST_BYTES) -> None:
        self._outdated: list[Marks] = [{} for _ in range(stores)]
        self._bytes = [0] * stores
        self._most = most_bytes
        self._number = count()
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Forget the parent's lock and sweepers, in a forked child; its marks are the child's as well."""
        self._lock = threading.Lock()
        self._swept: set[int] = set()

    def count(self, place: int) -> int:
        """Tell how many keys are outdated at this place."""
        return len(self._outdated[place])

    def mark(self, below: int, names: Collection[Name]) -> None:
        """Note that these are about to change in the store at this place, so that all above are outdated.

        Raises `BackendUnavailableError` where that cannot be remembered; then nothing is marked.
        """
        with self._lock:
            for place in range(below):
                if self._bytes[place] >= self._most and not self._outdated[place].keys() >= set(names):
                    raise BackendUnavailableError(
                        f"{len(self._outdated[place])} keys were changed while their store was away, and that is as "
                        "many as are remembered: no others can be changed until it answers"
                    )
            for place in range(below):
                self._mark(place, names)

    def settle(self, place: int, names: Iterable[Name]) -> None:
        """Note that a change at this place is over; who went home meanwhile, to a store above, left it outdated."""
        with self._lock:
            self._mark(place, [name for name in names if any(name not in self._outdated[n] for n in range(place))])

    def marked(self, place: int, names: Iterable[Name]) -> Marks:
        """Give those of these names that are outdated at this place."""
        outdated = self._outdated[place]
        if not outdated:
            return {}
        with self._lock:
            return {name: outdated[name] for name in names if name in outdated}

    def some(self, place: int, most: int) -> Marks:
        """Give outdated names of one version, those first that were marked first."""
        with self._lock:
            batch = list(islice(self._outdated[place].items(), most))
        return {name: number for name, number in batch if name[0] == batch[0][0][0]}

    def all(self, place: int, most: int) -> Iterator[Marks]:
        """Give all outdated names, at most so many at once, and those of one version only."""
        with self._lock:
            everything = sorted(self._outdated[place].items())
        for _, of_version in groupby(everything, key=lambda mark: mark[0][0]):
            while batch := dict(islice(of_version, most)):
                yield batch

    @contextmanager
    def sweeping(self, place: int) -> Iterator[bool]:
        """Tell whether there is something to remove at this place that nobody is removing already."""
        with self._lock:
            mine = bool(self._outdated[place]) and place not in self._swept
            if mine:
                self._swept.add(place)
        try:
            yield mine
        finally:
            if mine:
                self._swept.discard(place)

    def unmark(self, place: int, marks: Mapping[Name, int]) -> None:
        """Note that these were removed at this place: but for those that were marked again, they live there now."""
        with self._lock:
            outdated = self._outdated[place]
            removed = [name for name, number in marks.items() if outdated.get(name) == number]
            for name in removed:
                del outdated[name]
                self._bytes[place] -= _size(name)
            for below in range(place + 1, len(self._outdated)):
                self._mark(below, removed)

    def _mark(self, place: int, names: Iterable[Name]) -> None:
        outdated = self._outdated[place]
        for name in names:
            if name not in outdated:
                self._bytes[place] += _size(name)
            outdated[name] = next(self._number)


def _size(name: Name) -> int:
    return _OVERHEAD + len(name[1])
