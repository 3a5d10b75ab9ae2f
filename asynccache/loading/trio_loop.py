"""Trio as a loop that loads run on: each in a system task, since an ordinary one would need somebody's nursery."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from asynccache.errors import CacheError
from asynccache.loading.loops import Launched, Loop
from asynccache.loading.outcomes import Gone
from asynccache.plan.trio_waiter import TrioWaiter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from asynccache.loading.outcomes import Outcome
    from asynccache.plan.waiters import Waiter


def loop_of_trio(token: trio.lowlevel.TrioToken) -> Loop:
    """Give the loop of the run of trio that this token is of."""
    return _TrioLoop(token)


@dataclass(frozen=True, slots=True)
class _TrioLoop(Loop):
    token: trio.lowlevel.TrioToken

    def is_closed(self) -> bool:
        return not self.soon(_nothing)

    def task(self) -> object:
        return trio.lowlevel.current_task() if trio.lowlevel.in_trio_task() else None

    def waiter(self) -> Waiter:
        return TrioWaiter(self.token)

    def launch(self, running: Coroutine[Any, Any, Outcome], name: str, land: Callable[[Outcome], None]) -> Launched:
        launched = _TrioLaunched(self, trio.CancelScope(), trio.Event())
        trio.lowlevel.spawn_system_task(launched.run, running, land, name=name, context=copy_context())
        return launched

    def closed(self) -> Gone:
        return Gone(CacheError("the cache was closed while this was loading"), closed_on=self)

    def soon(self, function: Callable[[], object]) -> bool:
        """Call this on the loop, from any thread; False where its run is over."""
        try:
            self.token.run_sync_soon(function)
        except trio.RunFinishedError:
            return False
        return True


@dataclass(frozen=True, slots=True, eq=False)
class _TrioLaunched(Launched):
    loop: _TrioLoop
    scope: trio.CancelScope
    over: trio.Event

    async def run(self, running: Coroutine[Any, Any, Outcome], land: Callable[[Outcome], None]) -> None:
        """Be the task: nothing but the end of the run may leave it, since that would be the end of the run."""
        outcome: Outcome = Gone(CacheError("the load was cancelled"))
        try:
            with self.scope:
                outcome = await running
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001  # the caller who leads raises it
            outcome = Gone(error)
        finally:
            land(outcome)
            self.over.set()

    def cancel(self) -> None:
        self.loop.soon(self.scope.cancel)

    async def join(self) -> None:
        await self.over.wait()


def _nothing() -> None:
    """Ask whether a run still takes calls."""
