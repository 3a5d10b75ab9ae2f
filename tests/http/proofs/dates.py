"""Dates in the three forms of RFC 9110 5.6.7, made without asynccache and without a locale."""

from datetime import UTC, datetime

DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def at(seconds):
    return datetime.fromtimestamp(seconds, UTC)


def imf(seconds):
    moment = at(seconds)
    day, month = DAYS[moment.weekday()][:3], MONTHS[moment.month - 1]
    return f"{day}, {moment:%d} {month} {moment.year:04} {moment:%H:%M:%S} GMT"


def rfc850(seconds):
    moment = at(seconds)
    return f"{DAYS[moment.weekday()]}, {moment:%d}-{MONTHS[moment.month - 1]}-{moment:%y %H:%M:%S} GMT"


def asctime(seconds):
    moment = at(seconds)
    day, month = DAYS[moment.weekday()][:3], MONTHS[moment.month - 1]
    return f"{day} {month} {moment.day:2} {moment:%H:%M:%S} {moment.year:04}"
