"""Values that hold no others, as msgpack extension types: what msgpack does not know, or would give back otherwise."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.msgpack import Decoder, Encoder, Ext

from asynccache.serializers import moments

Way = Callable[[Any, int], Any]
"""How a type is packed: a function of the value and of how much deeper its contents may lie."""

_PATHS: tuple[type[PurePath], ...] = (PurePosixPath, PureWindowsPath, PosixPath, WindowsPath)
_INT64 = range(-(2**63), 2**63)
encode = Encoder(uuid_format="bytes").encode


class Code:
    """The extension types. They are stored: never renumber them."""

    TUPLE = 1
    SET = 2
    FROZENSET = 3
    DICT = 4
    BYTEARRAY = 5
    INT = 6
    STR = 7
    DATETIME = 8
    ZONED_DATETIME = 9
    DATE = 10
    TIME = 11
    ZONED_TIME = 12
    TIMEDELTA = 13
    DECIMAL = 14
    UUID = 15
    PATH = 16
    OBJECT = 17
    UNSET = 18
    TUPLES = 19
    ROW = 20
    ROWS = 21


def _leaf(code: int) -> Way:
    return lambda value, _room: Ext(code, encode(value))


def _datetime(value: datetime, _room: int) -> Any:
    if not value.fold:
        zone = value.tzinfo
        if zone is None:
            return Ext(Code.DATETIME, encode(value))
        if zone is UTC:
            return value  # msgpack's own timestamp
    return Ext(Code.ZONED_DATETIME, encode(moments.parts(value)))


def _time(value: time, _room: int) -> Ext:
    if value.tzinfo is None and not value.fold:
        return Ext(Code.TIME, encode(value))
    return Ext(Code.ZONED_TIME, encode(moments.parts(value)))


def _int(value: int, _room: int) -> int | Ext:
    if value in _INT64:
        return value
    return Ext(Code.INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _str(value: str, _room: int) -> str | Ext:
    try:
        value.encode()
    except UnicodeEncodeError:
        return Ext(Code.STR, value.encode("utf-8", "surrogatepass"))
    return value


def _path(value: PurePath, _room: int) -> Ext:
    return Ext(Code.PATH, bytes([_PATHS.index(type(value))]) + str(value).encode("utf-8", "surrogatepass"))


def _load_path(payload: memoryview) -> PurePath:
    return _PATHS[payload[0]](str(payload[1:], "utf-8", "surrogatepass"))


LEAVES: dict[type, Way] = {
    int: _int,
    str: _str,
    bytearray: lambda value, _room: Ext(Code.BYTEARRAY, bytes(value)),
    datetime: _datetime,
    date: _leaf(Code.DATE),
    time: _time,
    timedelta: _leaf(Code.TIMEDELTA),
    Decimal: _leaf(Code.DECIMAL),
    UUID: _leaf(Code.UUID),
    UnsetType: lambda _value, _room: Ext(Code.UNSET, b""),
    **dict.fromkeys(_PATHS, _path),
}

LOADS: dict[int, Callable[[memoryview], Any]] = {
    Code.BYTEARRAY: bytearray,
    Code.INT: lambda payload: int.from_bytes(payload, "big", signed=True),
    Code.STR: lambda payload: str(payload, "utf-8", "surrogatepass"),
    Code.DATETIME: Decoder(datetime).decode,
    Code.ZONED_DATETIME: moments.load_datetime,
    Code.DATE: Decoder(date).decode,
    Code.TIME: Decoder(time).decode,
    Code.ZONED_TIME: moments.load_time,
    Code.TIMEDELTA: Decoder(timedelta).decode,
    Code.DECIMAL: Decoder(Decimal).decode,
    Code.UUID: Decoder(UUID).decode,
    Code.PATH: _load_path,
    Code.UNSET: lambda _payload: UNSET,
}
