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
SLOTS = 16
"""How many cells of an entry a database looks at."""
CELL_BYTES = 2 * SLOTS
ANY = b"a"
"""The cell that goes with every tag: what has more tags than `SLOTS` is invalidated with any."""
AT = slice(16, 24)
"""Where the head of an entry says when it was written, which tells its copies apart."""
_HOW_MANY = slice(codec.HEAD_SIZE + 8, codec.HEAD_SIZE + 10)


@dataclass(frozen=True, slots=True)
class Row:
    """What is stored for one entry; `cells` are those of its tags, two bytes each, None without any."""

    cache_key: bytes
    place: int
    entry: bytes = field(repr=False)
    number: int | None
    cells: bytes | None = None

    @classmethod
    def of(cls, stored_key: str, raw: bytes) -> Row:
        """Take a framed entry apart: a counter's number has a column of its own."""
        owner = key_hash(stored_key)
        number = None
        if codec.is_counter(raw):
            payload = codec.decode(raw, owner).payload
            number, raw = codec.integer_of(payload), raw[: -len(payload)]
        place = int.from_bytes(owner[:4]) >> 1
        return cls(bounded_key(stored_key, KEY_BYTES), place, raw, number, _cells(raw))


def framed(entry: bytes, number: int | None) -> bytes:
    """Put a framed entry together again."""
    return entry if number is None else entry + codec.integer_payload(number)


def placed(raw: bytes, gen: bytes, born: int) -> bytes:
    """Give a framed entry whose head says where it comes from."""
    return b"".join((gen, born.to_bytes(8), memoryview(raw)[AT.start :]))


def wire_ttl(ttl: float) -> int:
    """Give a lifetime as it is added to the clock."""
    return FAR if ttl == FOREVER else milliseconds(ttl)


def _cells(raw: bytes) -> bytes | None:
    count = int.from_bytes(raw[_HOW_MANY])
    if count > SLOTS:
        return ANY
    return raw[codec.PAYLOAD_OFFSET : codec.PAYLOAD_OFFSET + 2 * count] or None
