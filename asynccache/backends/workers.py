"""Threads of one's own, for a library that binds what it opens to the thread that opened it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
CLOSE_SECONDS = 1.0
_inherited: list[Any] = []
"""What a forked child got from its parent: kept, since its threads are gone and its end would wait for them."""


class Workers:
    """Calls functions in one of a few threads, started when they are needed.

    Args:
        count: how many there are at most.
        leave: called in each of them when they are closed, to close what it has opened.
    """

    def __init__(self, count: int, leave: Callable[[], object]) -> None:
        self._count = count
        self._leave = leave
        self._lock = threading.Lock()
        self._threads: ThreadPoolExecutor | None = None
        self._pid = os.getpid()

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call it there, and wait for it."""
        self._leave_the_parents()
        with self._lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="asynccache-worker")
            called = self._threads.submit(function, *args)
        return called.result()

    def close(self) -> None:
        """Let the threads leave what they have opened, and end; wait at most a second for them."""
        self._leave_the_parents()
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is None:
            return
        everybody = threading.Barrier(self._count)
        wait([threads.submit(self._left, everybody) for _ in range(self._count)], timeout=CLOSE_SECONDS)
        threads.shutdown(wait=False, cancel_futures=True)

    def _left(self, everybody: threading.Barrier) -> None:
        """Leave once; nobody goes on before all are here, so that nobody comes twice."""
        try:
            self._leave()
        finally:
            with suppress(threading.BrokenBarrierError):
                everybody.wait(CLOSE_SECONDS)

    def _leave_the_parents(self) -> None:
        if self._pid != os.getpid():
            _inherited.append(self._threads)
            self._lock, self._threads, self._pid = threading.Lock(), None, os.getpid()
