"""How a page is stored: for how long, and with which tags."""

from __future__ import annotations

import msgspec


class NotTakenError(Exception):
    """The store did not take a page."""


class Terms(msgspec.Struct, frozen=True):
    """How a page is stored.

    Args:
        ttl: seconds.
        tags: its tags.
        stale: seconds for which it is kept beyond its end; None: its times do not matter.
        base_seconds: how long the names of its variants are known at least.
    """

    ttl: float
    tags: tuple[str, ...]
    stale: float | None
    base_seconds: float


FOR_A_WHILE = Terms(60.0, (), None, 60.0)
