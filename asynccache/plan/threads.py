"""The one bounded limiter that all blocking calls share.

On asyncio a task that is cancelled leaves at once, and anyio counts its thread as free although it is still busy. So a
call keeps its place until it is over, whatever became of its caller: a crowd that is cancelled cannot fill the machine
with threads.
"""

from __future__ import annotations

import asyncio
import math
import threading
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

import anyio
import anyio.lowlevel
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
THREADS = 40
_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("asynccache_threads")
_unlimited: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("asynccache_threads_unlimited")


async def in_thread(function: Callable[[], T]) -> T:
    """Run a blocking function in a worker thread of this loop, at most 40 at a time; what began, ends."""
    limiter = _of_this_loop(_limiter, THREADS)
    call = _Call(function)
    try:
        limiter.acquire_on_behalf_of_nowait(call)
    except anyio.WouldBlock:
        await limiter.acquire_on_behalf_of(call)
    try:
        return await anyio.to_thread.run_sync(call, limiter=_of_this_loop(_unlimited, math.inf))
    finally:
        if not call.goes_on_after(limiter):
            limiter.release_on_behalf_of(call)


class _Call(Generic[T]):
    """A call of a function in a thread."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._under_way = False
        self._left = False
        self._give_back: Callable[[], object] | None = None

    def __call__(self) -> T:
        with self._lock:
            if self._left:
                return cast("T", None)  # nobody waits for it
            self._under_way = True
        try:
            return self._function()
        finally:
            with self._lock:
                self._under_way = False
            if self._give_back is not None:
                self._give_back()

    def goes_on_after(self, limiter: anyio.CapacityLimiter) -> bool:
        """Leave; a function that is under way gives its place back when it is over, from its thread."""
        with self._lock:
            self._left = True
            if self._under_way:
                self._give_back = partial(_give_back, asyncio.get_running_loop(), limiter, self)
            return self._under_way


def _give_back(loop: asyncio.AbstractEventLoop, limiter: anyio.CapacityLimiter, call: _Call[T]) -> None:
    with suppress(RuntimeError):  # the loop was closed meanwhile, and its limiter with it
        loop.call_soon_threadsafe(limiter.release_on_behalf_of, call)


def _of_this_loop(var: anyio.lowlevel.RunVar[anyio.CapacityLimiter], places: float) -> anyio.CapacityLimiter:
    try:
        return var.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(places)
        var.set(limiter)
        return limiter
