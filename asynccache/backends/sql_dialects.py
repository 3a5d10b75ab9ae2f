"""The drivers of SQLAlchemy that a cache can rely on: their names, their options, and what their errors mean.

Errors are told apart by the codes that servers send (PostgreSQL: appendix A; MySQL: server error reference).
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib import import_module

from sqlalchemy import URL
from sqlalchemy.dialects import registry
from sqlalchemy.exc import DBAPIError

from asynccache.backends.outage import RefusedError
from asynccache.backends.sql_replies import FullError, LateError, NoTableError, TryAgainError
from asynccache.backends.sql_words import Dialect
from asynccache.wire.faults import OutOfStepError

_NO_TABLE: set[object] = {"42P01", 1146}
_AGAIN: set[object] = {"40001", "40P01", "55P03", "23505", "42P07", "42710", "0A000", 1205, 1213}
"""Deadlocks; somebody who makes the same table just now; a prepared statement whose table was made anew."""
_FULL: set[object] = {"53100", "54000", 1021, 1114, 1153}
_DOWN: set[object] = {
    *("28000", "28P01", "3D000", "53300", "57P01", "57P02", "57P03"),
    *(1040, 1044, 1045, 1049, 1053, 1129, 1130, 1203, 1927),
}
"""Refusals of every statement: a server that says so is as good as down."""
_LATE: set[object] = {"23502", 1048}
"""What cannot be NULL would be."""
_NAME = re.compile(r":(\w+)")
_CLIENTS = range(2000, 3000)
"""Numbers of errors that the client's side of MySQL makes up."""

_CLASSES = {
    Dialect.POSTGRESQL: ("asynccache.backends.sql_psycopg", "PostgreSQL"),
    Dialect.MYSQL: ("asynccache.backends.sql_asyncmy", "MySQL"),
}
for _dialect, (_module, _name) in _CLASSES.items():
    registry.register(f"{_dialect.value}.asynccache", _module, _name)


def known_options(dialect: Dialect) -> set[str]:
    """Give the names of the options that can be given to the driver."""
    module, name = _CLASSES[dialect]
    return getattr(import_module(module), name).known_options()  # type: ignore[no-any-return]  # of a table


def for_driver(url: URL, dialect: Dialect) -> URL:
    """Give a URL that says our driver."""
    return url.set(drivername=f"{dialect.value}+asynccache")


@lru_cache(maxsize=1000)
def for_format(text: str) -> str:
    """Give a text whose parameters are `%(name)s`, as drivers want them."""
    return _NAME.sub(r"%(\1)s", text)


def meaning_of(error: Exception) -> Exception:
    """Give what an error of SQLAlchemy or a driver means to a cache."""
    if isinstance(error, OSError | EOFError | OutOfStepError):
        return error
    origin = error.orig if isinstance(error, DBAPIError) else error
    number = next(iter(getattr(origin, "args", ())), None)
    code = number if isinstance(number, int) else getattr(origin, "sqlstate", None)
    said = f"{type(origin).__name__}: {origin}"
    if code in _NO_TABLE:
        return NoTableError(said)
    if code in _AGAIN:
        return TryAgainError(said)
    if code in _FULL:
        return FullError(said)
    if code in _LATE:
        return LateError(said)
    if getattr(error, "connection_invalidated", False) or code in _DOWN or code in _CLIENTS:
        return ConnectionError(said)
    return RefusedError(said) if code else OutOfStepError(said)
