"""The text that stands for an argument in a key: the same in every process, for equal values of one type.

Types are told apart (`1`, `1.0`, `True` and `"1"` differ), text is quoted and parts are bracketed, so that no two
values share a text. Nobody's `repr` is trusted but that of Python's own types, taken by their exact type.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag
from fractions import Fraction
from hashlib import blake2b
from pathlib import PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asynccache.core.names import full_name

MAX_DEPTH = 100
LONGEST = 200
_HEAD = 120
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement
_PATHS: tuple[type[PurePath], ...] = (PurePosixPath, PureWindowsPath, PosixPath, WindowsPath)


class UnkeyableError(TypeError):
    """Nothing stable is known that tells a value from others of its type."""


def text(value: Any, room: int = MAX_DEPTH) -> str:
    """Give the text of a value; `UnkeyableError` where its type is unknown, or it holds itself."""
    kind = type(value)
    plain = PLAIN.get(kind)
    if plain is not None:
        try:
            return plain(value)
        except ValueError:  # more digits than Python likes to write
            return hex(value)
    if not room:
        raise UnkeyableError(f"it holds itself, or is more than {MAX_DEPTH} deep")
    way = _NESTED.get(kind)
    return _object(value, kind, room - 1) if way is None else way(value, room - 1)


def shortened(key: str) -> str:
    """Give a key of bounded length: itself, or its head and a BLAKE2b digest of all of it."""
    if len(key) <= LONGEST:
        return key
    return f"{key[:_HEAD]}~{blake2b(key.encode(), digest_size=16).hexdigest()}"


def _items(values: Iterable[Any], room: int) -> str:
    return ",".join([text(value, room) for value in values])


def _unordered(values: Iterable[Any], room: int) -> str:
    return ",".join(sorted([text(value, room) for value in values]))


def _dict(value: dict[Any, Any], room: int) -> str:
    return "{" + ",".join(sorted([f"{text(key, room)}:{text(item, room)}" for key, item in value.items()])) + "}"


def _moment(value: datetime | time) -> str:
    fold = ",fold" if value.fold else ""
    return f"{type(value).__name__}({value.isoformat()}{_zone(value.tzinfo)}{fold})"


def _zone(zone: tzinfo | None) -> str:
    if zone is None:
        return ""
    if type(zone) is timezone:
        return f",{zone.tzname(None)!a}"
    if type(zone) is ZoneInfo and zone.key:
        return f",zone {zone.key!a}"
    raise _unkeyable(zone)


def _object(value: Any, kind: Any, room: int) -> str:
    """Give the text of an instance of somebody's class, or of a class."""
    name = _full_name(kind)
    own = getattr(kind, "__cache_key__", None)
    if own is not None:
        return f"{name}!{text(own(value), room)}"
    if isinstance(value, type):
        return _class(value)
    if isinstance(value, Enum):
        member = str(int(value.value)) if isinstance(value, Flag) else value._name_
        return f"{name}.{member if member.isalnum() or member.isidentifier() else ascii(member)}"
    names = _field_names(value, kind)
    if names is None:
        raise _unkeyable(value)
    return f"{name}({','.join([f'{field}={text(getattr(value, field), room)}' for field in names])})"


def _class(value: type) -> str:
    """Give the name of a class, if it is to be found by that name."""
    found: Any = sys.modules.get(value.__module__)
    for part in value.__qualname__.split("."):
        found = getattr(found, part, None)
    if found is not value:
        raise UnkeyableError(f"the class {_full_name(value)} is not to be found by its name")
    return f"class {_full_name(value)}"


def _field_names(value: Any, kind: Any) -> list[str] | None:
    """Give the names of the fields that make up an instance; None where nobody says which do."""
    if hasattr(kind, "__struct_fields__"):  # msgspec
        return list(kind.__struct_fields__)
    if issubclass(kind, tuple):
        return list(getattr(kind, "_fields", ())) or None
    if any(base is not object and not base.__flags__ & _HEAP_TYPE for base in kind.__mro__):
        return None  # it extends a built-in, whose part is in no field
    if is_dataclass(kind):
        return [field.name for field in fields(kind)]
    if hasattr(kind, "__attrs_attrs__"):
        return [field.name for field in kind.__attrs_attrs__]
    if hasattr(kind, "__pydantic_validator__"):
        more = ("__pydantic_extra__", "__pydantic_private__")
        return [*kind.model_fields, *(name for name in more if getattr(value, name, None))]
    return None


def _unkeyable(value: object) -> UnkeyableError:
    return UnkeyableError(f"nothing tells one {_full_name(type(value))} from another")


def _full_name(kind: type) -> str:
    name = full_name(kind)
    return name if name.replace(".", "").replace("<locals>", "").isidentifier() else ascii(name)


PLAIN: dict[type, Callable[[Any], str]] = {
    **dict.fromkeys((type(None), bool, int, float, complex, bytes, bytearray, range, type(...)), repr),
    str: ascii,
    **dict.fromkeys((Decimal, Fraction), lambda value: f"{type(value).__name__}({value})"),
    UUID: lambda value: f"UUID({value.hex})",
    date: lambda value: f"date({value.isoformat()})",
    **dict.fromkeys((datetime, time), _moment),
    timedelta: lambda value: f"timedelta({value.days},{value.seconds},{value.microseconds})",
    **dict.fromkeys(_PATHS, lambda value: f"{type(value).__name__}({str(value)!a})"),
}
"""How values that hold no others are written."""

_NESTED: dict[type, Callable[[Any, int], str]] = {
    tuple: lambda value, room: f"({_items(value, room)})",
    list: lambda value, room: f"[{_items(value, room)}]",
    set: lambda value, room: f"set({_unordered(value, room)})",
    frozenset: lambda value, room: f"frozenset({_unordered(value, room)})",
    dict: _dict,
}
