"""How long an entry lives: every way of saying it becomes seconds, once, here."""

import math
from datetime import timedelta

FOREVER = math.inf
Ttl = float | timedelta | None
LARGEST_RELATIVE = 30 * 24 * 3600
LONGEST = 300 * 366 * 24 * 3600
LAST_SECOND = 2**31 - 1
"""January 2038: the last moment that memcached, and some file formats, can name."""


def seconds(ttl: Ttl, default: float) -> float:
    """Turn a ttl into seconds: `None` is the default, `FOREVER` is `math.inf`, 0 or less is 0: gone at once.

    Beyond three centuries is for ever, since stores count in numbers that end. Raises `ValueError` for NaN and
    `TypeError` for what is neither a number, a `timedelta` nor `None`.
    """
    if ttl is None:
        return default
    if isinstance(ttl, timedelta):
        ttl = ttl.total_seconds()
    elif isinstance(ttl, bool) or not isinstance(ttl, int | float):
        raise TypeError(f"a ttl is a number of seconds, a timedelta or None, not a {type(ttl).__name__}")
    elif ttl != ttl:  # noqa: PLR0124  # NaN; math.isnan overflows on a great int
        raise ValueError("a ttl of NaN: give seconds, a timedelta, FOREVER or None")
    return max(ttl, 0.0) if ttl <= LONGEST else FOREVER


def milliseconds(ttl: float) -> int:
    """Round up to whole milliseconds, at least one: no entry dies early or never."""
    return max(1, math.ceil(ttl * 1000))


def memcached_exptime(ttl: float, now: float) -> int:
    """Give memcached's `exptime`: whole seconds rounded up, 0 for ever, absolute beyond 30 days (protocol.txt)."""
    if ttl == FOREVER:
        return 0
    if ttl <= LARGEST_RELATIVE:
        return max(1, math.ceil(ttl))
    return min(math.ceil(now + ttl), LAST_SECOND)


def whole_seconds(ttl: float, now: float) -> int:
    """Give whole seconds that a store may be told, for an entry that ends by itself.

    Rounded up, and one more, since a store that counts whole seconds ends the first one early; and a day below
    `LAST_SECOND`, since some add their own `now`.
    """
    longest = max(LARGEST_RELATIVE, LAST_SECOND - 24 * 3600 - int(now))
    return longest if ttl >= longest else math.ceil(ttl) + 1
