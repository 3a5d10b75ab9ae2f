"""Blocking connections to memcached that all threads share: bounded, lent to one, dropped after any exception."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from asynccache.backends.memcached_rewriting import PATIENCE
from asynccache.backends.outage import Due, OutageGuard
from asynccache.plan.forks import anew_in_child
from asynccache.wire.faults import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_inherited: list[Line] = []
"""What a forked child got from its parent: kept, since to finalize it could close what is the parent's."""


class Line(Protocol):
    """A connection to one server; one thread at a time uses it."""

    def is_fit(self, due: Due) -> bool:
        """Tell whether it is open, and nothing that nobody asked for is waiting in it."""

    def run(self, command: str, args: tuple[Any, ...], due: Due) -> Any:
        """Run a command of `MemcachedOrder`."""

    def drop(self) -> None:
        """Close it."""

    def leave_to_parent(self) -> None:
        """Do nothing to the connection, now or ever: this is a forked child."""


class Lines:
    """The connections to one server.

    An operation waits for its turn first; the guard's deadline begins when it has a connection of its own. So a crowd
    at a server that answers is served in order, and behind a server that does not, all fail as soon as the first did.
    """

    def __init__(self, open_line: Callable[[], Line], guard: OutageGuard, size: int) -> None:
        self._open = open_line
        self._guard = guard
        self._size = size
        self._idle: deque[Line] = deque()
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave the parent's connections and locks, in a forked child."""
        for line in self._idle:
            line.leave_to_parent()
        _inherited.extend(self._idle)
        self._idle = deque()
        self._places = threading.Semaphore(self._size)
        self._epoch = 0

    def ask(self, command: str, *args: Any) -> Any:
        if not self._places.acquire(timeout=PATIENCE * self._guard.deadline):
            with self._guard.attempt(command):
                raise BusyError(f"all {self._size} connections were busy for too long")
        try:
            with self._guard.attempt(command) as due:
                return self._run(command, args, due)
        finally:
            self._places.release()

    def drop(self) -> None:
        """Close those that are idle now, and the others when they come back."""
        self._epoch += 1
        for line in self._taken():
            line.drop()

    def _run(self, command: str, args: tuple[Any, ...], due: Due) -> Any:
        epoch, line = self._epoch, self._fit_line(due)
        try:
            answer = line.run(command, args, due)
        except BaseException:
            line.drop()
            raise
        if epoch == self._epoch:
            self._idle.append(line)
        else:
            line.drop()
        return answer

    def _fit_line(self, due: Due) -> Line:
        for line in self._taken():
            if line.is_fit(due):
                return line
            line.drop()
        return self._open()

    def _taken(self) -> Iterator[Line]:
        while True:
            try:
                line = self._idle.pop()
            except IndexError:
                return
            yield line
