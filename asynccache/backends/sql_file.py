"""SQLite by the standard library: one file, with a write-ahead log, shared by threads and processes of one host.

A connection serves one operation at a time, from whatever thread; idle ones are kept. Readers wait for nobody; writers
wait for each other as SQLite's busy timeout has it. No connection is used on the other side of a fork, nor after the
file was exchanged for another.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from asynccache.backends.outage import Due, RefusedError
from asynccache.backends.sql_replies import FullError, NoTableError
from asynccache.errors import ConfigurationError
from asynccache.plan.forks import anew_in_child
from asynccache.wire.faults import BusyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asynccache.backends.outage import OutageGuard
    from asynccache.backends.sql_replies import Reply, Statement
    from asynccache.plan.io import IO

FOREIGN_ERRORS: tuple[type[Exception], ...] = (sqlite3.Error,)
LARGEST = 900_000_000
"""Bytes, a little less than what SQLite takes for a row unless it was built otherwise."""
_OLDEST = (3, 35)
_KEPT = 8
_PAUSE = 0.005
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG}
_REFUSED = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}
_inherited: list[Any] = []
"""What a forked child got from its parent: kept, since to close it would touch files that are the parent's."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A connection, and the file that it has open."""

    connection: sqlite3.Connection
    file: tuple[int, int] | None


class SqlFile:
    """One file and all connections to it.

    Args:
        path: where it is; its folder has to be there.
        guard: the deadline, which bounds waiting for other writers, the breaker, and the errors.
    """

    def __init__(self, path: str, guard: OutageGuard) -> None:
        if sqlite3.sqlite_version_info < _OLDEST:
            raise ConfigurationError(f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or later is needed")
        self.path = path
        self.guard = guard
        self._begin()
        anew_in_child(self)

    def _begin(self) -> None:
        self._idle: list[_Line] = []
        self._epoch = 0
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def begin_anew(self) -> None:
        """Leave everything to the parent, in a forked child."""
        _inherited.append(self._idle)
        self._begin()

    async def ask(
        self, io: IO, tried: str, statements: Sequence[Statement], *, patience: float = 0.0, atomic: bool = False
    ) -> list[Reply]:
        """Execute these in turn, all or none if `atomic`, and give the rows of each, and how many it changed."""
        return await io.offload(self._ask, tried, statements, patience, atomic)

    async def largest(self, io: IO) -> int:
        """Give the bytes that an entry may have."""
        return LARGEST

    async def shut(self, io: IO) -> None:
        """Close all connections, those in use when they are done."""
        await io.offload(self._drop)

    def _ask(self, tried: str, statements: Sequence[Statement], patience: float, atomic: bool) -> list[Reply]:  # noqa: FBT001  # as `ask` has it
        with self.guard.attempt(tried) as usual, _translated():
            due = Due(max(usual.at, monotonic() + patience))
            return self._executed(statements, due, atomic=atomic)

    @contextmanager
    def _its_turn(self, line: _Line, due: Due) -> Iterator[None]:
        """Let one thread after the other write: SQLite would have them sleep and ask again."""
        if not self._turn.acquire(timeout=due.left()):
            raise TimeoutError
        try:
            line.connection.execute(f"PRAGMA busy_timeout = {int(due.left() * 1000)}")
            line.connection.execute("BEGIN IMMEDIATE")
            yield
            line.connection.execute("COMMIT")
        finally:
            self._turn.release()

    def _executed(self, statements: Sequence[Statement], due: Due, *, atomic: bool) -> list[Reply]:
        epoch, line = self._epoch, self._fit_line(due)
        try:
            line.connection.execute(f"PRAGMA busy_timeout = {int(due.left() * 1000)}")
            replies: list[Reply] = []
            with self._its_turn(line, due) if atomic else nullcontext():
                for statement in statements:
                    cursor = line.connection.execute(statement.text, statement.parameters)
                    replies.append((cursor.fetchall(), cursor.rowcount))
        except BaseException:
            line.connection.close()
            raise
        self._keep(line, epoch)
        return replies

    def _keep(self, line: _Line, epoch: int) -> None:
        with self._lock:  # or who closes meanwhile would not see it
            if epoch == self._epoch and len(self._idle) < _KEPT:
                self._idle.append(line)
                return
        line.connection.close()

    def _fit_line(self, due: Due) -> _Line:
        file = _identity(self.path)
        while (line := self._taken()) is not None:
            if line.file == file:
                return line
            line.connection.close()
        return self._opened(due)

    def _taken(self) -> _Line | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _opened(self, due: Due) -> _Line:
        connection = sqlite3.connect(self.path, timeout=due.left(), isolation_level=None, check_same_thread=False)
        try:
            self._make_ready(connection, due)
        except BaseException:
            connection.close()
            raise
        return _Line(connection, _identity(self.path))

    def _make_ready(self, connection: sqlite3.Connection, due: Due) -> None:
        """Have a write-ahead log; while another process turns to that, SQLite is busy without waiting."""
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchall()
                break
            except sqlite3.OperationalError as busy:
                if _code(busy) not in _BUSY:
                    raise
                sleep(min(_PAUSE, due.left()))
        connection.execute("PRAGMA synchronous = NORMAL")

    def _drop(self) -> None:
        with self._lock:
            self._epoch += 1
            idle, self._idle = self._idle, []
        for line in idle:
            line.connection.close()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116  # for each operation: a Path would cost more than the rest
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except TimeoutError as late:
        raise BusyError("others were writing for too long") from late
    except sqlite3.Error as error:
        code = _code(error)
        if code in _BUSY:
            raise BusyError(f"others were writing for too long: {error}") from error
        if code in _FULL:
            raise FullError(str(error)) from error
        if code in _REFUSED:
            raise RefusedError(str(error)) from error
        if "no such table" in str(error):
            raise NoTableError(str(error)) from error
        raise
