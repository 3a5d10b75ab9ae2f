"""HTTP dates: the three forms of RFC 9110 5.6.7, and nothing that merely looks like one."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY = "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = tuple(
    re.compile(form, re.IGNORECASE | re.ASCII)
    for form in (
        rf"{_DAY}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT",
        rf"{_LONG_DAY}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT",
        rf"{_DAY} {_MONTH} (?P<day>[0-9 ][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    )
)


def single_date(lines: Sequence[bytes], now: float) -> int | None:
    """Read a field that is one HTTP date; None where it is absent, invalid, or of several lines."""
    return http_date(lines[0].strip(b" \t"), now) if len(lines) == 1 else None


def written_date(moment: float) -> bytes:
    """Write a moment as an IMF-fixdate, in whole seconds (RFC 9110 5.6.7)."""
    at = datetime.fromtimestamp(int(moment), tz=UTC)
    day, month = _DAYS[at.weekday()], _MONTHS[at.month - 1].title()
    return f"{day}, {at.day:02} {month} {at.year:04} {at.hour:02}:{at.minute:02}:{at.second:02} GMT".encode()


def http_date(text: bytes, now: float) -> int | None:
    """Give the seconds since 1970 of an IMF-fixdate, RFC 850 or asctime date; None for anything else.

    A year of two digits is the latest that is not more than 50 years after `now`.
    """
    decoded = text.decode("latin-1")
    found = next(filter(None, (form.fullmatch(decoded) for form in _FORMS)), None)
    if found is None:
        return None
    month = _MONTHS.index(found["month"].lower()) + 1
    day, hour, minute, second = (int(found[part]) for part in ("day", "hour", "minute", "second"))
    within_year = (month, day, hour, minute, second)
    year = int(found["year"]) if len(found["year"]) == 4 else _full_year(int(found["year"]), within_year, now)
    leap = second == 60  # what RFC 5322 3.3 allows, as the second after
    try:
        return timegm(datetime(year, month, day, hour, minute, second - leap, tzinfo=UTC).timetuple()) + leap
    except ValueError:
        return None


def _full_year(short: int, within_year: tuple[int, ...], now: float) -> int:
    today = datetime.fromtimestamp(now, tz=UTC)
    latest = (today.year + 50, *today.timetuple()[1:6])
    century = today.year - today.year % 100
    return next(
        year
        for year in (century + 100 + short, century + short, century - 100 + short)
        if (year, *within_year) <= latest
    )
