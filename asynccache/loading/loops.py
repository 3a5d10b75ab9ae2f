"""The event loops on which loads run and callers wait: asyncio's here, trio's in `trio_loop.py`.

A load is a task of its own, which is in nobody's cancel scope. A waiter is told from any thread.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from asynccache.loading.outcomes import GONE, Gone

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from asynccache.loading.outcomes import Outcome


class Loop(ABC):
    """An event loop; two of these are equal where they stand for the same one."""

    @abstractmethod
    def is_closed(self) -> bool:
        """Tell whether it never runs again."""

    @abstractmethod
    def waiter(self) -> Waiter:
        """Make a waiter for a task of this loop, which is running."""

    @abstractmethod
    def launch(self, running: Coroutine[Any, Any, Outcome], name: str, land: Callable[[Outcome], None]) -> Launched:
        """Run this in a task of its own, and hand on how it ended, whatever happens."""

    @abstractmethod
    def closed(self) -> Gone:
        """Give the outcome for those who wait on this loop when the cache is closed."""


class Waiter(ABC):
    """One caller who waits."""

    @abstractmethod
    def tell(self, outcome: Any) -> None:
        """Wake the caller, from any thread; without effect where its loop is closed."""

    @abstractmethod
    async def wait(self, seconds: float) -> bool:
        """Wait to be told, at most so many seconds; tell whether that happened."""


class Launched(ABC):
    """A load that runs in a task of its own on this loop."""

    loop: Loop

    @abstractmethod
    def cancel(self) -> None:
        """Cancel it, from any thread."""

    @abstractmethod
    async def join(self) -> None:
        """Wait on its loop until it is over, however it ends."""


def running_loop() -> Loop | None:
    """Find the loop that runs here."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        from asynccache.loading.trio_loop import running_trio

        return running_trio()
    try:
        return _AsyncioLoop(asyncio.get_running_loop())
    except RuntimeError:
        return None


def required_loop() -> Loop:
    """Find the loop that runs here; `RuntimeError` where it is neither asyncio's nor trio's."""
    loop = running_loop()
    if loop is None:
        raise RuntimeError("no running event loop of asyncio or trio")
    return loop


@dataclass(frozen=True, slots=True)
class _AsyncioLoop(Loop):
    loop: asyncio.AbstractEventLoop

    def is_closed(self) -> bool:
        return self.loop.is_closed()

    def waiter(self) -> Waiter:
        return _AsyncioWaiter(self.loop)

    def launch(self, running: Coroutine[Any, Any, Outcome], name: str, land: Callable[[Outcome], None]) -> Launched:
        task = self.loop.create_task(running, name=name)
        task.add_done_callback(lambda task: land(_outcome(task)))
        return _AsyncioLaunched(self, task)

    def closed(self) -> Gone:
        return Gone(closed_on=self)


class _AsyncioWaiter(Waiter):
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._told: asyncio.Future[None] = loop.create_future()
        self._thread = threading.get_ident()

    def tell(self, outcome: Any) -> None:
        del outcome
        if threading.get_ident() == self._thread:
            self._finish()
        else:
            with suppress(RuntimeError):  # a loop that was closed has nobody left to tell
                self._loop.call_soon_threadsafe(self._finish)

    async def wait(self, seconds: float) -> bool:
        if seconds == inf:
            await self._told
        elif not self._told.done():
            await asyncio.wait([self._told], timeout=max(0.0, seconds))
        return self._told.done()

    def _finish(self) -> None:
        if not self._told.done():
            with suppress(RuntimeError):  # likewise, in the thread that it ran in
                self._told.set_result(None)


@dataclass(frozen=True, slots=True)
class _AsyncioLaunched(Launched):
    loop: _AsyncioLoop
    task: asyncio.Task[Outcome]

    def cancel(self) -> None:
        with suppress(RuntimeError):  # its loop is closed: it does not run any more
            self.loop.loop.call_soon_threadsafe(self.task.cancel)

    async def join(self) -> None:
        await asyncio.wait([self.task])


def _outcome(task: asyncio.Task[Outcome]) -> Outcome:
    if task.cancelled():
        return GONE
    error = task.exception()
    return task.result() if error is None else Gone(error)
