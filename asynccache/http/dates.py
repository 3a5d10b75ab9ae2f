"""HTTP dates: the three forms of RFC 9110 5.6.7, and nothing that merely looks like one."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asynccache.http.headers import Pair

_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY = "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_DAYS_BEFORE_1970 = date(1970, 1, 1).toordinal()
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_FORMS = tuple(
    re.compile(form.encode(), re.IGNORECASE)
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


def missing_date(headers: Iterable[Pair], moment: float) -> tuple[Pair, ...]:
    """Give the Date of a response that came without one, at this moment (RFC 9110 6.6.1); empty where it has one."""
    return () if any(name == b"date" for name, _ in headers) else ((b"date", written_date(moment)),)


def http_date(text: bytes, now: float) -> int | None:
    """Give the seconds since 1970 of an IMF-fixdate, RFC 850 or asctime date; None for anything else.

    A year of two digits is the latest that is not more than 50 years after `now`. A leap second is the one after.
    """
    found = next(filter(None, (form.fullmatch(text) for form in _FORMS)), None)
    if found is None:
        return None
    day, hour, minute, second, year = map(int, found.group("day", "hour", "minute", "second", "year"))
    month = _MONTHS.index(found["month"].lower().decode()) + 1
    if hour > 23 or minute > 59 or second > 60:
        return None
    if len(found["year"]) == 2:
        year = _full_year(year, (month, day, hour, minute, second), now)
    try:
        days = date(year, month, day).toordinal() - _DAYS_BEFORE_1970
    except ValueError:
        return None
    return days * 86_400 + hour * 3600 + minute * 60 + second


def _full_year(short: int, within_year: tuple[int, ...], now: float) -> int:
    today = datetime.fromtimestamp(now, tz=UTC)
    latest = (today.year + 50, *today.timetuple()[1:6])
    century = today.year - today.year % 100
    return next(
        year
        for year in (century + 100 + short, century + short, century - 100 + short)
        if (year, *within_year) <= latest
    )
