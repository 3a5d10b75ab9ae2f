"""The right to load: what a store answers to a caller who found nothing and would load.

A store with fences grants it to one caller in all processes at a time. What was loaded lands only where the right still
stands and nothing was invalidated since it was granted.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple

from asynccache.core.entry import Entry

LEASE_SECONDS = 3.0
"""How long a right to load stands without being renewed; it is renewed every third of that."""


class Ticket(NamedTuple):
    """A right to load.

    `key` is the stored key, `token` tells the ticket from others, `born` is the position at which it was granted, and
    compares with others of the same `view` only.
    """

    key: str
    token: bytes = b""
    born: int = 0
    view: Hashable = None


class Hit(NamedTuple):
    """There is a value, which the caller has not seen yet."""

    entry: Entry


class Lead(NamedTuple):
    """The caller is to load; `stale` is what may stand in."""

    ticket: Ticket
    stale: Entry | None = None


class Held(NamedTuple):
    """Another caller loads, in whatever process; its right ends in so many seconds unless it is renewed."""

    seconds: float
    stale: Entry | None = None


Claimed = Hit | Lead | Held


def found_by(claimed: Claimed) -> Entry | None:
    """Give what the store has: a value, or what may stand in for one."""
    return claimed.entry if isinstance(claimed, Hit) else claimed.stale


class Made(NamedTuple):
    """What was loaded for a key: its value for `ttl` seconds (None: nothing is stored), by this right."""

    key: str
    value: Any
    ttl: float | None
    ticket: Ticket
