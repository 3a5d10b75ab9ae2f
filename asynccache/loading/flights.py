"""The table of flights: one load per key under way in this process, and which keys are being changed."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

from asynccache.loading.flight import Flight
from asynccache.loading.outcomes import GONE
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable


class Flights:
    """The loads that are `under_way` in this process, by key; `begun` and `settled` count them.

    Those that were detached while they were being stored are `leaving` until they are settled. Those `apart` are joined
    by nobody, and are in no table.

    A forked child starts with none.
    """

    def __init__(self) -> None:
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave all loads, and who waits for them, to the parent, in a forked child."""
        self.lock = threading.RLock()
        self.begun = 0
        self.settled = 0
        self.under_way: dict[Hashable, Flight] = {}
        self.leaving: list[Flight] = []
        self.apart: set[Flight] = set()
        self._changing: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        return len(self.under_way)

    @property
    def is_idle(self) -> bool:
        """Whether there is nobody whom a change of a key would concern."""
        return not (self.under_way or self.leaving or self.apart)

    def join(self, key: Hashable) -> tuple[Flight, bool]:
        """Give the flight of this key, and whether the caller leads it."""
        with self.lock:
            found = self.under_way.get(key)
            if found is not None and not found.is_stranded:
                return found, False
            self.begun += 1
            flight = self.under_way[key] = Flight(self, key, self.begun)
        if found is not None:
            found.break_off(GONE)
        return flight, True

    def begin_apart(self, key: Hashable) -> Flight:
        """Begin one that nobody joins: it is there to be told when its key changes."""
        with self.lock:
            self.begun += 1
            flight = Flight(self, key, self.begun)
            self.apart.add(flight)
            return flight

    def detach(self, key: Hashable) -> Flight | None:
        """Keep what this flight loads from being stored and let later callers start afresh: its key has changed."""
        with self.lock:
            for alone in [flight for flight in self.apart if flight.key == key]:
                self.doom(alone)
            flight = self.under_way.get(key)
            if flight is not None:
                self.doom(flight)
            return flight

    def doom(self, flight: Flight) -> None:
        """Keep this very flight from being stored, and let later callers start afresh."""
        with self.lock:
            flight.doomed = True
            self.forget(flight)
            if flight.is_storing and not flight.is_settled and flight not in self.leaving:
                self.leaving.append(flight)

    def being_stored(self, keys: Collection[Hashable]) -> list[Flight]:
        """Keep what is loaded of these keys from being stored; give the flights of which that is too late to say."""
        with self.lock:
            for key in keys:
                self.detach(key)
            return self.still_stored(keys)

    def still_stored(self, keys: Collection[Hashable]) -> list[Flight]:
        """Give the flights of these keys that were detached, and have not ended."""
        with self.lock:
            return [flight for flight in self.leaving if flight.key in keys]

    def begin_change(self, keys: Iterable[Hashable]) -> None:
        """Note that these are being changed from now on."""
        with self.lock:
            self._changing.update(keys)

    def end_change(self, keys: Iterable[Hashable]) -> None:
        """Note that these were changed."""
        with self.lock:
            for key in keys:
                self._changing[key] -= 1
                if not self._changing[key]:
                    del self._changing[key]

    def is_changing(self, key: Hashable) -> bool:
        """Tell whether a key is being changed, in a store without fences."""
        with self.lock:
            return key in self._changing

    def renew(self, key: Hashable) -> tuple[Flight, bool]:
        """Give the flight that renews what is stored, and whether the caller leads it.

        What another flight loads, that does not, is not stored.
        """
        with self.lock:
            found = self.under_way.get(key)
            if found is not None and found.renews and not found.is_stranded:
                return found, False
            displaced = None if found is None or found.is_stranded else self.detach(key)
            flight, _ = self.join(key)
            flight.renews = True
            flight.displaced = displaced
            return flight, True

    def forget(self, flight: Flight) -> None:
        """Take a flight off the table, if it is still there."""
        self.apart.discard(flight)
        if self.under_way.get(flight.key) is flight:
            del self.under_way[flight.key]

    def led_here(self) -> tuple[Flight, ...]:
        """Give the flights that were begun in this thread."""
        here = threading.get_ident()
        with self.lock:
            return tuple(flight for flight in self.under_way.values() if flight.thread == here)
