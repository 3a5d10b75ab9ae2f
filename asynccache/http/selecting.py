"""Which of the stored responses of a URL answers a request (RFC 9111 4, 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.http.conditions import if_range_holds
from asynccache.http.dates import single_date
from asynccache.http.headers import lines_of
from asynccache.http.nameless import are_nameless
from asynccache.http.ranges import requested
from asynccache.http.stored import ANONYMOUS, COOKIELESS, NAMELESS_ONLY, UNKEPT, Span
from asynccache.http.vary import vary_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.requests import Request
    from asynccache.http.stored import Stored


def matches(request: Request, stored: Stored) -> bool:
    """Tell whether a stored response was made for such a request (RFC 9111 3.5, 4.1; Cookie: our own rule)."""
    terms = stored.terms
    if terms & UNKEPT:
        return False
    if terms & ANONYMOUS and request.has(b"authorization"):
        return False
    if terms & COOKIELESS and request.has(b"cookie"):
        return False
    if terms & NAMELESS_ONLY and not are_nameless(request.headers, stored.names):
        return False
    return not stored.names or vary_values(request.headers, stored.names) == stored.values


def covers(request: Request, stored: Stored) -> bool:
    """Tell whether what is stored has all that is asked for: it is whole, or its part has the range (RFC 9111 3.3)."""
    part = stored.span
    if part is None:
        return True
    if request.method != "GET":
        return False
    asked = requested(request.lines(b"range"), part.size)
    if not isinstance(asked, Span) or not part.first <= asked.first <= asked.last <= part.last:
        return False
    return if_range_holds(stored.headers, stored.received_at, request.lines(b"if-range"))


def select(request: Request, candidates: Sequence[Stored]) -> Stored | None:
    """Choose among the stored responses of the URL (RFC 9111 4, 4.1); None where none matches.

    The newest by Date counts, but one without Vary does only where no other matches and none is newer: the resource is
    known to vary then. A part that has not what is asked for comes last.
    """
    fitting = [stored for stored in candidates if matches(request, stored)]
    if len(candidates) > 1 and fitting:
        newest = max((_moment(stored) for stored in candidates if stored.names), default=None)
        fitting = [stored for stored in fitting if stored.names or newest is None or _moment(stored) >= newest]
    if len(fitting) > 1:
        return max(fitting, key=lambda stored: (covers(request, stored), bool(stored.names), _moment(stored)))
    return fitting[0] if fitting else None


def _moment(stored: Stored) -> tuple[float, float]:
    date = single_date(lines_of(b"date", stored.headers), stored.received_at)
    return (stored.received_at if date is None else date, stored.received_at)
