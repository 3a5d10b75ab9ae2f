"""Python's own types as msgpack extension types: what msgpack does not know, or would give back as something else."""

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType
from msgspec.msgpack import Decoder, Encoder, Ext

from asynccache.core.codec import DamagedEntryError
from asynccache.errors import SerializationError
from asynccache.serializers import moments
from asynccache.serializers.classes import Recipe, registrable
from asynccache.serializers.plain import MAX_DEPTH, SCALARS, full_name, too_deep

_INT64 = range(-(2**63), 2**63)
_PATHS: tuple[type[PurePath], ...] = (PurePosixPath, PureWindowsPath, PosixPath, WindowsPath)
_encode = Encoder().encode


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
    DATE = 9
    TIME = 10
    TIMEDELTA = 11
    DECIMAL = 12
    UUID = 13
    PATH = 14
    OBJECT = 15
    UNSET = 16


class Packer:
    """Turns a value into one that msgpack gives back unchanged.

    A careful one looks at each int and str whether msgpack can hold it; that is slow and rarely needed.
    """

    def __init__(self, known: Mapping[type, Recipe], *, careful: bool = False) -> None:
        self._scalars = SCALARS - {int, str} if careful else SCALARS
        self._ways: dict[type, Callable[[Any, int], Any]] = {
            list: self._list,
            dict: self._dict,
            tuple: lambda value, room: Ext(Code.TUPLE, _encode(self._list(value, room))),
            set: lambda value, room: Ext(Code.SET, _encode(self._list(value, room))),
            frozenset: lambda value, room: Ext(Code.FROZENSET, _encode(self._list(value, room))),
            int: _packed_int,
            str: _packed_str,
            **{kind: _leaf(code, dump) for kind, (code, dump) in _LEAVES.items()},
            **{kind: self._object(recipe) for kind, recipe in known.items()},
        }

    def pack(self, value: Any, room: int = MAX_DEPTH) -> Any:
        """Give what msgpack is to encode; `SerializationError` names a type that is not known."""
        kind = type(value)
        if kind in self._scalars:
            return value
        way = self._ways.get(kind)
        if way is None:
            raise _unknown(kind)
        if not room:
            raise too_deep()
        return way(value, room - 1)

    def _list(self, value: Any, room: int) -> list[Any]:
        scalars, pack = self._scalars, self.pack
        return [item if type(item) in scalars else pack(item, room) for item in value]

    def _dict(self, value: dict[Any, Any], room: int) -> Any:
        scalars, pack = self._scalars, self.pack
        if scalars.issuperset(map(type, value)):
            return {key: item if type(item) in scalars else pack(item, room) for key, item in value.items()}
        return Ext(Code.DICT, _encode([pack(part, room) for pair in value.items() for part in pair]))

    def _object(self, recipe: Recipe) -> Callable[[Any, int], Ext]:
        label, dump, pack = recipe.label, recipe.dump, self.pack
        return lambda value, room: Ext(Code.OBJECT, _encode((label, pack(dump(value), room))))


def unpacker(known: Mapping[str, Recipe]) -> Callable[[int, memoryview], Any]:
    """Give the function that decodes extension types; instances only of these classes."""
    ways: dict[int, Callable[[memoryview], Any]] = {}

    def unpack(code: int, payload: memoryview) -> Any:
        return ways[code](payload)

    items = Decoder(ext_hook=unpack).decode
    ways |= {
        Code.TUPLE: Decoder(tuple, ext_hook=unpack).decode,
        Code.SET: Decoder(set, ext_hook=unpack).decode,
        Code.FROZENSET: Decoder(frozenset, ext_hook=unpack).decode,
        Code.DICT: lambda payload: _paired(items(payload)),
        Code.OBJECT: lambda payload: _made(known, *items(payload)),
        **_LOADS,
    }
    return unpack


def _leaf(code: int, dump: Callable[[Any], Any]) -> Callable[[Any, int], Ext]:
    return lambda value, room: Ext(code, dump(value))  # noqa: ARG005  # containers need the room, leaves do not


def _packed_int(value: int, room: int) -> int | Ext:  # noqa: ARG001  # likewise
    if value in _INT64:
        return value
    return Ext(Code.INT, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def _packed_str(value: str, room: int) -> str | Ext:  # noqa: ARG001  # likewise
    try:
        value.encode()
    except UnicodeEncodeError:
        return Ext(Code.STR, value.encode("utf-8", "surrogatepass"))
    return value


def _dump_path(value: PurePath) -> bytes:
    return bytes([_PATHS.index(type(value))]) + str(value).encode("utf-8", "surrogatepass")


def _load_path(payload: memoryview) -> PurePath:
    return _PATHS[payload[0]](str(payload[1:], "utf-8", "surrogatepass"))


def _paired(flat: list[Any]) -> dict[Any, Any]:
    parts = iter(flat)
    return dict(zip(parts, parts, strict=True))


def _made(known: Mapping[str, Recipe], label: str, state: Any) -> Any:
    recipe = known.get(label)
    if recipe is None:
        raise DamagedEntryError(f"the class {label!r:.200} is not registered here, or had other fields")
    return recipe.load(state)


def _unknown(kind: type) -> SerializationError:
    known = f"register it with MsgpackSerializer(types=[{kind.__name__}])"
    convert = "convert it to a type that can be stored"
    way_out = known if registrable(kind) else convert
    return SerializationError(f"cannot store a {full_name(kind)}: {way_out}, or use PickleSerializer(secret=...)")


_LEAVES: dict[type, tuple[int, Callable[[Any], Any]]] = {
    bytearray: (Code.BYTEARRAY, bytes),
    datetime: (Code.DATETIME, moments.dump_datetime),
    date: (Code.DATE, moments.dump_date),
    time: (Code.TIME, moments.dump_time),
    timedelta: (Code.TIMEDELTA, moments.dump_timedelta),
    Decimal: (Code.DECIMAL, lambda value: str(value).encode()),
    UUID: (Code.UUID, lambda value: value.bytes),
    UnsetType: (Code.UNSET, lambda _: b""),
    **dict.fromkeys(_PATHS, (Code.PATH, _dump_path)),
}

_LOADS: dict[int, Callable[[memoryview], Any]] = {
    Code.BYTEARRAY: bytearray,
    Code.INT: lambda payload: int.from_bytes(payload, "big", signed=True),
    Code.STR: lambda payload: str(payload, "utf-8", "surrogatepass"),
    Code.DATETIME: moments.load_datetime,
    Code.DATE: moments.load_date,
    Code.TIME: moments.load_time,
    Code.TIMEDELTA: moments.load_timedelta,
    Code.DECIMAL: lambda payload: Decimal(str(payload, "ascii")),
    Code.UUID: lambda payload: UUID(bytes=bytes(payload)),
    Code.PATH: _load_path,
    Code.UNSET: lambda _: UNSET,
}
