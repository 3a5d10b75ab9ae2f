"""What is asked of a database, as text: three dialects, one table, and one statement wherever one will do.

    cache_key   the stored key, or its head and digest where it is long
    place       31 bits of the key's hash: a stretch of places is a sample of the table
    entry       the framed entry (`core/codec.py`); of a counter all but its number
    number      a counter's number, so that the database can add to it; else NULL
    expires     milliseconds since 1970, by the database server's own clock

What is over is invisible to all statements, and removed some time later (`sql_culling.py`).
"""

# ruff: noqa: S608  # texts are put together from the table's name alone, which is a plain identifier (sql_place.py)
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from asynccache.backends.sql_replies import Rows, Statement, are_entries, begin_with, is_sample
from asynccache.backends.sql_rows import FAR, KEY_BYTES, Row, wire_ttl
from asynccache.core import codec


class Dialect(Enum):
    """How a database wants to be spoken to."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    MYSQL = "mysql"


_SERVER_NOW = {
    Dialect.POSTGRESQL: "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000 AS BIGINT)",
    Dialect.MYSQL: "TIMESTAMPDIFF(MICROSECOND, TIMESTAMP('1970-01-01'), UTC_TIMESTAMP(3)) DIV 1000",
}
_BINARY = {Dialect.SQLITE: ("BLOB", "BLOB"), Dialect.POSTGRESQL: ("BYTEA", "BYTEA")}
_MYSQL_BINARY = (f"VARBINARY({KEY_BYTES})", "LONGBLOB")


@dataclass(frozen=True, slots=True)
class Statements:
    """All statements about one table.

    Args:
        dialect: of the database.
        table: its name, an identifier.
        by_server: whether the server's clock counts; otherwise each statement is told what time it is.
        unlogged: PostgreSQL's word for a table that a crash of the server empties.
    """

    dialect: Dialect
    table: str
    by_server: bool
    unlogged: bool = False

    # Reading

    def fetch(self, keys: Sequence[bytes], now: float) -> Statement:
        """Rows of key, entry and number."""
        names = _named("k", keys)
        text = (
            f"SELECT cache_key, entry, number FROM {self._name} WHERE cache_key IN ({_list(names)}) AND {self._lives}"
        )
        return self._with(text, names, now, are_entries(set(keys)))

    # Writing

    def store(self, rows: Sequence[Row], ttl: float, now: float) -> Statement:
        """Insert or overwrite."""
        into, parameters = self._insert_into(rows, ttl)
        if self.dialect is Dialect.MYSQL:
            tail = f"ON DUPLICATE KEY UPDATE {_assigned(_FRESH)}"
        else:
            tail = f"ON CONFLICT (cache_key) DO UPDATE SET {_assigned('excluded.{0}')}"
        return self._with(f"{into} {tail}", parameters, now)

    def insert(self, row: Row, ttl: float, now: float, nonce: int) -> tuple[Statement, ...]:
        """Insert where nothing lives; the last reply then has a row, which begins with the nonce."""
        into, parameters = self._insert_into([row], ttl)
        fits, parameters = begin_with(nonce), parameters | {"nonce": nonce}
        if self.dialect is Dialect.MYSQL:  # which evaluates from left to right; what lives leaves the nonce as a trace
            over = f"IF(expires <= {self._now}, {_FRESH}, IF(LAST_INSERT_ID(:nonce), {{0}}, {{0}}))"
            text = f"{into} ON DUPLICATE KEY UPDATE {_assigned(over)}"
            ask = f"SELECT {_MYSQL_NONCE}, 0 FROM DUAL WHERE LAST_INSERT_ID() <> :nonce"
            return self._with(text, parameters, now), Statement(ask, {"nonce": nonce}, fits)
        tail = f"DO UPDATE SET {_assigned('excluded.{0}')} WHERE {self._name}.expires <= {self._now}"
        return (self._with(f"{into} ON CONFLICT (cache_key) {tail} RETURNING {_NONCE}, number", parameters, now, fits),)

    def bump(self, key: bytes, delta: int, now: float, nonce: int) -> tuple[Statement, ...]:
        """Add to a living counter, if it stays in 64 bits; the last reply then is a row of the nonce and the sum."""
        added = "number + :delta"
        if self.dialect is Dialect.MYSQL:
            added = f"CAST(LAST_INSERT_ID({added}) AS SIGNED)"
        text = (
            f"UPDATE {self._name} SET number = {added} "
            f"WHERE cache_key = :k0 AND {self._lives} AND number BETWEEN :low AND :high"
        )
        low, high = codec.INT64[0] - min(delta, 0), codec.INT64[-1] - max(delta, 0)
        parameters = {"k0": key, "delta": delta, "low": low, "high": high}
        if self.dialect is Dialect.MYSQL:
            ask = f"SELECT {_MYSQL_NONCE}, CAST(LAST_INSERT_ID() AS SIGNED) FROM DUAL WHERE ROW_COUNT() > 0"
            return self._with(text, parameters, now), Statement(ask, {"nonce": nonce}, begin_with(nonce))
        text = f"{text} RETURNING {_NONCE}, number"
        return (self._with(text, parameters | {"nonce": nonce}, now, begin_with(nonce)),)

    def touch(self, key: bytes, ttl: float, now: float) -> Statement:
        """Give a new lifetime to what lives and is not to be kept beyond its end; the reply counts it."""
        text = (
            f"UPDATE {self._name} SET expires = {self._now} + :ttl WHERE cache_key = :k0 AND {self._lives} AND {_PLAIN}"
        )
        return self._with(text, {"k0": key, "ttl": wire_ttl(ttl)}, now)

    def swap(self, row: Row, seen: bytes, ttl: float, now: float) -> Statement:
        """Replace an entry by another, if it is this one; the reply counts it."""
        text = (
            f"UPDATE {self._name} SET entry = :entry, number = :number, expires = {self._now} + :ttl "
            f"WHERE cache_key = :k0 AND {self._lives} AND entry = :seen"
        )
        parameters = {"k0": row.cache_key, "entry": row.entry, "number": row.number, "seen": seen}
        return self._with(text, parameters | {"ttl": wire_ttl(ttl)}, now)

    def drop(self, keys: Sequence[bytes], now: float) -> Statement:
        """Remove what lives; the reply counts it."""
        names = _named("k", keys)
        return self._with(f"DELETE FROM {self._name} WHERE cache_key IN ({_list(names)}) AND {self._lives}", names, now)

    # Keeping it small

    def cull(self, count: int, now: float, *, living: bool = False) -> Statement:
        """Remove at most so many that are over, those first that were over first; or `living` ones too."""
        over = f"expires <= {self._now}" + (f" + {FAR}" if living else "")
        first = f"WHERE {over} ORDER BY expires LIMIT :count"
        match self.dialect:
            case Dialect.MYSQL:
                text = f"DELETE FROM {self._name} {first}"
            case Dialect.SQLITE:
                text = f"DELETE FROM {self._name} WHERE rowid IN (SELECT rowid FROM {self._name} {first})"
            case _:  # a row that somebody writes just now has another ctid then, and stays
                inner = f"SELECT ctid FROM {self._name} {first} FOR UPDATE SKIP LOCKED"
                text = f"DELETE FROM {self._name} WHERE ctid = ANY(ARRAY({inner}))"
        return self._with(text, {"count": count}, now)

    def sample(self, start: int, count: int) -> Statement:
        """How many rows there are from this place on, counting at most `count`, and the last one's place."""
        inner = f"SELECT place FROM {self._name} WHERE place >= :start ORDER BY place LIMIT :count"
        text = f"SELECT COUNT(*), MAX(place) FROM ({inner}) AS sample"
        return Statement(text, {"start": start, "count": count}, is_sample)

    # The table

    def ddl(self) -> tuple[str, ...]:
        """Give what makes the table, and does nothing where it is."""
        key, blob = _BINARY.get(self.dialect, _MYSQL_BINARY)
        indexes = {name: f"{self.table}_{name}" for name in ("expires", "place")}
        mysql = self.dialect is Dialect.MYSQL
        lines = [
            f"cache_key {key} NOT NULL PRIMARY KEY",
            "place INTEGER NOT NULL",
            f"entry {blob} NOT NULL",
            "number BIGINT",
            "expires BIGINT NOT NULL",
            *([f"KEY {self._quoted(index)} ({name})" for name, index in indexes.items()] if mysql else ()),
        ]
        unlogged = "UNLOGGED " if self.unlogged else ""
        body = ",\n  ".join(lines)
        table = f"CREATE {unlogged}TABLE IF NOT EXISTS {self._name} (\n  {body}\n)" + (
            " ENGINE=InnoDB" if mysql else ""
        )
        made = [
            f"CREATE INDEX IF NOT EXISTS {self._quoted(index)} ON {self._name} ({name})"
            for name, index in indexes.items()
        ]
        return (table,) if mysql else (table, *made)

    # Parts

    @property
    def _name(self) -> str:
        return self._quoted(self.table)

    @property
    def _now(self) -> str:
        return _SERVER_NOW[self.dialect] if self.by_server else "CAST(:now AS BIGINT)" if self._is_typed else ":now"

    @property
    def _is_typed(self) -> bool:
        return self.dialect is Dialect.POSTGRESQL

    @property
    def _lives(self) -> str:
        return f"expires > {self._now}"

    def _quoted(self, name: str) -> str:
        return f"`{name}`" if self.dialect is Dialect.MYSQL else f'"{name}"'

    def _insert_into(self, rows: Sequence[Row], ttl: float) -> tuple[str, dict[str, Any]]:
        parameters: dict[str, Any] = {"ttl": wire_ttl(ttl)}
        for i, row in enumerate(rows):
            parameters |= {f"k{i}": row.cache_key, f"p{i}": row.place, f"e{i}": row.entry, f"n{i}": row.number}
        values = ", ".join(f"(:k{i}, :p{i}, :e{i}, :n{i}, {self._now} + :ttl)" for i in range(len(rows)))
        alias = " /*!80019 AS fresh */" if self.dialect is Dialect.MYSQL else ""
        return f"INSERT INTO {self._name} {_COLUMNS} VALUES {values}{alias}", parameters

    def _with(
        self, text: str, parameters: dict[str, Any], now: float, fits: Callable[[Rows], bool] = lambda rows: not rows
    ) -> Statement:
        return Statement(text, parameters if self.by_server else parameters | {"now": math.floor(now * 1000)}, fits)


_COLUMNS = "(cache_key, place, entry, number, expires)"
_PLAIN = f"SUBSTR(entry, {codec.FRESH.start + 1}, 8) = SUBSTR(entry, {codec.DEAD.start + 1}, 8)"
"""It ends when its head says that it does."""
_NONCE = "CAST(:nonce AS BIGINT)"
_MYSQL_NONCE = "CAST(:nonce AS SIGNED)"
_FRESH = "/*!80019 fresh.{0} *//*M! VALUES({0}) */"
"""What was to be inserted: MySQL has its own word for it, MariaDB another; each heeds its own comment."""


def _assigned(source: str) -> str:
    return ", ".join(f"{name} = {source.format(name)}" for name in ("entry", "number", "expires"))


def _named(letter: str, values: Sequence[Any]) -> dict[str, Any]:
    return {f"{letter}{i}": value for i, value in enumerate(values)}


def _list(names: dict[str, Any]) -> str:
    return ", ".join(f":{name}" for name in names)
