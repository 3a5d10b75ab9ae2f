"""What is written down on each memcached server beside its entries, and how it is read: numbers and bytes, no waiting.

Each server has an order of its own, for the entries that it has; so one that is away takes along what it has, and
nothing else. Its keys begin with `~~`, as none of an entry does:

    notebook  ~~n:shop:1:          one number: 31 random bits, the generation, then 32 that `incr` counts up
    mark      ~~t:shop:1:4711      of a cell of tags: the number of its last invalidation, or `-`: nothing is valid
    lease     ~~l:shop:1:key       who loads, where a value stands in meanwhile, whose cas id is the fence
    order     ~~o:shop:1~locks:    counts the holders of locks; begins with the microseconds since 1970

A number is a position (`core/fence.py`); positions of different generations do not compare. Where the notebook is lost
nothing is valid, and its next number is of another generation. A mark is written over what was read before the number
in it was, and by `cas`: so it never goes back, not even if it was lost in between.
"""

from __future__ import annotations

import math
import secrets
import struct
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from asynccache.core import codec
from asynccache.core.fence import Birth, Marks, Notebook, is_valid
from asynccache.core.keys import memcached_key

AUXILIARY = b"~~"
CLOSED = b"-"
GONE = 30 * 24 * 3600 + 1
"""An `exptime` that is over: a moment in 1970 (protocol.txt)."""
_COUNTED_BITS = 32
_LARGEST = 2**64 - 1
_MAGIC = b"asynccache right"
_RIGHT = struct.Struct(">16s8s8sQQ4x16s")
_BIRTH = struct.Struct(">8sQ")
_NCELLS = slice(codec.HEAD_SIZE + 8, codec.HEAD_SIZE + 10)
_ALWAYS = b"\0" * 8


def namespace_of(stored_key: str) -> str:
    """Give the head of a stored key, its second colon included."""
    return stored_key[: stored_key.index(":", stored_key.index(":") + 1) + 1]


@lru_cache(maxsize=256)
def notebook_wire(namespace: str) -> bytes:
    """Give the key of the notebook."""
    return memcached_key(f"~~n:{namespace}")


@lru_cache(maxsize=4096)
def mark_wire(namespace: str, cell: int) -> bytes:
    """Give the key of the mark of a cell."""
    return memcached_key(f"~~t:{namespace}{cell}")


def lease_wire(stored_key: str) -> bytes:
    """Give the key of the lease of an entry."""
    return memcached_key(f"~~l:{stored_key}")


def order_wire(namespace: str) -> bytes:
    """Give the key of what counts the holders of locks."""
    return memcached_key(f"~~o:{namespace}")


def new_number() -> bytes:
    """Begin a notebook: of a generation that was not there before."""
    return b"%d" % (secrets.randbits(31) << _COUNTED_BITS)


def number_of(raw: bytes | None) -> int | None:
    """Read a notebook or a mark; None where it is lost, closed or somebody else's."""
    if raw is None or not raw.isdigit() or len(raw) > len(str(_LARGEST)) or int(raw) > _LARGEST:
        return None
    return int(raw)


def gen_of(number: int) -> bytes:
    """Give the generation of a number."""
    return b"%08x" % (number >> _COUNTED_BITS)


@lru_cache(maxsize=256)
def gen_written(raw: bytes | None) -> bytes | None:
    """Read the generation out of a notebook; None where it is none."""
    number = number_of(raw)
    return None if number is None else gen_of(number)


def is_of(number: int | None, other: int) -> bool:
    """Tell whether a number compares with another."""
    return number is not None and gen_of(number) == gen_of(other)


def marks_of(raws: list[bytes | None], number: int) -> Marks:
    """Read marks; where one is lost, closed or of another generation, they are all said to be lost."""
    numbers = [number_of(raw) for raw in raws]
    if not all(is_of(mark, number) for mark in numbers):
        return Marks(0)
    return Marks(1, tuple(mark for mark in numbers if mark is not None))


def moved(raw: bytes | None, stamp: int) -> bytes | None:
    """Give the mark that an invalidation makes of one; None where it has nothing to do."""
    mark = number_of(raw)
    if raw is None or (mark is not None and is_of(mark, stamp) and mark >= stamp):
        return None
    return b"%d" % stamp if is_of(mark, stamp) else CLOSED


def birth_of(raw: bytes) -> Birth | None:
    """Read where an entry comes from; None where these bytes are none of ours."""
    if len(raw) < codec.PAYLOAD_OFFSET or raw[codec.HEAD_SIZE] != codec.FORMAT:
        return None
    count = int.from_bytes(raw[_NCELLS])
    if len(raw) < codec.PAYLOAD_OFFSET + 2 * count:
        return None
    gen, born = _BIRTH.unpack_from(raw)
    return Birth(gen, born, struct.unpack_from(f">{count}H", raw, codec.PAYLOAD_OFFSET))


def born_at(raw: bytes, gen: bytes, born: int) -> bytes:
    """Write into an entry where it comes from."""
    return _BIRTH.pack(gen, born) + raw[_BIRTH.size :]


def born_as(raw: bytes, other: bytes) -> bytes:
    """Write into an entry where another comes from."""
    return other[: _BIRTH.size] + raw[_BIRTH.size :]


def at_of(raw: bytes) -> int:
    """Read what tells this copy of an entry from a later one."""
    return int.from_bytes(raw[16:24])


def is_current(birth: Birth, number: int | None, marks: Marks | None = None) -> bool:
    """Tell whether an entry may be used."""
    return number is not None and is_valid(birth, Notebook(gen_of(number), 0, number, b""), b"", marks)


class Right(NamedTuple):
    """A right to load, as it lies in a store.

    In the place of an entry (`fence` 0), or beside one that stands in, and whose cas id is the `fence`. It ends with a
    generation, unless it is one of all (a lock's).
    """

    token: bytes
    lease: float
    gen: bytes = _ALWAYS
    fence: int = 0

    @classmethod
    def read(cls, raw: bytes | None, wire: bytes) -> Right | None:
        """Read what is stored under this key; None where it is no right."""
        if raw is None or len(raw) != _RIGHT.size or not raw.startswith(_MAGIC):
            return None
        _, gen, token, lease_ms, fence, owner = _RIGHT.unpack(raw)
        return cls(token, lease_ms / 1000, gen, fence) if owner == _owner(wire) else None

    def bytes_for(self, wire: bytes) -> bytes:
        """Give the bytes for this key, sealed with it as those of an entry are."""
        return _RIGHT.pack(_MAGIC, self.gen, self.token, math.ceil(self.lease * 1000), self.fence, _owner(wire))

    def stands(self, number: int | None) -> bool:
        """Tell whether what it is for may still be stored."""
        return self.gen == _ALWAYS or (number is not None and self.gen == gen_of(number))


def lease_exptime(lease: float) -> int:
    """Give whole seconds for a right: rounded up, and one more, since memcached ends the first second early."""
    return math.ceil(lease) + 1


def _owner(wire: bytes) -> bytes:
    return blake2b(wire, digest_size=16).digest()
