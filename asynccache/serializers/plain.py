"""What decides how a value is encoded: whether msgpack, as it is, would give all of it back unchanged."""

from typing import Any

from asynccache.errors import SerializationError

MAX_DEPTH = 200
"""How deep containers may lie in each other; deeper ones are taken for a cycle."""

SCALARS = frozenset({type(None), bool, int, float, str, bytes})
_CONTAINERS = frozenset({list, dict})


def is_plain(value: Any) -> bool:
    """Tell whether a value is a scalar, or a list or dict of such, all the way down and of exactly these types.

    Integers beyond 64 bits and lone surrogates pass here; the encoder refuses them by itself.
    """
    if type(value) is not dict:
        return _is_plain(value, MAX_DEPTH)
    containers = []  # looked into last: what is not plain in a record is mostly among its own fields
    for key, item in value.items():
        if type(key) not in SCALARS:
            return False
        if type(item) not in SCALARS:
            if type(item) not in _CONTAINERS:
                return False
            containers.append(item)
    for item in containers:  # noqa: SIM110  # all() costs half as much again
        if not _is_plain(item, MAX_DEPTH - 1):
            return False
    return True


def _is_plain(value: Any, room: int) -> bool:
    kind = type(value)
    if kind is dict:
        for key, item in value.items():
            if type(key) not in SCALARS or (type(item) not in SCALARS and not (room and _is_plain(item, room - 1))):
                return False
        return True
    if kind is list:
        for item in value:  # noqa: SIM110  # likewise
            if type(item) not in SCALARS and not (room and _is_plain(item, room - 1)):
                return False
        return True
    return kind in SCALARS


def too_deep() -> SerializationError:
    """Give the error for a value without end."""
    return SerializationError(f"the value holds itself, or its containers lie more than {MAX_DEPTH} deep in each other")
