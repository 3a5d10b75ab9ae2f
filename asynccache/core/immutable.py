"""Which values nobody can change, so that they may be shared as they are."""

from typing import Any

IMMUTABLE = frozenset({str, bytes, int, float, bool, type(None)})


def is_immutable(value: Any) -> bool:
    """Tell whether a value can be shared as it is: str, bytes, numbers, None and tuples of these."""
    kind = type(value)
    return kind in IMMUTABLE or (kind is tuple and all(map(is_immutable, value)))
