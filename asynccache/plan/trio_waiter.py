"""A caller who waits in a run of trio."""

from __future__ import annotations

from contextlib import suppress
from math import inf

import trio

from asynccache.plan.waiters import Waiter


class TrioWaiter(Waiter):
    """A caller in the run of trio that this token is of."""

    def __init__(self, token: trio.lowlevel.TrioToken) -> None:
        self._token = token
        self._told = trio.Event()

    def tell(self) -> None:
        """Wake the caller."""
        with suppress(trio.RunFinishedError):  # nobody is left to tell
            self._token.run_sync_soon(self._told.set)

    async def wait(self, seconds: float) -> bool:
        """Wait to be told."""
        with trio.CancelScope() if seconds == inf else trio.move_on_after(max(0.0, seconds)):
            await self._told.wait()
        return self._told.is_set()
