"""SQLAlchemy's dialects of the drivers that work, as a cache needs them: the only file that knows asyncpg and asyncmy.

A connection is made without asking the server about itself, and is closed at once, without waiting for a server that
may be frozen. Errors are told apart by the codes that servers send (PostgreSQL: appendix A; MySQL: its reference).
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import Any

from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError

from asynccache.backends.outage import OutOfStepError, RefusedError
from asynccache.backends.sql_statements import Dialect, FullError, NoTableError, TryAgainError

_NO_TABLE: set[object] = {"42P01", 1146}
_AGAIN: set[object] = {"40001", "40P01", "55P03", "23505", "42P07", "42710", "0A000", 1205, 1213}
"""Deadlocks; somebody who makes the same table just now; a prepared statement whose table was made anew."""
_FULL: set[object] = {"53100", "54000", 1021, 1114, 1153}
_DOWN: set[object] = {
    *("28000", "28P01", "3D000", "53300", "57P01", "57P02", "57P03"),
    *(1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1927),
}
"""Refusals of every statement: a server that says so is as good as down."""
_CLIENTS = range(2000, 3000)
"""Numbers of errors that the client's side of MySQL makes up."""
_SESSION = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', SESSION sql_notes = 0"
"""The driver writes bytes into statements with backslashes, which a server may have been told not to heed; it asks for
every note, and logs it."""


class PostgreSQL(PGDialect_asyncpg):
    """asyncpg, which ends a connection by itself when something comes unasked."""

    driver = "asynccache"
    supports_statement_cache = True

    def on_connect(self) -> Any:
        """Make nothing of JSON, of which there is none."""

    def initialize(self, connection: Any) -> None:
        """Ask nothing."""

    def do_close(self, dbapi_connection: Any) -> None:
        """Close at once."""
        dbapi_connection.driver_connection.terminate()

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Close at once."""
        dbapi_connection.driver_connection.terminate()

    @staticmethod
    def is_open(driver_connection: Any) -> bool:
        """Tell whether it can be used."""
        return not driver_connection.is_closed()

    @staticmethod
    def has_more(driver_connection: Any) -> bool:
        """Tell whether something has come that nobody asked for: that would have ended it."""
        return bool(driver_connection.is_closed())

    @staticmethod
    async def end(driver_connection: Any) -> None:
        """Take leave."""
        await driver_connection.close()


class MySQL(MySQLDialect_asyncmy):
    """asyncmy, for MariaDB too."""

    driver = "asynccache"
    supports_statement_cache = True

    def on_connect(self) -> Any:
        """Ask nothing."""

    def initialize(self, connection: Any) -> None:
        """Ask nothing."""

    def create_connect_args(self, url: URL) -> Any:  # type: ignore[override]  # as the class above has it
        """Add what the driver needs to know."""
        args, options = super().create_connect_args(url)
        return args, {"charset": "utf8mb4", "init_command": _SESSION, "autocommit": True, **options}

    def do_close(self, dbapi_connection: Any) -> None:
        """Close at once."""
        _abort(dbapi_connection.driver_connection)

    def do_terminate(self, dbapi_connection: Any) -> None:
        """Close at once."""
        _abort(dbapi_connection.driver_connection)

    @staticmethod
    def is_open(driver_connection: Any) -> bool:
        """Tell whether it can be used."""
        return not driver_connection._stream_broken  # noqa: SLF001  # it is not told in another way

    @staticmethod
    def has_more(driver_connection: Any) -> bool:
        """Tell whether something has come that nobody asked for."""
        received = driver_connection._proto  # noqa: SLF001  # likewise
        return bool(received.length != received.pos)

    @staticmethod
    async def end(driver_connection: Any) -> None:
        """Take leave."""
        await driver_connection.ensure_closed()


registry.register("postgresql.asynccache", __name__, "PostgreSQL")
registry.register("mysql.asynccache", __name__, "MySQL")


_MADE_BY = {Dialect.POSTGRESQL: ("asyncpg", "connect"), Dialect.MYSQL: ("asyncmy.connection", "Connection")}
_OURS = {"autocommit", "charset", "dsn", "host", "loop", "password", "port", "self", "sql_mode", "user"}
"""What decides about more than a connection, or stands in the URL."""
_BY_SQLALCHEMY = {"prepared_statement_cache_size", "prepared_statement_name_func"}


def known_options(dialect: Dialect) -> set[str]:
    """Give the names of the options that the driver has."""
    module, name = _MADE_BY[dialect]
    own = {*signature(getattr(import_module(module), name)).parameters} - _OURS
    return own | _BY_SQLALCHEMY if dialect is Dialect.POSTGRESQL else own


def for_driver(url: URL, dialect: Dialect) -> URL:
    """Give a URL that says our dialect; libpq's `sslmode` is `ssl` with asyncpg."""
    mode = url.query.get("sslmode")
    if dialect is Dialect.POSTGRESQL and mode is not None:
        url = url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return url.set(drivername=f"{dialect.value}+asynccache")


def meaning_of(error: Exception) -> Exception:
    """Give what an error of SQLAlchemy or a driver means to a cache."""
    if isinstance(error, DBAPIError):
        origin = error.orig
        number = next(iter(getattr(origin, "args", ())), None)
        code = number if isinstance(number, int) else getattr(origin, "sqlstate", None)
        said = f"{type(origin).__name__}: {origin}"
        if code in _NO_TABLE:
            return NoTableError(said)
        if code in _AGAIN:
            return TryAgainError(said)
        if code in _FULL:
            return FullError(said)
        if error.connection_invalidated or code in _DOWN or code in _CLIENTS:
            return ConnectionError(said)
        if code:
            return RefusedError(said)
        return OutOfStepError(said)
    if isinstance(error, OSError | EOFError | OutOfStepError):
        return error
    return OutOfStepError(f"{type(error).__name__}: {error}")


def _abort(driver_connection: Any) -> None:
    if (transport := driver_connection._transport) is not None:  # noqa: SLF001  # close() would wait for a frozen server
        transport.abort()
    driver_connection.close()
