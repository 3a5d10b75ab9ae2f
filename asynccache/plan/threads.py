"""The one bounded limiter that all blocking calls share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio.lowlevel
import anyio.to_thread

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
THREADS = 40
_limiter: anyio.lowlevel.RunVar[anyio.CapacityLimiter] = anyio.lowlevel.RunVar("asynccache_threads")


async def in_thread(function: Callable[[], T]) -> T:
    """Run a blocking function in a worker thread of this loop, at most 40 at a time."""
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(THREADS)
        _limiter.set(limiter)
    return await anyio.to_thread.run_sync(function, limiter=limiter)
