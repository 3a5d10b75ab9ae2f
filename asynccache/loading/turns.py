"""Turns of those in this process who want the same lock, in the order in which they came.

Only the first one asks the store and is woken by it, so that a crowd here costs the store no more than one. Each loop
has a line of its own, and so have all threads together: a loop that died holds up nobody else.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from asynccache.loading.loops import required_loop
from asynccache.plan.forks import anew_in_child
from asynccache.plan.io import BLOCKING
from asynccache.plan.waiters import waiter_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asynccache.plan.io import IO
    from asynccache.plan.waiters import Waiter


class Turn:
    """A place in a line: `comes` waits until it is the first one, `end` leaves, wherever in the line it is."""

    __slots__ = ("_line", "_lines", "_waiter")

    def __init__(self, lines: Lines, line: Hashable, waiter: Waiter) -> None:
        self._lines = lines
        self._line = line
        self._waiter = waiter

    async def comes(self, seconds: float) -> bool:
        """Wait for one's turn, at most so long; tell whether it has come."""
        return self._lines.is_first(self._line, self._waiter) or await self._waiter.wait(seconds)

    def end(self) -> None:
        """Let the next one have its turn."""
        self._lines.leave(self._line, self._waiter)


class Lines:
    """All lines of this process. A forked child starts with none."""

    def __init__(self) -> None:
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave all lines to the parent, in a forked child."""
        self._lock = threading.Lock()
        self._lines: dict[Hashable, deque[Waiter]] = {}

    def join(self, io: IO, name: Hashable) -> Turn:
        """Stand in line for what has this name."""
        waiter = waiter_of(io)
        line = None if io is BLOCKING else required_loop(), name
        with self._lock:
            self._lines.setdefault(line, deque()).append(waiter)
        return Turn(self, line, waiter)

    def is_first(self, line: Hashable, waiter: Waiter) -> bool:
        """Tell whether this one is the first in the line."""
        with self._lock:
            return self._lines[line][0] is waiter

    def leave(self, line: Hashable, waiter: Waiter) -> None:
        """Leave a line."""
        with self._lock:
            waiters = self._lines[line]
            was_first = waiters[0] is waiter
            waiters.remove(waiter)
            if not waiters:
                del self._lines[line]
            elif was_first:
                waiters[0].tell()


lines = Lines()
