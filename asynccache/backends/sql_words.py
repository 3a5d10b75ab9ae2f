"""The words of three dialects for the same things, and the names of the tables.

    {table}_entries   what is stored (`sql_entries.py`)
    {table}_notes     one row for each prefix and version: the order of its changes (`sql_order.py`)
    {table}_cells     when the tags of a cell were last invalidated
    {table}_log       the changes of the last half minute, for those who follow
    {table}_rights    who loads what just now (`sql_rights.py`)

Every text is one of standard SQL, but for the words below.
"""

# ruff: noqa: S608  # texts are put together from the table's name alone, which is a plain identifier (sql_place.py)
from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from asynccache.backends.sql_replies import Statement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from asynccache.backends.sql_replies import Rows


class Dialect(Enum):
    """How a database wants to be spoken to."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


_SERVER_NOW = {
    Dialect.POSTGRESQL: "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)",
    Dialect.MYSQL: "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01'), UTC_TIMESTAMP(3)) DIV 1000",
}
_FRESH = "/*!80019 fresh.{0} *//*M! VALUES({0}) */"
"""What was to be inserted: MySQL has its own word for it, MariaDB another; each heeds its own comment."""


@dataclass(frozen=True, slots=True)
class Words:
    """How to write statements about the tables of one backend.

    Args:
        dialect: of the database.
        table: what the names of its tables begin with, an identifier.
        by_server: whether the server's clock counts; otherwise each statement is told what time it is.
        unlogged: PostgreSQL's word for tables that a crash of the server empties.
    """

    dialect: Dialect
    table: str
    by_server: bool
    unlogged: bool = False

    @property
    def is_mysql(self) -> bool:
        """Tell whether it is MySQL or MariaDB."""
        return self.dialect is Dialect.MYSQL

    def named(self, name: str) -> str:
        """Give the name of a table or index, quoted."""
        return f"`{self.table}_{name}`" if self.is_mysql else f'"{self.table}_{name}"'

    @property
    def entries(self) -> str:
        """The table of entries."""
        return self.named("entries")

    @property
    def notes(self) -> str:
        """The table of notebooks."""
        return self.named("notes")

    @property
    def cells(self) -> str:
        """The table of cells."""
        return self.named("cells")

    @property
    def log(self) -> str:
        """The table of changes."""
        return self.named("log")

    @property
    def rights(self) -> str:
        """The table of rights to load."""
        return self.named("rights")

    @property
    def now(self) -> str:
        """Milliseconds since 1970."""
        return _SERVER_NOW[self.dialect] if self.by_server else self.number("now")

    @property
    def stamp_now(self) -> str:
        """Microseconds since 1970, to the millisecond."""
        return f"({self.now}) * 1000"

    def number(self, name: str) -> str:
        """Give a parameter that is a number or NULL."""
        match self.dialect:
            case Dialect.POSTGRESQL:
                return f"CAST(:{name} AS BIGINT)"
            case Dialect.MYSQL:
                return f"CAST(:{name} AS SIGNED)"
            case _:
                return f":{name}"

    def blob(self, name: str) -> str:
        """Give a parameter that is bytes or NULL."""
        return f"CAST(:{name} AS BYTEA)" if self.dialect is Dialect.POSTGRESQL else f":{name}"

    def greatest(self, one: str, other: str) -> str:
        """Give the greater of two numbers."""
        return f"{'MAX' if self.dialect is Dialect.SQLITE else 'GREATEST'}({one}, {other})"

    def fresh(self, column: str) -> str:
        """Give what was to be inserted, where a row is there already; a SELECT that it comes from is named `fresh`."""
        return _FRESH.format(column) if self.is_mysql else f"excluded.{column}"

    @property
    def as_fresh(self) -> str:
        """What follows the rows of `VALUES` so that `fresh` means them."""
        return " /*!80019 AS fresh */" if self.is_mysql else ""

    def merging(self, key: str, assigned: Mapping[str, str]) -> str:
        """Say what to do where a row of that key is there already; MySQL assigns in this order."""
        to = ", ".join(f"{column} = {value}" for column, value in assigned.items())
        return f"ON DUPLICATE KEY UPDATE {to}" if self.is_mysql else f"ON CONFLICT ({key}) DO UPDATE SET {to}"

    def some_of(self, table: str, where: str) -> str:
        """Give a statement that removes at most `:count` rows."""
        match self.dialect:
            case Dialect.MYSQL:
                return f"DELETE FROM {table} {where} LIMIT :count"
            case Dialect.SQLITE:
                return f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} {where} LIMIT :count)"
            case _:  # a row that somebody writes just now has another ctid then, and stays
                inner = f"SELECT ctid FROM {table} {where} LIMIT :count FOR UPDATE SKIP LOCKED"
                return f"DELETE FROM {table} WHERE ctid = ANY(ARRAY({inner}))"

    def timed(
        self, text: str, parameters: dict[str, Any], now: float, fits: Callable[[Rows], bool] | None = None
    ) -> Statement:
        """Give a statement that may ask what time it is."""
        told = parameters if self.by_server else parameters | {"now": math.floor(now * 1000)}
        return Statement(text, told) if fits is None else Statement(text, told, fits)


def lettered(letter: str, values: Iterable[Any]) -> dict[str, Any]:
    """Name parameters by a letter and their place."""
    return {f"{letter}{i}": value for i, value in enumerate(values)}


def listed(names: Iterable[str]) -> str:
    """Give the parameters as the inside of an `IN (...)`."""
    return ", ".join(f":{name}" for name in names)


def keyed(keys: Sequence[bytes]) -> tuple[str, dict[str, Any]]:
    """Give the condition that a row is of one of these keys, and its parameters."""
    names = lettered("k", keys)
    return f"cache_key IN ({listed(names)})", names
