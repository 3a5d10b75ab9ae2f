"""Threads for loads that nobody's own thread runs: few, started when there is work, gone when there is none."""

from __future__ import annotations

import os
import threading
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.loading.flights import Flight

MOST = 8


class _Job(NamedTuple):
    owner: Flight
    work: Callable[[], object]
    drop: Callable[[], object]


class LoadThreads:
    """Runs functions in at most eight threads at a time, the others in turn. A forked child starts with none."""

    def __init__(self) -> None:
        self._begin_anew()

    @property
    def owners(self) -> list[Flight]:
        """The flights that wait for a thread or are in one."""
        self._leave_the_parents()
        with self._lock:
            return list(self._owners)

    def start(self, owner: Flight, work: Callable[[], object], drop: Callable[[], object]) -> None:
        """Run this soon; if it is dropped before it began, call `drop` instead. Neither may raise.

        Raises `RuntimeError`, and drops it, where no thread can be started.
        """
        self._leave_the_parents()
        with self._lock:
            self._owners.add(owner)
            self._waiting.append(_Job(owner, work, drop))
            if len(self._running) >= MOST:
                return
            thread = threading.Thread(target=self._run, name="asynccache-load", daemon=True)
            self._running.add(thread)
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                self._running.discard(thread)
            self.drop()
            raise

    def drop(self) -> None:
        """Drop what has not begun."""
        self._leave_the_parents()
        with self._lock:
            waiting = list(self._waiting)
            self._waiting.clear()
            self._owners.difference_update(job.owner for job in waiting)
        for job in waiting:
            job.drop()

    def join(self, seconds: float) -> None:
        """Wait for what is running, at most so long."""
        until = monotonic() + seconds
        with self._lock:
            running = list(self._running)
        for thread in running:
            if thread is not threading.current_thread() and thread.ident is not None:
                thread.join(max(0.0, until - monotonic()))

    def _leave_the_parents(self) -> None:
        if self._pid != os.getpid():
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._owners: set[Flight] = set()
        self._waiting: deque[_Job] = deque()
        self._running: set[threading.Thread] = set()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._running.discard(threading.current_thread())
                    return
                job = self._waiting.popleft()
            job.work()
            with self._lock:
                self._owners.discard(job.owner)
