"""Threads for loads that nobody's own thread runs: few, started when there is work, gone when there is none."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asynccache.loading.flight import Flight

MOST = 8
_here = threading.local()


@contextmanager
def blocked() -> Iterator[None]:
    """Let another load have the place of the one that waits in this thread, which may well be for that other one."""
    threads: LoadThreads | None = getattr(_here, "threads", None)
    if threads is None:
        yield
        return
    threads.lend()
    try:
        yield
    finally:
        threads.take_back()


class _Job(NamedTuple):
    owner: Flight
    work: Callable[[], object]
    drop: Callable[[], object]


class LoadThreads:
    """Runs functions in at most eight threads at a time, the others in turn. A forked child starts with none.

    Threads in which a function waits for a load (`blocked`) do not count.
    """

    def __init__(self) -> None:
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave all threads, and what waits for one, to the parent, in a forked child."""
        self._lock = threading.Lock()
        self._owners: set[Flight] = set()
        self._waiting: deque[_Job] = deque()
        self._running: set[threading.Thread] = set()
        self._lent = 0

    @property
    def owners(self) -> list[Flight]:
        """The flights that wait for a thread or are in one."""
        with self._lock:
            return list(self._owners)

    def start(self, owner: Flight, work: Callable[[], object], drop: Callable[[], object]) -> None:
        """Run this soon; if it is dropped before it began, call `drop` instead. Neither may raise.

        Raises `RuntimeError`, and drops it, where no thread can be started.
        """
        with self._lock:
            self._owners.add(owner)
            self._waiting.append(_Job(owner, work, drop))
        try:
            self._go_on()
        except RuntimeError:
            self.drop()
            raise

    def lend(self) -> None:
        """Have somebody else run in the place of this thread, which waits."""
        with self._lock:
            self._lent += 1
        with suppress(RuntimeError):  # no more threads: one of those that there are comes to it
            self._go_on()

    def take_back(self) -> None:
        """Have this thread run again."""
        with self._lock:
            self._lent -= 1

    def drop(self) -> None:
        """Drop what has not begun."""
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

    def _go_on(self) -> None:
        """Begin another thread, if there is work for it; `RuntimeError` where none can be started."""
        with self._lock:
            if not self._waiting or len(self._running) - self._lent >= MOST:
                return
            thread = threading.Thread(target=self._run, name="asynccache-load", daemon=True)
            self._running.add(thread)
        try:
            thread.start()
        except RuntimeError:
            with self._lock:
                self._running.discard(thread)
            raise

    def _run(self) -> None:
        _here.threads = self
        while True:
            with self._lock:
                if not self._waiting or len(self._running) - self._lent > MOST:
                    self._running.discard(threading.current_thread())
                    return
                job = self._waiting.popleft()
            job.work()
            with self._lock:
                self._owners.discard(job.owner)
