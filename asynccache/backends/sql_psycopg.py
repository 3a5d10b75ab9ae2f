"""PostgreSQL by psycopg, as a cache needs it: a connection is made without questions, and closed at once.

psycopg and not asyncpg, whose parser ends the process on garbled bytes (seen with 0.32).
"""

from __future__ import annotations

import math
import os
import select
import socket
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import TYPE_CHECKING, Any

from psycopg import AsyncConnection, Error
from psycopg.pq import Conninfo
from sqlalchemy.dialects.postgresql.psycopg import PGDialectAsync_psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import URL


_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
"""Each statement sees what was done before it got its lock, whatever the database's default is."""

_BOUNDS = (
    "SELECT set_config('lock_timeout', '{wait}', true), "
    "set_config('idle_in_transaction_session_timeout', '{stay}', true), "
    "CASE WHEN current_setting('transaction_timeout', true) <> '' "
    "THEN set_config('transaction_timeout', '{stay}', true) END, "
    "set_config('tcp_keepalives_idle', '1', true), set_config('tcp_keepalives_interval', '1', true)"
)
"""For the transaction alone (a pooler may give the session to others): whoever has given up waits for no lock, and
whoever has vanished is missed within seconds, not hours. Milliseconds; PostgreSQL 17 bounds a whole transaction."""

_OURS = {"client_encoding", "dbname", "host", "hostaddr", "password", "port", "replication", "user"}
"""What is decided here, or stands in the URL."""


class _QuietConnection(AsyncConnection[Any]):
    """One whose statements may be cancelled without a word to the server: what was cancelled is closed.

    psycopg would connect once more to say so, and wait for that; before libpq 17 nothing else in this process, the
    loop's timers included, goes on until a server that is frozen lets it.
    """

    async def _try_cancel(self, *, timeout: float = 5.0) -> None:  # psycopg's own signature
        del timeout


async def _connected(*args: Any, **options: Any) -> _QuietConnection:
    """Connect; what is given up meanwhile is closed with the frames that know it, and not by the garbage collector."""
    try:
        return await _QuietConnection.connect(*args, **options)
    except BaseException as failure:
        clear_frames(failure.__traceback__)
        raise


class PostgreSQL(PGDialectAsync_psycopg):
    """What SQLAlchemy is told about psycopg."""

    driver = "asynccache"
    supports_statement_cache = True

    def __init__(self, deadline: float = 0.5, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]  # SQLAlchemy's is not typed
        wait = math.ceil(deadline * 1000)
        self._bounds = _BOUNDS.format(wait=wait, stay=max(1000, 2 * wait))

    @classmethod
    def get_async_dialect_cls(cls, url: URL) -> Any:  # noqa: ARG003  # SQLAlchemy asks in this way
        """Give this class, and not the one that it is made from."""
        return cls

    def on_connect(self) -> Any:
        """Ask nothing."""

    def initialize(self, connection: Any) -> None:
        """Ask nothing."""

    def create_connect_args(self, url: URL) -> Any:
        """Add what the driver needs to know."""
        args, options = super().create_connect_args(url)  # type: ignore[no-untyped-call]  # SQLAlchemy's is not typed
        return args, {"autocommit": True, "async_creator_fn": _connected, **options}

    def do_close(self, dbapi_connection: Any) -> None:
        """Close at once."""
        dbapi_connection.driver_connection.pgconn.finish()

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Close at once."""
        dbapi_connection.driver_connection.pgconn.finish()

    @staticmethod
    def known_options() -> set[str]:
        """Give the names of libpq's options, and of psycopg's own."""
        return {option.keyword.decode() for option in Conninfo.get_defaults()} - _OURS | {"prepare_threshold"}

    @staticmethod
    def is_fit(driver_connection: Any) -> bool:
        """Tell whether it is open, and nothing that nobody asked for has come."""
        return not driver_connection.closed and not _is_readable(driver_connection.pgconn.socket)

    @staticmethod
    def has_more(driver_connection: Any) -> bool:  # noqa: ARG004  # others look
        """Tell whether something has come that nobody asked for."""
        return False  # libpq drops it; what comes later shows in `is_fit`

    async def transact(
        self, driver_connection: Any, asked: Sequence[tuple[str, dict[str, Any]]]
    ) -> list[tuple[list[Any] | None, int]]:
        """Execute these as one transaction, sent in one go; give the rows of each, if any, and how many it changed."""
        cursors: list[Any] = []
        failures: list[Error] = []
        try:
            async with driver_connection.pipeline() as pipeline:
                try:
                    with _gathered(pipeline):
                        for text, parameters in ((_BEGIN, None), (self._bounds, None), *asked, ("COMMIT", None)):
                            cursors.append(await driver_connection.execute(text, parameters))
                except Error as error:  # if it left the block, what follows from it would be logged
                    failures.append(error)
        except Error as error:
            failures.append(error)
        if failures:
            raise failures[0]
        return [(await _rows(cursor), cursor.rowcount) for cursor in cursors[2:-1]]

    @staticmethod
    def abort(driver_connection: Any) -> None:
        """Let whoever waits on it see its end; a cancelled psycopg would ask a frozen server to cancel too."""
        if not driver_connection.closed:
            descriptor = os.dup(driver_connection.pgconn.socket)
            with socket.socket(fileno=descriptor) as copy, suppress(OSError):  # the server may have ended it
                copy.shutdown(socket.SHUT_RDWR)

    @staticmethod
    async def end(driver_connection: Any) -> None:
        """Take leave."""
        await driver_connection.close()


@contextmanager
def _gathered(pipeline: Any) -> Iterator[None]:
    """Send nothing before all of it is there: psycopg would send each statement alone, and others run in between.

    Where this process stops then, for long or for ever, nobody waits for a lock that it has.
    """
    pipeline._communicate_gen = lambda: iter(())  # noqa: SLF001  # there is no other way
    try:
        yield
        while pipeline.command_queue:
            pipeline.command_queue.popleft()()
    finally:
        del pipeline._communicate_gen  # noqa: SLF001  # likewise


async def _rows(cursor: Any) -> list[Any] | None:
    return None if cursor.description is None else await cursor.fetchall()


def _is_readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
