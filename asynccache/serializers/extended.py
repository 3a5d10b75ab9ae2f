"""Python's own types as msgpack extension types: what msgpack does not know, or would give back as something else.

The contents of an extension type are msgpack again, so that msgspec does nearly all of the work.
"""

from collections.abc import Callable, Container, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.msgpack import Decoder, Encoder, Ext

from asynccache.core.codec import DamagedEntryError
from asynccache.core.names import full_name
from asynccache.errors import SerializationError
from asynccache.serializers import annotated, moments
from asynccache.serializers.classes import Recipe, registrable
from asynccache.serializers.plain import MAX_DEPTH, SCALARS, too_deep

Way = Callable[[Any, int], Any]

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


class _Ways(dict[type, Way]):
    """How each type is packed: a function of the value and of how much deeper its contents may lie."""

    def __missing__(self, kind: type) -> Way:
        recipe = annotated.by_type.get(kind)
        if recipe is not None:
            way = self[kind] = _object_way(recipe, self)
            return way
        way_out = "convert it to a type that can be stored"
        if registrable(kind):
            way_out = f"register it with MsgpackSerializer(types=[{kind.__name__}])"
        raise SerializationError(f"cannot store a {full_name(kind)}: {way_out}, or use PickleSerializer(secret=...)")


def packer(known: Mapping[type, Recipe], *, careful: bool = False) -> Callable[[Any], Any]:
    """Give the function that turns a value into one that msgpack gives back unchanged.

    It raises `SerializationError` for what is not known. A careful one looks at each int and str whether msgpack can
    hold it; that is slow and rarely needed.
    """
    scalars = SCALARS - {int, str} if careful else SCALARS
    ways = _Ways(_LEAVES)
    ways |= {
        **dict.fromkeys(scalars, lambda value, _room: value),
        list: _list_way(scalars, ways),
        dict: _dict_way(scalars, ways),
        tuple: _wrapped_way(Code.TUPLE, scalars, ways),
        set: _wrapped_way(Code.SET, scalars, ways),
        frozenset: _wrapped_way(Code.FROZENSET, scalars, ways),
        **{kind: _object_way(recipe, ways) for kind, recipe in known.items()},
    }
    return lambda value: ways[type(value)](value, MAX_DEPTH)


def _list_way(scalars: Container[type], ways: _Ways) -> Way:
    def pack_list(value: list[Any], room: int) -> list[Any]:
        if not room:
            raise too_deep()
        room -= 1
        return [item if type(item) in scalars else ways[type(item)](item, room) for item in value]

    return pack_list


def _dict_way(scalars: Container[type], ways: _Ways) -> Way:
    def pack_dict(value: dict[Any, Any], room: int) -> Any:
        if not room:
            raise too_deep()
        room -= 1
        packed = value.copy()
        for key, item in value.items():
            if type(key) not in scalars:
                return Ext(Code.DICT, encode([ways[type(part)](part, room) for pair in value.items() for part in pair]))
            if type(item) not in scalars:
                packed[key] = ways[type(item)](item, room)
        return packed

    return pack_dict


def _wrapped_way(code: int, scalars: Container[type], ways: _Ways) -> Way:
    pack_items = _list_way(scalars, ways)

    def wrap(value: Any, room: int) -> Ext:
        for item in value:
            if type(item) not in scalars:
                return Ext(code, encode(pack_items(value, room)))
        return Ext(code, encode(value))

    return wrap


def _object_way(recipe: Recipe, ways: _Ways) -> Way:
    label, dump = recipe.label, recipe.dump

    def pack_object(value: Any, room: int) -> Ext:
        if not room:
            raise too_deep()
        parts = dump(value)
        return Ext(Code.OBJECT, encode((label, ways[type(parts)](parts, room - 1))))

    return pack_object


def unpacker(known: Mapping[str, Recipe]) -> Callable[[int, memoryview], Any]:
    """Give the function that decodes extension types; instances only of these classes."""
    ways: dict[int, Callable[[memoryview], Any]] = {}

    def unpack(code: int, payload: memoryview) -> Any:
        return ways[code](payload)

    items = Decoder(list, ext_hook=unpack).decode
    ways |= {
        Code.TUPLE: Decoder(tuple, ext_hook=unpack).decode,
        Code.SET: Decoder(set, ext_hook=unpack).decode,
        Code.FROZENSET: Decoder(frozenset, ext_hook=unpack).decode,
        Code.DICT: lambda payload: _paired(items(payload)),
        Code.OBJECT: lambda payload: _made(known, *items(payload)),
        **_LOADS,
    }
    return unpack


def _paired(flat: list[Any]) -> dict[Any, Any]:
    parts = iter(flat)
    return dict(zip(parts, parts, strict=True))


def _made(known: Mapping[str, Recipe], label: str, state: Any) -> Any:
    recipe = known.get(label) or annotated.by_label.get(label)
    if recipe is None:
        raise DamagedEntryError(f"the class {label!r:.200} is not registered here, or had other fields")
    return recipe.load(state)


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


_LEAVES: dict[type, Way] = {
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

_LOADS: dict[int, Callable[[memoryview], Any]] = {
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
