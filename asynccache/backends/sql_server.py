"""PostgreSQL, MySQL and MariaDB by SQLAlchemy: an engine for each loop, whose connections are ours to watch over.

Sync callers go through the portal's loop: a blocking driver cannot be told to stop waiting for a frozen server.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from asynccache.backends.loop_lines import LoopLines
from asynccache.backends.outage import RefusedError
from asynccache.backends.sql_dialects import for_format, meaning_of
from asynccache.backends.sql_replies import Statement, TryAgainError
from asynccache.backends.sql_words import Dialect
from asynccache.errors import BackendUnavailableError
from asynccache.plan.clients import CLOSE_SECONDS, LoopClients
from asynccache.wire.faults import OutOfStepError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asynccache.backends.outage import OutageGuard
    from asynccache.backends.sql_place import Place
    from asynccache.backends.sql_replies import Reply, Rows
    from asynccache.plan.io import IO

_ATTEMPTS = 5
_LARGEST = 1_000_000_000
"""Bytes, a little less than what PostgreSQL takes for a row."""
_OVERHEAD = 64 * 1024
"""Bytes for a statement without its entry."""


class SqlServer:
    """One server and all connections to it, to be asked from any thread and any loop.

    Args:
        place: where it is.
        guard: its deadline, its breaker, its errors.
        pool_size: how many connections each loop may have.
        options: for the driver.
    """

    def __init__(self, place: Place, guard: OutageGuard, pool_size: int, options: Mapping[str, Any]) -> None:
        self.guard = guard
        self._largest: int | None = None if place.dialect is Dialect.MYSQL else _LARGEST
        self._bounds_by_transaction = place.dialect is Dialect.POSTGRESQL
        self._loops = LoopClients(
            lambda: LoopLines(partial(SqlLine, _engine(place, guard.deadline, options)), pool_size),
            lambda lines: lines.aclose(CLOSE_SECONDS / 2),
        )

    async def ask(
        self, io: IO, tried: str, statements: Sequence[Statement], *, patience: float = 0.0, atomic: bool = False
    ) -> list[Reply]:
        """Execute these in turn on one connection, and give the rows of each, and how many it changed.

        If `atomic`, it is all or none of them, and they travel together: nobody holds a lock while he is not looking.
        What makes tables has more `patience`, in seconds, and no transaction.
        """
        if self._bounds_by_transaction and not patience:
            atomic = True  # or who has given up a read would wait in the server for whoever has locked the table
        replies: list[Reply] = await io.call(self._ask, tried, statements, patience, atomic)
        return replies

    async def largest(self, io: IO) -> int:
        """Give the bytes that an entry may have: MySQL has a limit for a statement, where bytes may need two each."""
        if self._largest is None:
            ((((packet,),), _),) = await self.ask(
                io, "get", [Statement("SELECT @@max_allowed_packet", fits=_is_number)]
            )
            self._largest = max(0, (int(packet) - _OVERHEAD) // 2)
        return self._largest

    async def shut(self, io: IO) -> None:
        """Close all connections, those of other loops too."""
        await io.twin(self._loops.close, self._loops.aclose)

    async def _ask(self, tried: str, statements: Sequence[Statement], patience: float, atomic: bool) -> list[Reply]:  # noqa: FBT001  # as `ask` has it
        lines = self._loops.current()
        try:
            with self.guard.attempt(tried):
                return await lines.use(partial(_asked, statements, atomic=atomic), max(self.guard.deadline, patience))
        except BackendUnavailableError:
            if self.guard.is_down:
                lines.drop()
            raise


class SqlLine:
    """A connection of one loop; one task at a time uses it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._dialect: Any = engine.dialect
        self._connection: AsyncConnection | None = None
        self._raw: Any = None

    def is_fit(self) -> bool:
        """Tell whether it is open, and nothing that nobody asked for is waiting in it."""
        return self._raw is not None and self._dialect.is_fit(self._raw)

    def abort(self) -> bool:
        """Let the exchange under way see the end of the connection; tell whether there was one already."""
        if self._raw is None:
            return False
        self._dialect.abort(self._raw)
        return True

    def drop(self) -> None:
        """Close at once."""
        if self._connection is not None and (connection := self._connection.sync_connection) is not None:
            connection.invalidate()
            connection.close()
        self._connection = self._raw = None

    async def end(self) -> None:
        """Take leave of the server."""
        if self._raw is not None:
            await self._dialect.end(self._raw)

    async def execute(self, statements: Sequence[Statement], *, atomic: bool) -> list[Reply]:
        """Execute these in turn, connecting first where need be; after any exception it is to be dropped."""
        try:
            if self._connection is None:
                self._connection = await self._engine.connect()
                self._raw = (await self._connection.get_raw_connection()).driver_connection
            if atomic:
                replies = await self._replies_at_once(statements)
            else:
                replies = [await self._reply(self._connection, statement) for statement in statements]
        except Exception as error:
            raise meaning_of(error) from error
        if self._dialect.has_more(self._raw):
            raise OutOfStepError("there are more replies than statements")
        return replies

    async def _reply(self, connection: AsyncConnection, statement: Statement) -> Reply:
        result = await connection.execute(text(statement.text), statement.parameters)
        gives_rows, count = result.returns_rows, result.rowcount
        return _checked(statement, list(result) if gives_rows else None, count)

    async def _replies_at_once(self, statements: Sequence[Statement]) -> list[Reply]:
        asked = [(for_format(statement.text), statement.parameters) for statement in statements]
        answers = await self._dialect.transact(self._raw, asked)
        return [_checked(one, *answer) for one, answer in zip(statements, answers, strict=True)]


def _checked(statement: Statement, rows: Rows | None, count: int) -> Reply:
    if (rows is not None) is not statement.gives_rows or not statement.fits(rows or []):
        raise OutOfStepError("a reply answers another statement")
    return rows or [], count


async def _asked(statements: Sequence[Statement], line: SqlLine, *, atomic: bool) -> list[Reply]:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return await line.execute(statements, atomic=atomic)
        except TryAgainError as crossed:
            line.drop()
            if attempt == _ATTEMPTS:
                raise RefusedError(str(crossed)) from crossed
    raise AssertionError


def _engine(place: Place, deadline: float, options: Mapping[str, Any]) -> AsyncEngine:
    return create_async_engine(
        place.url or "",
        deadline=deadline,
        connect_args=dict(options),
        hide_parameters=True,
        pool_reset_on_return=None,
        poolclass=NullPool,
    )


def _is_number(rows: Rows) -> bool:
    return len(rows) == 1 and str(rows[0][0]).isdecimal()
