"""What is asked of the table of entries.

    cache_key   the stored key, or its head and digest where it is long
    place       31 bits of the key's hash: a stretch of places is a sample of the table
    entry       the framed entry (`core/codec.py`); of a counter all but its number
    number      a counter's number, so that the database can add to it; else NULL
    cells       those of its tags, two bytes each; NULL without any
    gen, born   where it comes from in the order of its namespace (`sql_order.py`)
    expires     milliseconds since 1970, by the database server's own clock

What is over or invalid is not seen by any reader; a change removes that of its keys first (`sweep`), so that what it
finds afterwards is good. The rest is removed some time later (`sql_culling.py`).
"""

# ruff: noqa: S608  # texts are put together from the table's name alone, which is a plain identifier (sql_place.py)
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.sql_order import WHOLE
from asynccache.backends.sql_replies import Statement, are_entries, is_sample
from asynccache.backends.sql_rows import FAR, wire_ttl
from asynccache.backends.sql_words import keyed, lettered, listed
from asynccache.core import codec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.sql_order import Order
    from asynccache.backends.sql_rows import Row
    from asynccache.backends.sql_words import Words

PLAIN = f"SUBSTR(entry, {codec.FRESH.start + 1}, 8) = SUBSTR(entry, {codec.DEAD.start + 1}, 8)"
"""It ends when its head says that it does."""
IN_RANGE = "number BETWEEN :low AND :high"
SAME = "entry = :seen"
_COLUMNS = ("cache_key", "place", "entry", "number", "cells", "gen", "born", "expires")


def fetch(order: Order, keys: Sequence[bytes], *, entered: bool = False) -> Statement:
    """Ask for nonce, gen and seq of the namespace, and with them for key, entry, number and born of what is valid.

    There are rows in any case if the namespace was `entered`.
    """
    words, names = order.words, lettered("k", keys)
    text = (
        f"SELECT {words.number('nonce')}, n.gen, n.seq, e.cache_key, e.entry, e.number, e.born FROM {words.notes} n "
        f"LEFT JOIN {words.entries} e ON e.cache_key IN ({listed(names)}) AND e.expires > {words.now} "
        f"AND {order.valid('e')} WHERE n.namespace = :ns"
    )
    return order.timed(text, are_entries(set(keys), order.nonce, some=entered), nonce=order.nonce, whole=WHOLE, **names)


def sweep(order: Order, keys: Sequence[bytes]) -> Statement:
    """Remove what is over or invalid of these keys."""
    words, (these, names) = order.words, keyed(keys)
    text = (
        f"DELETE FROM {words.entries} WHERE {these} AND (expires <= {words.now} OR NOT ({order.valid(words.entries)}))"
    )
    return order.timed(text, whole=WHOLE, **names)


def exists(words: Words, condition: str = "") -> str:
    """Tell that there is an entry of the key `:k0` for which a condition holds."""
    return f"EXISTS (SELECT 1 FROM {words.entries} WHERE cache_key = :k0{condition and f' AND {condition}'})"


# Changes, once they are marked


def revoke(order: Order, keys: Sequence[bytes]) -> Statement:
    """End the rights to load these."""
    these, names = keyed(keys)
    text = f"DELETE FROM {order.words.rights} WHERE {these} AND {order.is_marked()}"
    return Statement(text, {"ns": order.namespace, "nonce": order.nonce, **names})


def store(order: Order, rows: Sequence[Row], ttl: float) -> Statement:
    """Insert or overwrite."""
    words = order.words
    gen, born = (f"(SELECT {name} FROM {words.notes} WHERE namespace = :ns)" for name in ("gen", "seq"))
    parameters: dict[str, Any] = {"ttl": wire_ttl(ttl)}
    for i, row in enumerate(rows):
        parameters |= _named(row, str(i))
    values = ", ".join(
        f"(:k{i}, :p{i}, :e{i}, :n{i}, :c{i}, {gen}, {born}, {words.now} + :ttl)" for i in range(len(rows))
    )
    text = (
        f"INSERT INTO {words.entries} ({', '.join(_COLUMNS)}) VALUES {values}{words.as_fresh} "
        f"{words.merging('cache_key', _replaced(words))}"
    )
    return order.timed(text, **parameters)


