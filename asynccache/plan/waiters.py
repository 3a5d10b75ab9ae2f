"""One caller who waits in a thread, or on a loop of asyncio or trio, to be told something from any thread."""

from __future__ import annotations

import asyncio
import sys
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

from asynccache.plan.io import BLOCKING

if TYPE_CHECKING:
    from asynccache.plan.io import IO


class Waiter(ABC):
    """One caller who waits."""

    @abstractmethod
    def tell(self) -> None:
        """Wake the caller, from any thread; without effect where its loop is closed."""

    @abstractmethod
    async def wait(self, seconds: float) -> bool:
        """Wait to be told, at most so many seconds; tell whether that happened."""


def waiter_here() -> Waiter:
    """Make a waiter for a task of the loop that runs here; `RuntimeError` where it is neither asyncio's nor trio's."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        from asynccache.plan.trio_waiter import TrioWaiter

        return TrioWaiter(trio.lowlevel.current_trio_token())
    return AsyncioWaiter(asyncio.get_running_loop())


def waiter_of(io: IO) -> Waiter:
    """Make a waiter for a plan with this `io`: off a loop it blocks its thread."""
    return BlockingWaiter() if io is BLOCKING else waiter_here()


class BlockingWaiter(Waiter):
    """A caller who waits in a thread of its own."""

    def __init__(self) -> None:
        self._told = threading.Event()

    def tell(self) -> None:
        """Wake the caller."""
        self._told.set()

    async def wait(self, seconds: float) -> bool:
        """Wait to be told."""
        return self._told.wait(min(max(0.0, seconds), threading.TIMEOUT_MAX))


class AsyncioWaiter(Waiter):
    """A caller on a loop of asyncio, which runs here."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._told: asyncio.Future[None] = loop.create_future()
        self._thread = threading.get_ident()

    def tell(self) -> None:
        """Wake the caller."""
        if threading.get_ident() == self._thread:
            self._finish()
        else:
            with suppress(RuntimeError):  # a loop that was closed has nobody left to tell
                self._loop.call_soon_threadsafe(self._finish)

    async def wait(self, seconds: float) -> bool:
        """Wait to be told."""
        if seconds == inf:
            await self._told
        elif not self._told.done():
            await asyncio.wait([self._told], timeout=max(0.0, seconds))
        return self._told.done()

    def _finish(self) -> None:
        if not self._told.done():
            with suppress(RuntimeError):  # likewise, in the thread that it ran in
                self._told.set_result(None)
