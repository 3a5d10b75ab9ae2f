"""What wakes one caller, who waits in a thread or on a loop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from asynccache.plan.waiters import waiter_here

if TYPE_CHECKING:
    from asynccache.plan.io import IO
    from asynccache.plan.waiters import Waiter


class Bell:
    """What wakes one caller, in whatever way that one waits."""

    def __init__(self, io: IO) -> None:
        self._io = io
        self.mend()

    def mend(self) -> None:
        """Make it ring again."""
        self._told: threading.Event | Waiter = self._io.pick(threading.Event, _on_loop)()

    def ring(self) -> None:
        """Wake the caller."""
        if isinstance(self._told, threading.Event):
            self._told.set()
        else:
            self._told.tell()

    async def wait(self, seconds: float) -> None:
        """Wait for it."""
        await self._io.call(self._told.wait, max(0.0, seconds))


def _on_loop() -> threading.Event | Waiter:
    return waiter_here()