def put(order: Order, row: Row, ttl: float, source: str, at: str, **parameters: Any) -> Statement:
    """Insert or overwrite one, if there is a row in a source (of `FROM` and `WHERE`)."""
    text = f"{_insert(order, source, at)} {order.words.merging('cache_key', _replaced(order.words))}"
    return order.timed(text, ttl=wire_ttl(ttl), **_named(row, "0"), **parameters)


def insert(order: Order, row: Row, ttl: float) -> Statement:
    """Insert where there is nothing."""
    source = f"FROM {order.words.notes} WHERE {order.marked()}"
    return order.timed(_insert(order, source, "seq"), nonce=order.nonce, ttl=wire_ttl(ttl), **_named(row, "0"))


def bump(order: Order, first: Row, delta: int, ttl: float) -> Statement:
    """Add to a counter, or insert the first number."""
    words = order.words
    source = f"FROM {words.notes} WHERE {order.marked()}"
    text = (
        f"{_insert(order, source, 'seq')} {words.merging('cache_key', {'number': f'{words.entries}.number + :delta'})}"
    )
    return order.timed(text, nonce=order.nonce, delta=delta, ttl=wire_ttl(ttl), **_named(first, "0"))


def touch(order: Order, key: bytes, ttl: float) -> Statement:
    """Give a new lifetime."""
    now = order.words.now
    text = f"UPDATE {order.words.entries} SET expires = {now} + :ttl WHERE cache_key = :k0 AND {order.is_marked()}"
    return order.timed(text, nonce=order.nonce, k0=key, ttl=wire_ttl(ttl))


def drop(order: Order, keys: Sequence[bytes]) -> Statement:
    """Remove; the reply counts it."""
    these, names = keyed(keys)
    return Statement(f"DELETE FROM {order.words.entries} WHERE {these}", names)


# Keeping it small


def cull(words: Words, count: int, now: float, *, living: bool = False) -> Statement:
    """Remove at most so many that are over, those first that were over first; or `living` ones too."""
    over = f"expires <= {words.now}" + (f" + {FAR}" if living else "")
    return words.timed(words.some_of(words.entries, f"WHERE {over} ORDER BY expires"), {"count": count}, now)


def sample(words: Words, start: int, count: int) -> Statement:
    """How many rows there are from this place on, counting at most `count`, and the last one's place."""
    inner = f"SELECT place FROM {words.entries} WHERE place >= :start ORDER BY place LIMIT :count"
    text = f"SELECT COUNT(*), MAX(place) FROM ({inner}) AS sample"
    return Statement(text, {"start": start, "count": count}, is_sample)


def remove_cleared(words: Words, first: bytes, end: bytes, gen: bytes, cleared: int, count: int) -> Statement:
    """Remove at most so many of those keys from the first to before the end that were there before a clear."""
    where = "WHERE cache_key >= :first AND cache_key < :end AND gen = :gen AND born < :cleared"
    parameters = {"first": first, "end": end, "gen": gen, "cleared": cleared, "count": count}
    return Statement(words.some_of(words.entries, where), parameters)


def _insert(order: Order, source: str, born: str) -> str:
    words = order.words
    given = f":k0 AS cache_key, :p0 AS place, :e0 AS entry, {words.number('n0')} AS number, {words.blob('c0')} AS cells"
    columns = ", ".join(_COLUMNS)
    return (
        f"INSERT INTO {words.entries} ({columns}) SELECT {columns} FROM (SELECT {given}, gen, "
        f"{born} AS born, {words.now} + :ttl AS expires {source}) AS fresh WHERE 1 = 1"
    )


def _replaced(words: Words) -> dict[str, str]:
    return {name: words.fresh(name) for name in ("entry", "number", "cells", "gen", "born", "expires")}


def _named(row: Row, which: str) -> dict[str, Any]:
    return {
        f"k{which}": row.cache_key,
        f"p{which}": row.place,
        f"e{which}": row.entry,
        f"n{which}": row.number,
        f"c{which}": row.cells,
    }
