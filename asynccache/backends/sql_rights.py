"""What is asked of the table of rights to load: who loads a key just now, in whatever process.

    token       which tells one right from others
    born        the position at which it was granted
    seen        when the copy was written that its holder knows; NULL: it wants to know none
    awaited     whether somebody waits for its end
    landed      the number of the change by which what was loaded was found good
    lease_end   milliseconds since 1970, by the database server's own clock

It ends when it has landed, when the key is changed, and with its lease.
"""

# ruff: noqa: S608  # texts are put together from the table's name alone, which is a plain identifier (sql_place.py)
from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.sql_order import WHOLE
from asynccache.backends.sql_replies import Statement, are_rights
from asynccache.backends.sql_rows import AT, KEY_BYTES
from asynccache.backends.sql_words import keyed, lettered, listed
from asynccache.core.keys import bounded_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.granting import Landing, Want
    from asynccache.backends.sql_order import Order
    from asynccache.backends.sql_words import Words
    from asynccache.core.claims import Ticket

AWAITED = "awaited = 1"
_FORGOTTEN_MILLISECONDS = 60_000


def wire_key(stored_key: str) -> bytes:
    """Give a stored key as the tables hold it."""
    return bounded_key(stored_key, KEY_BYTES)


def grant(order: Order, wants: Sequence[Want], lease: float) -> Statement:
    """Grant what is free, and note of the rest that somebody waits."""
    words = order.words
    parameters: dict[str, Any] = {"lease": round(lease * 1000)}
    for i, want in enumerate(wants):
        seen = None if want.seen < 0 else want.seen.to_bytes(8)
        parameters |= {f"k{i}": wire_key(want.key), f"t{i}": want.token, f"s{i}": seen}
    born = f"(SELECT seq FROM {words.notes} WHERE namespace = :ns)"
    rows = ", ".join(
        f"(:k{i}, :t{i}, {born}, {words.blob(f's{i}')}, 0, 0, {words.now} + :lease)" for i in range(len(wants))
    )
    free = f"{words.rights}.lease_end <= {words.now}"
    assigned = {
        name: f"CASE WHEN {free} THEN {words.fresh(name)} ELSE {words.rights}.{name} END"
        for name in ("token", "born", "seen")
    }
    assigned["awaited"] = f"CASE WHEN {free} THEN 0 ELSE 1 END"
    assigned["lease_end"] = f"CASE WHEN {free} THEN {words.fresh('lease_end')} ELSE {words.rights}.lease_end END"
    text = (
        f"INSERT INTO {words.rights} (cache_key, token, born, seen, awaited, landed, lease_end) "
        f"VALUES {rows}{words.as_fresh} {words.merging('cache_key', assigned)}"
    )
    return order.timed(text, **parameters)


def withdraw(order: Order, wants: Sequence[Want]) -> Statement:
    """Take back what was granted for keys whose value is there, and not known to who asked."""
    words, (these, names) = order.words, keyed([wire_key(want.key) for want in wants])
    tokens = lettered("t", [want.token for want in wants])
    text = (
        f"DELETE FROM {words.rights} WHERE {these} AND token IN ({listed(tokens)}) AND EXISTS "
        f"(SELECT 1 FROM {words.entries} e WHERE e.cache_key = {words.rights}.cache_key AND e.expires > {words.now} "
        f"AND SUBSTR(e.entry, {AT.start + 1}, 8) <> {words.rights}.seen AND {order.valid('e')})"
    )
    return order.timed(text, whole=WHOLE, **names, **tokens)


def held(order: Order, keys: Sequence[bytes]) -> Statement:
    """Ask for nonce, key, token, born and the milliseconds that are left."""
    these, names = keyed(keys)
    text = (
        f"SELECT {order.words.number('nonce')}, cache_key, token, born, lease_end - {order.words.now} "
        f"FROM {order.words.rights} WHERE {these}"
    )
    return order.timed(text, are_rights(set(keys), order.nonce), nonce=order.nonce, **names)


