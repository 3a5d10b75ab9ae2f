"""What `incr` and `decr` do to a number: signed 64 bits, and nothing but integers."""

from __future__ import annotations

from typing import Any

from asynccache.core.codec import INT64
from asynccache.errors import NotAnIntegerError


def checked_delta(delta: object) -> int:
    """Return what a counter is to be changed by; `TypeError` where that is no `int`, or a `bool`."""
    if isinstance(delta, bool) or not isinstance(delta, int):
        raise TypeError(f"a counter is changed by an int, not a {type(delta).__name__}")
    return delta


def counted(value: Any, delta: int) -> int:
    """Add to a stored value; `NotAnIntegerError` where that is no `int` of 64 bits, or the sum is none."""
    if type(value) is not int or value not in INT64:
        raise NotAnIntegerError("incr and decr need an int of 64 bits, and something else is stored there")
    if value + delta not in INT64:
        raise NotAnIntegerError(f"{value + delta} does not fit into 64 bits; the counter stays as it was")
    return value + delta
