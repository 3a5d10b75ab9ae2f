"""For how long a response may be reused, and how old it came (RFC 9111 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asynccache.http.cache_control import LONGEST, CacheControl
from asynccache.http.dates import single_date
from asynccache.http.headers import Pair, age_of
from asynccache.http.structured import targeted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LONGEST_HEURISTIC = 86_400.0
_HEURISTIC_FRACTION = 0.1
_DATE_LAGS = 1  # seconds: Date counts whole ones, and servers write it anew once in each


class Policy(msgspec.Struct, frozen=True):
    """What a response says about its reuse.

    Args:
        control: its directives: of the targeted field that applies, else of Cache-Control.
        expires: the lines of Expires; none where a targeted field applies.
        source: the name of the field that the directives are from.
    """

    control: CacheControl
    expires: Sequence[bytes]
    source: bytes

    @property
    def is_explicit(self) -> bool:
        """Tell whether it states a lifetime, be it an invalid one (RFC 9111 4.2.1)."""
        return self.control.has(b"s-maxage") or self.control.has(b"max-age") or bool(self.expires)

    @property
    def is_shared(self) -> bool:
        """Tell whether it says that everyone may have it: `public`, or a lifetime for shared caches."""
        return self.control.says(b"public") or (self.control.seconds(b"s-maxage") or 0.0) > 0


def policy_of(lines: Mapping[bytes, list[bytes]], targets: Sequence[bytes]) -> Policy:
    """Find the directives that apply: the first target that is there and valid stands for everything else.

    Neither Cache-Control nor Expires of the response matter then (RFC 9213 2.2). Its Pragma never does (RFC 9111 5.4).
    """
    for name in targets:
        control = targeted(lines[name]) if name in lines else None
        if control is not None:
            return Policy(control, (), name)
    control = CacheControl.of(lines.get(b"cache-control", ()))
    return Policy(control, lines.get(b"expires", ()), b"cache-control")


def explicit_lifetime(policy: Policy, lines: Mapping[bytes, list[bytes]], now: float) -> float | None:
    """Give the seconds from its making for which it is fresh, as it says itself; None where it does not.

    s-maxage, else max-age, else Expires less Date, or less the receipt where there is no valid Date. What is there
    and invalid means that it is stale (RFC 9111 4.2.1, 5.3).
    """
    for directive in (b"s-maxage", b"max-age"):
        seconds = policy.control.seconds(directive)
        if seconds is not None:
            return seconds
    if not policy.expires:
        return None
    expires = single_date(policy.expires, now)
    return 0.0 if expires is None else min(max(0.0, expires - made_at(lines, now)), LONGEST)


def heuristic_lifetime(lines: Mapping[bytes, list[bytes]], now: float) -> float | None:
    """Give a tenth of the time since it was last modified, at most a day (RFC 9111 4.2.2); None: nobody knows."""
    modified = single_date(lines.get(b"last-modified", ()), now)
    if modified is None:
        return None
    return min(max(0.0, made_at(lines, now) - modified) * _HEURISTIC_FRACTION, _LONGEST_HEURISTIC)


def made_at(lines: Mapping[bytes, list[bytes]], now: float) -> float:
    """Give its Date; the receipt where that is missing or invalid (RFC 9110 6.6.1)."""
    date = single_date(lines.get(b"date", ()), now)
    return now if date is None else date


def initial_age(headers: Sequence[Pair], lines: Mapping[bytes, list[bytes]], now: float, requested_at: float) -> float:
    """Give the seconds that it was old when it came (RFC 9111 4.2.3).

    The larger of what its Age and the time of the request make, and of what its Date does. A Date of the last second is
    no sign of age, one in the future never is: clocks differ.
    """
    apparent = int(now) - made_at(lines, int(now))
    corrected = age_of(headers) + max(0.0, now - requested_at)
    return max(corrected, apparent if apparent > _DATE_LAGS else 0.0)
