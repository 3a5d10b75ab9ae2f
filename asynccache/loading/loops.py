"""The event loops on which loads run and callers wait: asyncio's here, trio's in `trio_loop.py`.

A load is a task of its own, which is in nobody's cancel scope. A waiter is told from any thread.
"""

from __future__ import annotations

import asyncio
import sys
from abc import ABC, abstractmethod
from asyncio import _get_running_loop
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asynccache.loading.outcomes import GONE, Gone
from asynccache.plan.waiters import AsyncioWaiter, Waiter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from asynccache.loading.outcomes import Outcome


class Loop(ABC):
    """An event loop; two of these are equal where they stand for the same one."""

    @abstractmethod
    def is_closed(self) -> bool:
        """Tell whether it never runs again."""

    @abstractmethod
    def task(self) -> object:
        """Give the task of this loop that is running; None where none is."""

    @abstractmethod
    def waiter(self) -> Waiter:
        """Make a waiter for a task of this loop, which is running."""

    @abstractmethod
    def launch(self, running: Coroutine[Any, Any, Outcome], name: str, land: Callable[[Outcome], None]) -> Launched:
        """Run this in a task of its own, and hand on how it ended, whatever happens."""

    @abstractmethod
    def closed(self) -> Gone:
        """Give the outcome for those who wait on this loop when the cache is closed."""


class Launched(ABC):
    """A load that runs in a task of its own on this loop."""

    loop: Loop

    @abstractmethod
    def cancel(self) -> None:
        """Cancel it, from any thread."""

    @abstractmethod
    async def join(self) -> None:
        """Wait on its loop until it is over, however it ends."""


def native_loop() -> object:
    """Find the loop that runs here as its library knows it, of which there is one object; None where none does."""
    trio = sys.modules.get("trio")
    if trio is not None and trio.lowlevel.in_trio_run():
        return trio.lowlevel.current_trio_token()
    return _get_running_loop()


def running_loop() -> Loop | None:
    """Find the loop that runs here."""
    return loop_of(native_loop())


def loop_of(native: object) -> Loop | None:
    """Give the loop that a library knows as this; None for None."""
    if native is None:
        return None
    if isinstance(native, asyncio.AbstractEventLoop):
        return _AsyncioLoop(native)
    from asynccache.loading.trio_loop import loop_of_trio

    return loop_of_trio(native)  # type: ignore[arg-type]  # it is nothing else


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

    def task(self) -> object:
        return asyncio.current_task(self.loop)

    def waiter(self) -> Waiter:
        return AsyncioWaiter(self.loop)

    def launch(self, running: Coroutine[Any, Any, Outcome], name: str, land: Callable[[Outcome], None]) -> Launched:
        task = self.loop.create_task(running, name=name)
        task.add_done_callback(lambda task: land(_outcome(task)))
        return _AsyncioLaunched(self, task)

    def closed(self) -> Gone:
        return Gone(closed_on=self)


@dataclass(frozen=True, slots=True, eq=False)
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
