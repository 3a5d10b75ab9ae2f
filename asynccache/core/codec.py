"""The bytes of an entry in a store: a head that stores may rewrite, then a sealed body.

    head   gen 8 | born u64 | at u64 | fresh_ms u64 | dead_ms u64                                   40 bytes
    body   format u8 | kind u8 | flags u16 | load_ms u32 | ncells u16 | tags u16 | key hash 16      28 bytes
           cells u16 .. | tags, NUL between | payload | crc32 of the body up to here

All numbers are big-endian. `gen` and `born` say where it comes from in the order of its store (`core/fence.py`); they
are zero until the store writes them. `at` is when it was written, in
microseconds of the writer's clock, and decides nothing where the store itself expires entries, except for one whose
`fresh_ms` is less than its `dead_ms`: that is kept beyond its end, as a stale value for read-throughs. A counter's
payload is its decimal text, written twice with a blank between, and it has no crc: a store's script can rewrite it, and
damage shows all the same.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from zlib import crc32

from asynccache.core.entry import Kind

FORMAT = 1
INTEGER = 1
INT64 = range(-(2**63), 2**63)
_DIGITS = len(str(-(2**63)))
_HEAD = struct.Struct(">8sQQQQ")
_BODY = struct.Struct(">BBHIHH16s")
_CRC = struct.Struct(">I")
HEAD_SIZE = _HEAD.size
PAYLOAD_OFFSET = _HEAD.size + _BODY.size
OWNER = slice(PAYLOAD_OFFSET - 16, PAYLOAD_OFFSET)
"""Where the key's hash is."""
FRESH = slice(24, 32)
DEAD = slice(32, 40)
"""Where the two ends are; as numbers without a sign, they compare as their bytes do."""
_KINDS = {int(kind): kind for kind in Kind}
_MAX_U32 = 2**32 - 1


class DamagedEntryError(Exception):
    """These bytes are no entry of ours: cut, flipped, foreign or of another format."""


class MixedUpEntryError(DamagedEntryError):
    """This entry was stored under another key: the reply belongs to somebody else."""


@dataclass(frozen=True, slots=True)
class Frame:
    """An entry as a store holds it: written at `at_us`, dead `lifetime_ms` later (0: never).

    The last `stale_ms` of its lifetime it is over, and of use to read-throughs only; a counter has none of these.
    `owner` is the hash of the key under which it was found.
    """

    payload: bytes = field(repr=False)
    kind: Kind = Kind.VALUE
    flags: int = 0
    load_ms: int = 0
    at_us: int = 0
    lifetime_ms: int = 0
    stale_ms: int = 0
    cells: Sequence[int] = ()
    tags: tuple[str, ...] = ()
    gen: bytes = b"\0" * 8
    born: int = 0
    owner: bytes = field(default=b"", compare=False)

    def remaining(self, now: float) -> float:
        """Give the seconds it has left at `now` (seconds of the writer's clock); `math.inf` where it never expires."""
        return self.dead_at - now

    @property
    def written_at(self) -> float:
        """Seconds of the writer's clock."""
        return self.at_us / 1e6

    @property
    def fresh_until(self) -> float:
        """When it is over for all but read-throughs."""
        return self.dead_at - self.stale_ms / 1e3

    @property
    def dead_at(self) -> float:
        """When it is over; `math.inf`: never."""
        return (self.at_us / 1e6) + (self.lifetime_ms / 1e3) if self.lifetime_ms else math.inf


def integer_payload(number: int) -> bytes:
    """Write a counter so that scripts can add to it and readers see damage."""
    return b"%d %d" % (number, number)


def integer_of(payload: bytes) -> int:
    """Read a counter; `DamagedEntryError` where its two copies differ, or it is no number of 64 bits."""
    first, _, second = payload.partition(b" ")
    if first != second or not first.removeprefix(b"-").isdigit() or len(first) > _DIGITS or int(first) not in INT64:
        raise DamagedEntryError("this is no counter, or its two copies differ")
    return int(first)


def is_counter(raw: bytes) -> bool:
    """Tell whether these are the bytes of a counter, without reading all of them."""
    return len(raw) >= PAYLOAD_OFFSET and bool(_BODY.unpack_from(raw, HEAD_SIZE)[2] & INTEGER)


def is_kept(head: bytes) -> bool:
    """Tell whether this is the head of an entry that is kept beyond its end."""
    return len(head) >= HEAD_SIZE and head[FRESH] < head[DEAD]


def encode(frame: Frame, key_hash: bytes) -> bytes:
    """Give the bytes of an entry that is to be stored under the key of this hash."""
    tags = "\0".join(frame.tags).encode("utf-8", "surrogatepass")
    head = _HEAD.pack(frame.gen, frame.born, frame.at_us, frame.lifetime_ms - frame.stale_ms, frame.lifetime_ms)
    load_ms = min(frame.load_ms, _MAX_U32)
    body = b"".join(
        [
            _BODY.pack(FORMAT, frame.kind, frame.flags, load_ms, len(frame.cells), len(tags), key_hash),
            struct.pack(f">{len(frame.cells)}H", *frame.cells),
            tags,
            frame.payload,
        ]
    )
    return head + body if frame.flags & INTEGER else b"".join([head, body, _CRC.pack(crc32(body))])


def decode(raw: bytes, key_hash: bytes) -> Frame:
    """Read an entry; `MixedUpEntryError` when it is another key's, `DamagedEntryError` when it is no entry."""
    if len(raw) < PAYLOAD_OFFSET:
        raise DamagedEntryError(f"{len(raw)} bytes are too few for an entry")
    form, kind, flags, load_ms, ncells, tags_size, owner = _BODY.unpack_from(raw, HEAD_SIZE)
    if form != FORMAT or kind not in _KINDS or flags & ~INTEGER or (flags & INTEGER and kind != Kind.VALUE):
        raise DamagedEntryError(f"format {form}, kind {kind}, flags {flags} are not known here")
    end = len(raw) if flags & INTEGER else len(raw) - _CRC.size
    if not flags & INTEGER and crc32(memoryview(raw)[HEAD_SIZE:end]) != _CRC.unpack_from(raw, end)[0]:
        raise DamagedEntryError("the checksum does not fit")
    if owner != key_hash:
        raise MixedUpEntryError("this entry was stored under another key")
    tags_at = PAYLOAD_OFFSET + 2 * ncells
    payload_at = tags_at + tags_size
    if payload_at > end:
        raise DamagedEntryError("the entry is shorter than it says")
    gen, born, at_us, fresh_ms, lifetime_ms = _HEAD.unpack_from(raw)
    if flags & INTEGER:
        integer_of(raw[payload_at:end])
    try:
        names = raw[tags_at:payload_at].decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise DamagedEntryError("the tags are no text") from error
    return Frame(
        payload=raw[payload_at:end],
        kind=_KINDS[kind],
        flags=flags,
        load_ms=load_ms,
        at_us=at_us,
        lifetime_ms=lifetime_ms,
        stale_ms=lifetime_ms - fresh_ms if fresh_ms < lifetime_ms else 0,
        cells=struct.unpack_from(f">{ncells}H", raw, PAYLOAD_OFFSET),
        tags=tuple(names.split("\0")) if names else (),
        gen=gen,
        born=born,
        owner=owner,
    )
