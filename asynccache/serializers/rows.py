"""Instances as rows: the values of their fields in order, where there is nothing else in them.

A row is taken, and an instance made of it, in few steps, as `copy` and `pickle` would: no `__init__`, no validation.
Classes with ways of their own (`__getstate__`, `__post_init__` of a Struct) have no rows, nor have instances with more
or other attributes than their class has fields: these are told by their state.
"""

from collections.abc import Callable
from itertools import starmap
from operator import attrgetter
from types import MemberDescriptorType
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import astuple

Values = tuple[Any, ...]
_MAKERS = {"dataclasses", "attr._make"}
"""The modules whose `__getstate__` and `__setstate__` do no more than to get and set all fields."""


class Row(NamedTuple):
    """How an instance of a class becomes a row (None: this one does not), and a row or many become instances."""

    take: Callable[[Any], Values | None]
    make: Callable[[Values], Any]
    make_all: Callable[[list[Values]], list[Any]]


def row_of(kind: Any, fields: list[str]) -> Row | None:
    """Give how a class is told by rows, if it is."""
    names = tuple(fields)
    if issubclass(kind, Struct):
        has_ways = hasattr(kind, "__post_init__") or kind.__match_args__ != names or kind.__dictoffset__
        return None if has_ways else _struct_row(kind, len(names))
    if issubclass(kind, tuple):
        return _row(tuple, kind._make)
    if hasattr(kind, "__pydantic_validator__") and not hasattr(kind, "__dataclass_fields__"):
        return _model_row(kind, names)
    slots = {name for base in kind.__mro__ for name, part in vars(base).items() if type(part) is MemberDescriptorType}
    if not _has_common_state(kind):
        return None
    if not slots and kind.__dictoffset__:
        return _dict_row(kind, names)
    return _slots_row(kind, names) if slots == set(names) and not kind.__dictoffset__ else None


def _has_common_state(kind: Any) -> bool:
    ways = (kind.__getstate__, getattr(kind, "__setstate__", object.__getstate__))
    return all(way is object.__getstate__ or getattr(way, "__module__", "") in _MAKERS for way in ways)


def _row(take: Callable[[Any], Values | None], make: Callable[[Values], Any]) -> Row:
    return Row(take, make, lambda rows: list(map(make, rows)))


def _wrong_size() -> ValueError:
    return ValueError("a row of another size")


def _struct_row(kind: type[Struct], size: int) -> Row:
    def make(row: Values) -> Any:
        if len(row) != size:
            raise _wrong_size()
        return kind(*row)

    def make_all(rows: list[Values]) -> list[Any]:
        if kind.__struct_defaults__ and set(map(len, rows)) != {size}:  # without defaults, it misses them by itself
            raise _wrong_size()
        return list(starmap(kind, rows))

    return Row(astuple, make, make_all)


def _dict_row(kind: type, names: tuple[str, ...]) -> Row:
    new, size = object.__new__, len(names)

    def take(value: Any) -> Values | None:
        state = value.__dict__
        return tuple(state.values()) if tuple(state) == names else None

    def make(row: Values) -> Any:
        if len(row) != size:
            raise _wrong_size()
        made: Any = new(kind)
        made.__dict__.update(zip(names, row))  # noqa: B905  # strict would cost half as much again
        return made

    return _row(take, make)


def _slots_row(kind: type, names: tuple[str, ...]) -> Row | None:
    members = [getattr(kind, name) for name in names]
    if len(names) < 2 or any(type(member) is not MemberDescriptorType for member in members):
        return None  # attrgetter gives a tuple for two and more
    get, new, size = attrgetter(*names), object.__new__, len(names)
    setters = [member.__set__ for member in members]

    def take(value: Any) -> Values | None:
        try:
            return get(value)
        except AttributeError:  # one of them was never set
            return None

    def make(row: Values) -> Any:
        if len(row) != size:
            raise _wrong_size()
        made: Any = new(kind)
        for put, item in zip(setters, row):  # noqa: B905  # likewise
            put(made, item)
        return made

    return _row(take, make)


def _model_row(kind: Any, names: tuple[str, ...]) -> Row | None:
    """Do as pydantic's own `__getstate__` and `__setstate__` do; the last of a row tells which fields were given."""
    base = next(base for base in kind.__mro__ if base.__module__ == "pydantic.main" and base.__name__ == "BaseModel")
    ways = ("__getstate__", "__setstate__")
    if any(getattr(kind, way) is not getattr(base, way) for way in ways) or not all(map(str.isidentifier, names)):
        return None
    every, size, put, new = set(names), len(names), object.__setattr__, object.__new__

    def take(value: Any) -> Values | None:
        state = value.__dict__
        if tuple(state) != names or value.__pydantic_extra__ is not None or value.__pydantic_private__ is not None:
            return None
        given = value.__pydantic_fields_set__
        return (*state.values(), None if given == every else " ".join(sorted(given)))

    def make(row: Values) -> Any:
        *values, given = row
        if len(values) != size:
            raise _wrong_size()
        made: Any = new(kind)
        made.__dict__.update(zip(names, values))  # noqa: B905  # likewise
        put(made, "__pydantic_fields_set__", every.copy() if given is None else set(given.split()))
        put(made, "__pydantic_extra__", None)
        put(made, "__pydantic_private__", None)
        return made

    return _row(take, make)
