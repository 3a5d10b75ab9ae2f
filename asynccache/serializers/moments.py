"""Dates and times as fixed-width numbers: naive and aware, with fold and zone.

A zone is msgpack behind the numbers: microseconds from UTC, these and a name, or the key of a `ZoneInfo`.
"""

import struct
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from asynccache.errors import SerializationError
from asynccache.serializers.plain import full_name

_DATE = struct.Struct(">HBB")
_TIME = struct.Struct(">BBBI")
_DATETIME = struct.Struct(">HBBBBBI")
_TIMEDELTA = struct.Struct(">iII")
_MICROSECOND = timedelta(microseconds=1)
T = TypeVar("T")


def dump_date(value: date) -> bytes:
    """Encode a date."""
    return _DATE.pack(value.year, value.month, value.day)


def load_date(payload: memoryview) -> date:
    """Decode a date."""
    return date(*_DATE.unpack(payload))


def dump_timedelta(value: timedelta) -> bytes:
    """Encode a timedelta."""
    return _TIMEDELTA.pack(value.days, value.seconds, value.microseconds)


def load_timedelta(payload: memoryview) -> timedelta:
    """Decode a timedelta."""
    return timedelta(*_TIMEDELTA.unpack(payload))


def dump_time(value: time) -> bytes:
    """Encode a time of day, aware or not."""
    fixed = _TIME.pack(value.hour, value.minute, value.second, value.microsecond)
    return fixed + _dump_place(value) if value.tzinfo or value.fold else fixed


def load_time(payload: memoryview) -> time:
    """Decode a time of day."""
    return _placed(time, _TIME, payload)


def dump_datetime(value: datetime) -> bytes:
    """Encode a datetime, aware or not."""
    fixed = _DATETIME.pack(
        value.year, value.month, value.day, value.hour, value.minute, value.second, value.microsecond
    )
    return fixed + _dump_place(value) if value.tzinfo or value.fold else fixed


def load_datetime(payload: memoryview) -> datetime:
    """Decode a datetime."""
    return _placed(datetime, _DATETIME, payload)


def _placed(make: Callable[..., T], layout: struct.Struct, payload: memoryview) -> T:
    numbers = layout.unpack_from(payload)
    if len(payload) == layout.size:
        return make(*numbers)
    fold, zone = msgspec.msgpack.decode(payload[layout.size :])
    return make(*numbers, fold=fold, tzinfo=_load_zone(zone))


def _dump_place(value: datetime | time) -> bytes:
    return msgspec.msgpack.encode((value.fold, _dump_zone(value.tzinfo)))


def _dump_zone(zone: tzinfo | None) -> Any:
    if zone is None:
        return None
    if type(zone) is timezone:
        offset, name = zone.utcoffset(None), zone.tzname(None)
        unnamed = name == timezone(offset).tzname(None)
        return offset // _MICROSECOND if unnamed else (offset // _MICROSECOND, name)
    if type(zone) is ZoneInfo and zone.key:
        return zone.key
    raise SerializationError(
        f"cannot store the time zone {full_name(type(zone))}: use zoneinfo.ZoneInfo(key) or datetime.timezone"
    )


def _load_zone(zone: Any) -> tzinfo | None:
    match zone:
        case None:
            return None
        case 0:
            return UTC
        case int():
            return timezone(zone * _MICROSECOND)
        case str():
            return ZoneInfo(zone)
        case [offset, name]:
            return timezone(offset * _MICROSECOND, name)
    raise ValueError("no time zone")
