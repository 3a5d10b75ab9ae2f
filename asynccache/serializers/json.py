"""Values as JSON that anybody reads: only such values as JSON gives back unchanged."""

import json
from typing import Any, NoReturn

from asynccache.core.codec import DamagedEntryError
from asynccache.core.names import full_name
from asynccache.errors import SerializationError
from asynccache.serializers.base import ICacheSerializer
from asynccache.serializers.plain import MAX_DEPTH, too_deep

_SCALARS = frozenset({type(None), bool, int, float, str})


class JSONSerializer(ICacheSerializer):
    """Store plain JSON: `None`, `bool`, `int`, `float`, `str`, `list`, and `dict` with `str` keys.

    What would come back as something else is refused: tuples, sets, bytes, keys that are no `str`, and NaN and the
    infinities, which JSON does not have (RFC 8259, section 6). The bytes are JSON and nothing else, in ASCII.
    """

    def __repr__(self) -> str:
        return "<JSONSerializer>"

    def dumps(self, value: Any) -> bytes:
        """Give the JSON text of a value; `SerializationError` names the type that JSON does not have."""
        try:
            _check(value, MAX_DEPTH)
            return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
        except (
            ValueError,
            RuntimeError,
        ) as exc:  # NaN, infinities, ints beyond Python's limit of digits; a value that changes
            raise SerializationError(f"JSON cannot hold this {type(value).__name__}: {exc}") from exc

    def loads(self, payload: bytes) -> Any:
        """Give the value back; `DamagedEntryError` where the bytes are not JSON."""
        try:
            return json.loads(str(payload, "utf-8"), parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as exc:
            raise DamagedEntryError(f"the payload is not JSON: {type(exc).__name__}") from exc


def _check(value: Any, room: int) -> None:
    kind = type(value)
    if kind in _SCALARS:
        return
    if not room:
        raise too_deep()
    if kind is list:
        for item in value:
            _check(item, room - 1)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise SerializationError(f"JSON has no keys of type {full_name(type(key))}: use MsgpackSerializer()")
            _check(item, room - 1)
    else:
        raise SerializationError(f"JSON cannot give back a {full_name(kind)}: use MsgpackSerializer()")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
