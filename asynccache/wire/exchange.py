"""Commands that were asked together, and who waits for their replies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.wire.faults import BusyError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Exchange:
    """The commands of one caller.

    Args:
        packed: the commands as the server reads them.
        count: how many replies there will be.
        due: the moment by which the caller wants them, in monotonic seconds.
        asked_at: now.
        future: gets the list of replies, in the order of the commands.
    """

    __slots__ = ("_count", "_future", "_packed", "_replies", "asked_at", "due")
    weight = 1
    """How many callers it is for."""

    def __init__(
        self, packed: bytes, count: int, due: float, asked_at: float, future: asyncio.Future[list[Any]]
    ) -> None:
        self._packed = packed
        self._count = count
        self._replies: list[Any] = []
        self._future = future
        self.due = due
        self.asked_at = asked_at

    def pack(self) -> bytes:
        """Give the commands, once."""
        packed, self._packed = self._packed, b""
        return packed

    def take(self, reply: Any) -> bool:
        """Take the next reply; tell whether it was the last one. Nobody may want it any more."""
        self._replies.append(reply)
        if len(self._replies) < self._count:
            return False
        if not self._future.done():
            self._future.set_result(self._replies)
        return True

    def fail(self, kind: Callable[[str], Exception], said: str) -> None:
        """Raise an exception of its own where the caller waits."""
        if not self._future.done():
            self._future.set_exception(kind(said))

    def expire(self, now: float, prompt_at: float) -> float | None:
        """Fail if it is due; give when to look again."""
        return expired(self._future, self.due, now, self.asked_at, prompt_at)


def expired(future: asyncio.Future[Any], due: float, now: float, asked_at: float, prompt_at: float) -> float | None:
    """Fail what is due; give when it will be, `None` where nobody waits any more.

    A server that has since answered others in good time is not to blame: there were many before this one.
    """
    if future.done():
        return None
    if due > now:
        return due
    if prompt_at > asked_at:
        future.set_exception(BusyError("its reply did not come in time, for there were many before it"))
    else:
        future.set_exception(TimeoutError("no reply came in time"))
    return None
