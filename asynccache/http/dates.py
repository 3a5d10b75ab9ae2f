"""HTTP dates: the three forms of RFC 9110 5.6.7, and nothing that merely looks like one."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime

_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY = "(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
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


def http_date(text: bytes, now: float) -> int | None:
    """Give the seconds since 1970 of an IMF-fixdate, RFC 850 or asctime date; None for anything else.

    A year of two digits is the nearest that is not more than 50 years after `now`.
    """
    decoded = text.decode("latin-1")
    found = next(filter(None, (form.fullmatch(decoded) for form in _FORMS)), None)
    if found is None:
        return None
    month = _MONTHS.index(found["month"].lower()) + 1
    day, hour, minute, second = (int(found[part]) for part in ("day", "hour", "minute", "second"))
    year = int(found["year"]) if len(found["year"]) == 4 else _full_year(int(found["year"]), now)
    try:
        return timegm(datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timetuple())
    except ValueError:
        return None


def _full_year(short: int, now: float) -> int:
    this_year = datetime.fromtimestamp(now, tz=UTC).year
    year = this_year - this_year % 100 + short
    return year - 100 if year > this_year + 50 else year
