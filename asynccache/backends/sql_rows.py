"""What a row of the table holds for an entry."""

from __future__ import annotations

from dataclasses import dataclass, field

from asynccache.core import codec
from asynccache.core.keys import bounded_key, key_hash
from asynccache.core.lifetime import FOREVER, milliseconds

KEY_BYTES = 250
PLACES = 2**31
FAR = 2**62
"""Milliseconds that never pass, and that a clock can be added to."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is stored for one entry."""

    cache_key: bytes
    place: int
    entry: bytes = field(repr=False)
    number: int | None

    @classmethod
    def of(cls, stored_key: str, raw: bytes) -> Row:
        """Take a framed entry apart: a counter's number has a column of its own."""
        owner = key_hash(stored_key)
        number = None
        if codec.is_counter(raw):
            payload = codec.decode(raw, owner).payload
            number, raw = codec.integer_of(payload), raw[: -len(payload)]
        return cls(bounded_key(stored_key, KEY_BYTES), int.from_bytes(owner[:4]) >> 1, raw, number)


def framed(entry: bytes, number: int | None) -> bytes:
    """Put a framed entry together again."""
    return entry if number is None else entry + codec.integer_payload(number)


def wire_ttl(ttl: float) -> int:
    """Give a lifetime as it is added to the clock."""
    return FAR if ttl == FOREVER else milliseconds(ttl)
