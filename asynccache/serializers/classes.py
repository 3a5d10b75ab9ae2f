"""Users' own classes: known by name, rebuilt from their fields, never looked up in what was stored.

A class's label is its module-qualified name and a checksum of its field names: what an older shape of the class left
behind is a clean miss.
"""

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, Flag
from typing import Any
from zlib import crc32

from msgspec import Struct, structs

from asynccache.core.names import full_name
from asynccache.errors import ConfigurationError
from asynccache.serializers.rows import Row, row_of

HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: made by a class statement, so its instances are all told by their state


@dataclass(frozen=True, slots=True)
class Recipe:
    """How instances of one registered class are taken apart and put together again."""

    label: str
    dump: Callable[[Any], Any]
    load: Callable[[Any], Any]
    row: Row | None = None
    """The short way, where there is one."""


def recipes(types: Iterable[type]) -> dict[type, Recipe]:
    """Give the recipe of each class; `ConfigurationError` for what cannot be registered, or two of one name."""
    if isinstance(types, type):
        raise ConfigurationError(f"types={types.__name__}: give a list, types=[{types.__name__}]")
    known = {kind: _recipe(kind) for kind in types}
    names: dict[str, type] = {}
    for kind in known:
        if names.setdefault(full_name(kind), kind) is not kind:
            raise ConfigurationError(f"types has two different classes named {full_name(kind)}")
    return known


def registrable(kind: type) -> bool:
    """Tell whether instances of a class could be stored, once it is registered."""
    return issubclass(kind, Enum) or _field_names(kind) is not None


def _field_names(kind: Any) -> list[str] | None:
    if issubclass(kind, Struct):
        return list(kind.__struct_fields__)
    if issubclass(kind, tuple):
        return list(getattr(kind, "_fields", ())) or None
    if any(base is not object and not base.__flags__ & HEAP_TYPE for base in kind.__mro__):
        return None  # it extends a built-in, whose part is in no field
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    if hasattr(kind, "__attrs_attrs__"):
        return [field.name for field in kind.__attrs_attrs__]
    return list(kind.model_fields) if hasattr(kind, "__pydantic_validator__") else None


def _recipe(kind: Any) -> Recipe:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return Recipe(full_name(kind), *_enum_ways(kind))
    fields = _field_names(kind) if isinstance(kind, type) else None
    if fields is None:
        raise ConfigurationError(
            f"types has {kind!r:.80}: give classes that are an Enum, dataclass, msgspec.Struct, pydantic model, "
            "attrs class or NamedTuple"
        )
    label = f"{full_name(kind)}#{crc32(','.join(fields).encode()):08x}"
    if issubclass(kind, Struct):
        return Recipe(label, *_struct_ways(kind, fields), row_of(kind, fields))
    if issubclass(kind, tuple):
        return Recipe(label, list, kind._make, row_of(kind, fields))
    return Recipe(label, _state, lambda state: _with_state(kind, state), row_of(kind, fields))


def _enum_ways(kind: type[Enum]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    if issubclass(kind, Flag):  # members of a Flag can be combined, and combinations have no name
        return (lambda member: member.value), kind
    return (lambda member: member.name), kind.__members__.__getitem__


def _struct_ways(kind: type[Struct], fields: list[str]) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    def dump(value: Any) -> list[Any]:
        items = [getattr(value, name) for name in fields]
        more = getattr(value, "__dict__", None)  # of a Struct with dict=True
        return [*items, more] if more else items

    def load(items: list[Any]) -> Any:
        more = items.pop() if len(items) > len(fields) else {}
        by_name = dict(zip(fields, items, strict=True))
        made = kind(**by_name)
        if hasattr(kind, "__post_init__"):  # it ran when the value was made, and must not change it again
            for name, item in by_name.items():
                structs.force_setattr(made, name, item)
        if more:
            made.__dict__.update(more)
        return made

    return dump, load


def _state(value: Any) -> Any:
    return value.__getstate__()


def _with_state(kind: type, state: Any) -> Any:
    """Make an instance as `copy` and `pickle` do: no `__init__`, no validation, so that it equals what was stored."""
    made: Any = object.__new__(kind)
    if hasattr(kind, "__setstate__"):
        made.__setstate__(state)
        return made
    in_dict, in_slots = state if isinstance(state, tuple) else (state, None)
    if in_dict:
        made.__dict__.update(in_dict)
    for name, item in (in_slots or {}).items():
        object.__setattr__(made, name, item)
    return made
