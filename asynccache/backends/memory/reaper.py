"""The thread that removes what is over, so that readers need not look at a clock.

There is one for the process. It starts when the first entry is to expire, sleeps until something is due, and ends when
nothing is. It holds stores weakly. A fork waits until it has ended and until nobody writes; afterwards it starts again
in both processes.
"""

from __future__ import annotations

import os
import threading
from math import inf
from time import monotonic
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from asynccache.backends.memory.store import MemoryStore


class Reaper:
    """Visits stores when they expect it."""

    def __init__(self) -> None:
        self.wakes_at = inf
        """When it looks again, in monotonic seconds; `inf` also while it looks, so that it hears of all that is new."""
        self._stores: WeakSet[MemoryStore] = WeakSet()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._paused = False
        self._forking = threading.Lock()
        self._held: list[MemoryStore] = []

    def watch(self, store: MemoryStore) -> None:
        """Visit this store as long as it lives."""
        with self._changed:
            self._stores.add(store)

    def expect(self, when: float) -> None:
        """Look at the stores at this time (monotonic seconds) or earlier."""
        with self._changed:
            if when < self.wakes_at:
                self._start()
                self.wakes_at = when
                self._changed.notify()

    def _start(self) -> None:
        if self._thread is None and not self._paused:
            thread = threading.Thread(target=self._run, name="asynccache-reaper", daemon=True)
            thread.start()
            self._thread = thread

    def _run(self) -> None:
        while self._sleep():
            self._visit()

    def _visit(self) -> None:
        for store in self._snapshot():
            self.expect(store.reap())

    def _sleep(self) -> bool:
        """Wait until it is time; False when there is nothing to wait for any more."""
        with self._changed:
            while not self._paused and monotonic() < self.wakes_at < inf:
                self._changed.wait(min(self.wakes_at - monotonic(), threading.TIMEOUT_MAX))
            if self._paused or self.wakes_at == inf:
                self._thread = None
                return False
            self.wakes_at = inf
            return True

    def _snapshot(self) -> list[MemoryStore]:
        with self._changed:
            return list(self._stores)

    # Around a fork

    def before_fork(self) -> None:
        """End the thread and keep everybody from writing, so that the child gets whole stores and free locks."""
        self._forking.acquire()
        with self._changed:
            self._paused = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join()
        self._held = self._snapshot()
        for store in self._held:
            store.lock.acquire()
        self._changed.acquire()

    def after_fork(self) -> None:
        """Go on, in the parent and in the child."""
        self._paused = False
        if self.wakes_at != inf:
            self._start()
        self._changed.release()
        for store in self._held:
            store.lock.release()
        self._held = []
        self._forking.release()


reaper = Reaper()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=reaper.before_fork, after_in_parent=reaper.after_fork, after_in_child=reaper.after_fork)
