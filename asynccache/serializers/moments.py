"""Datetimes and times that msgpack cannot hold: those with a fold, or with a zone other than UTC."""

from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from msgspec.msgpack import Decoder

from asynccache.core.names import full_name
from asynccache.errors import SerializationError

_MICROSECOND = timedelta(microseconds=1)
_datetime_parts = Decoder(tuple[datetime, int, Any]).decode
_time_parts = Decoder(tuple[time, int, Any]).decode
Moment = TypeVar("Moment", datetime, time)


def parts(moment: datetime | time) -> tuple[datetime | time, int, Any]:
    """Take apart: the naive moment, its fold, and its zone; `SerializationError` for a zone of a foreign class."""
    return moment.replace(tzinfo=None, fold=0), moment.fold, _zone_parts(moment.tzinfo)


def load_datetime(payload: memoryview) -> datetime:
    """Put a datetime together again."""
    return _whole(*_datetime_parts(payload))


def load_time(payload: memoryview) -> time:
    """Put a time of day together again."""
    return _whole(*_time_parts(payload))


def _whole(moment: Moment, fold: int, zone: Any) -> Moment:
    return moment.replace(fold=fold, tzinfo=_load_zone(zone))


def _zone_parts(zone: tzinfo | None) -> Any:
    """Give microseconds from UTC, these and a name, or the key of a `ZoneInfo`."""
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
