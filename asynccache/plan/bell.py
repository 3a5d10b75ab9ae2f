"""What wakes one caller, who waits in a thread or on a loop, as often as it is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.plan.waiters import waiter_of

if TYPE_CHECKING:
    from asynccache.plan.io import IO


class Bell:
    """What wakes one caller, in whatever way that one waits."""

    def __init__(self, io: IO) -> None:
        self._io = io
        self.mend()

    def mend(self) -> None:
        """Make it ring again."""
        self._waiter = waiter_of(self._io)

    def ring(self) -> None:
        """Wake the caller, from any thread."""
        self._waiter.tell()

    async def wait(self, seconds: float) -> None:
        """Wait for it, at most so many seconds."""
        await self._waiter.wait(seconds)