def approve(order: Order, landing: Landing, gen: bytes) -> Statement:
    """Mark a right as landed, if it stands and nothing was invalidated since it was granted."""
    words = order.words
    text = (
        f"UPDATE {words.rights} SET landed = {words.number('nonce')} WHERE cache_key = :k0 AND token = :t0 "
        f"AND lease_end > {words.now} AND EXISTS (SELECT 1 FROM {words.notes} m "
        f"WHERE m.namespace = :ns AND m.gen = :gen AND m.cleared <= {words.rights}.born)"
    )
    parameters: dict[str, Any] = {"k0": wire_key(landing.ticket.key), "t0": landing.ticket.token, "gen": gen}
    parameters |= {"nonce": order.nonce}
    if landing.cells:
        clean, more = order.clean_right(words.rights, landing.cells)
        text, parameters = f"{text} AND {clean}", parameters | more
    return order.timed(text, **parameters)


def landed(order: Order, keys: Sequence[bytes]) -> Statement:
    """Ask for nonce, key and token of what was approved."""
    these, names = keyed(keys)
    nonce = order.words.number("nonce")
    text = f"SELECT {nonce}, cache_key, token FROM {order.words.rights} WHERE {these} AND landed = {nonce}"
    return Statement(text, {"nonce": order.nonce, **names}, are_rights(set(keys), order.nonce))


def landed_source(order: Order) -> str:
    """Give where `put` finds a right that was approved; it names the key `:k0`, `:gen` and `:born`."""
    words = order.words
    return (
        f"FROM (SELECT {words.blob('gen')} AS gen FROM {words.rights} WHERE cache_key = :k0 AND token = :t0 "
        f"AND landed = {words.number('nonce')}) AS approved"
    )


def mine(words: Words, tickets: Sequence[Ticket], condition: str = "") -> tuple[str, dict[str, Any]]:
    """Tell that there is one of these rights for which a condition holds."""
    these, parameters = _of(tickets)
    return f"EXISTS (SELECT 1 FROM {words.rights} WHERE {these}{condition and f' AND {condition}'})", parameters


def end(words: Words, tickets: Sequence[Ticket]) -> Statement:
    """End these rights."""
    these, parameters = _of(tickets)
    return Statement(f"DELETE FROM {words.rights} WHERE {these}", parameters)


def renew(words: Words, ticket: Ticket, lease: float, now: float) -> Statement:
    """Have a right that stands end later; the reply counts it."""
    text = (
        f"UPDATE {words.rights} SET lease_end = {words.now} + :lease "
        f"WHERE cache_key = :k0 AND token = :t0 AND lease_end > {words.now}"
    )
    parameters = {"k0": wire_key(ticket.key), "t0": ticket.token, "lease": round(lease * 1000)}
    return words.timed(text, parameters, now)


def mark(words: Words, key: bytes, token: bytes, now: float) -> Statement:
    """Note that somebody waits for the end of a right that stands; the reply counts it."""
    text = f"UPDATE {words.rights} SET awaited = 1 WHERE cache_key = :k0 AND token = :t0 AND lease_end > {words.now}"
    return words.timed(text, {"k0": key, "t0": token}, now)


def end_all(words: Words, first: bytes, end: bytes) -> Statement:
    """End the rights to keys from the first to before the end."""
    return Statement(
        f"DELETE FROM {words.rights} WHERE cache_key >= :first AND cache_key < :end", {"first": first, "end": end}
    )


def cull(words: Words, now: float) -> Statement:
    """Remove rights whose holders are gone."""
    text = f"DELETE FROM {words.rights} WHERE lease_end < {words.now} - {_FORGOTTEN_MILLISECONDS}"
    return words.timed(text, {}, now)


def _of(tickets: Sequence[Ticket]) -> tuple[str, dict[str, Any]]:
    these, names = keyed([wire_key(ticket.key) for ticket in tickets])
    tokens = lettered("t", [ticket.token for ticket in tickets])
    return f"{these} AND token IN ({listed(tokens)})", names | tokens
