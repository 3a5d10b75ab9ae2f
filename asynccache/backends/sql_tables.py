"""How the tables are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.backends.sql_rows import CELL_BYTES, KEY_BYTES
from asynccache.backends.sql_words import Dialect

if TYPE_CHECKING:
    from asynccache.backends.sql_words import Words

_COLUMNS = {
    "entries": (
        "cache_key {key} NOT NULL PRIMARY KEY",
        "place INTEGER NOT NULL",
        "entry {bytes} NOT NULL",
        "number BIGINT",
        "cells {cells}",
        "gen {gen} NOT NULL",
        "born BIGINT NOT NULL",
        "expires BIGINT NOT NULL",
    ),
    "notes": (
        "namespace {key} NOT NULL PRIMARY KEY",
        "gen {gen} NOT NULL",
        "cleared BIGINT NOT NULL",
        "prev BIGINT NOT NULL",
        "seq BIGINT NOT NULL",
        "mark BIGINT NOT NULL",
    ),
    "cells": (
        "namespace {key} NOT NULL",
        "cell {cell} NOT NULL",
        "gen {gen} NOT NULL",
        "stamp BIGINT NOT NULL",
        "PRIMARY KEY (namespace, cell)",
    ),
    "log": (
        "namespace {key} NOT NULL",
        "gen {gen} NOT NULL",
        "stamp BIGINT NOT NULL",
        "prev BIGINT NOT NULL",
        "what {bytes} NOT NULL",
        "PRIMARY KEY (namespace, gen, stamp)",
    ),
    "rights": (
        "cache_key {key} NOT NULL PRIMARY KEY",
        "token {gen} NOT NULL",
        "born BIGINT NOT NULL",
        "seen {gen}",
        "awaited INTEGER NOT NULL",
        "landed BIGINT NOT NULL",
        "lease_end BIGINT NOT NULL",
    ),
}
_INDEXES = {"entries": ("expires", "place"), "log": ("stamp",), "rights": ("lease_end",)}
_MYSQL_TYPES = {
    "key": f"VARBINARY({KEY_BYTES})",
    "gen": "VARBINARY(8)",
    "cell": "VARBINARY(2)",
    "cells": f"VARBINARY({CELL_BYTES})",
    "bytes": "LONGBLOB",
}


def ddl(words: Words) -> tuple[str, ...]:
    """Give what makes the tables, and does nothing where they are."""
    return tuple(statement for table in _COLUMNS for statement in _table(words, table))


def _table(words: Words, table: str) -> list[str]:
    blob = "BLOB" if words.dialect is Dialect.SQLITE else "BYTEA"
    types = _MYSQL_TYPES if words.is_mysql else dict.fromkeys(_MYSQL_TYPES, blob)
    indexes = {column: words.named(f"by_{column}") for column in _INDEXES.get(table, ())}
    lines = [column.format(**types) for column in _COLUMNS[table]]
    if words.is_mysql:
        lines += [f"KEY {index} ({column})" for column, index in indexes.items()]
    unlogged = "UNLOGGED " if words.unlogged else ""
    body = ",\n  ".join(lines)
    made = f"CREATE {unlogged}TABLE IF NOT EXISTS {words.named(table)} (\n  {body}\n)"
    if words.is_mysql:
        return [f"{made} ENGINE=InnoDB"]
    return [made] + [
        f"CREATE INDEX IF NOT EXISTS {index} ON {words.named(table)} ({column})" for column, index in indexes.items()
    ]
