"""Those who wait for the same load, each in its own way, and are all told at once.

A caller on a loop of asyncio waits for a future of its own, which costs a third of `asyncio.shield`; no other one is
made for it, and no timer unless it waits for a limited time.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import _get_running_loop
from contextlib import suppress
from typing import TYPE_CHECKING

from asynccache.plan.waiters import Waiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class ThreadWaiter:
    """A caller in a thread."""

    __slots__ = ("_gate",)

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._gate.acquire()

    def tell(self) -> None:
        """Wake the caller, once."""
        self._gate.release()

    def wait(self, seconds: float) -> bool:
        """Block this thread until it is told, at most so many seconds; tell whether that happened."""
        return self._gate.acquire(timeout=max(0.0, seconds))


Told = asyncio.Future[None] | Waiter | ThreadWaiter
"""What somebody waits for."""


def tell_all(crowd: Mapping[Told, asyncio.AbstractEventLoop | None]) -> None:
    """Wake them all, from any thread; futures are given with their loop, and those of another one woken by one call."""
    here = _get_running_loop()
    elsewhere: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for told, loop in crowd.items():
        if loop is None:
            told.tell()  # type: ignore[union-attr]  # only futures have a loop
        elif loop is here:
            finish(told)  # type: ignore[arg-type]  # likewise
        else:
            elsewhere.setdefault(loop, []).append(told)  # type: ignore[arg-type]  # likewise
    for loop, futures in elsewhere.items():
        with suppress(RuntimeError):  # a loop that was closed has nobody left to tell
            loop.call_soon_threadsafe(_finish_all, futures)


def finish(future: asyncio.Future[None]) -> None:
    """Wake the one who waits for this future, unless it was woken before; on its loop."""
    if not future.done():
        future.set_result(None)


def _finish_all(futures: Iterable[asyncio.Future[None]]) -> None:
    for future in futures:
        finish(future)
