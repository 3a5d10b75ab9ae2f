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
from zlib import crc32

from msgspec import Struct

from asynccache.core.entry import Kind, Times

FORMAT = 1
INTEGER = 1
INT64 = range(-(2**63), 2**63)
_DIGITS = len(str(-(2**63)))
_HEAD = struct.Struct(">8sQQQQ")
_ENTRY = struct.Struct(_HEAD.format + "IIHH16s")  # format, kind and flags in one
_COMMON = struct.Struct(">8sQQ8s8s4sI4s16s")
_VALUE, _NONE = struct.pack(">I", FORMAT << 24), bytes(4)
_FLAGS = struct.Struct(">H")
_CRC = struct.Struct(">I")
HEAD_SIZE = _HEAD.size
PAYLOAD_OFFSET = _ENTRY.size
OWNER = slice(PAYLOAD_OFFSET - 16, PAYLOAD_OFFSET)
"""Where the key's hash is."""
FRESH = slice(24, 32)
DEAD = slice(32, 40)
"""Where the two ends are; as numbers without a sign, they compare as their bytes do."""
_SORTS = {FORMAT << 24 | kind << 16: (kind, 0) for kind in Kind} | {FORMAT << 24 | INTEGER: (Kind.VALUE, INTEGER)}
"""What the first four bytes of a body may say: kind and flags, of the one format that there is."""
_MAX_U32 = 2**32 - 1


class DamagedEntryError(Exception):
    """These bytes are no entry of ours: cut, flipped, foreign or of another format."""


class MixedUpEntryError(DamagedEntryError):
    """This entry was stored under another key: the reply belongs to somebody else."""


class Frame(Struct, frozen=True, gc=False):
    """An entry as a store holds it: written at `at_us`, dead `lifetime_ms` later (0: never).

    The last `stale_ms` of its lifetime it is over, and of use to read-throughs only; a counter has none of these.
    `owner` is the hash of the key under which it was found.
    """

    payload: bytes
    kind: Kind = Kind.VALUE
    flags: int = 0
    load_ms: int = 0
    at_us: int = 0
    lifetime_ms: int = 0
    stale_ms: int = 0
    cells: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    gen: bytes = b"\0" * 8
    born: int = 0
    owner: bytes = b""

    def __repr__(self) -> str:
        return f"<Frame {self.kind.name}, {len(self.payload)} bytes>"

    def remaining(self, now: float) -> float:
        """Give the seconds it has left at `now` (seconds of the writer's clock); `math.inf` where it never expires."""
        return self.times.dead_at - now

    @property
    def times(self) -> Times:
        """When it was written, when it is over for all but read-throughs, and when for these (`math.inf`: never)."""
        return _times(self.at_us, self.lifetime_ms, self.stale_ms)


def common_times(raw: bytes, at_us: int) -> Times:
    """Give the times of an entry that `common` has read, as a frame has them."""
    return _times(at_us, int.from_bytes(raw[DEAD]), 0)


def _times(at_us: int, lifetime_ms: int, stale_ms: int) -> Times:
    written_at = at_us / 1e6
    dead_at = written_at + lifetime_ms / 1e3 if lifetime_ms else math.inf
    return Times(written_at, dead_at - stale_ms / 1e3, dead_at)


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
    return len(raw) >= PAYLOAD_OFFSET and bool(_FLAGS.unpack_from(raw, HEAD_SIZE + 2)[0] & INTEGER)


def is_kept(head: bytes) -> bool:
    """Tell whether this is the head of an entry that is kept beyond its end."""
    return len(head) >= HEAD_SIZE and head[FRESH] < head[DEAD]


def encode(frame: Frame, key_hash: bytes) -> bytes:
    """Give the bytes of an entry that is to be stored under the key of this hash."""
    tags = "\0".join(frame.tags).encode("utf-8", "surrogatepass") if frame.tags else b""
    raw = b"".join(
        [
            _ENTRY.pack(
                frame.gen,
                frame.born,
                frame.at_us,
                frame.lifetime_ms - frame.stale_ms,
                frame.lifetime_ms,
                FORMAT << 24 | frame.kind << 16 | frame.flags,
                min(frame.load_ms, _MAX_U32),
                len(frame.cells),
                len(tags),
                key_hash,
            ),
            struct.pack(f">{len(frame.cells)}H", *frame.cells) if frame.cells else b"",
            tags,
            frame.payload,
        ]
    )
    return raw if frame.flags & INTEGER else raw + _CRC.pack(crc32(memoryview(raw)[HEAD_SIZE:]))


def decode(raw: bytes, key_hash: bytes) -> Frame:
    """Read an entry; `MixedUpEntryError` when it is another key's, `DamagedEntryError` when it is no entry."""
    if len(raw) < PAYLOAD_OFFSET:
        raise DamagedEntryError(f"{len(raw)} bytes are too few for an entry")
    gen, born, at_us, fresh_ms, lifetime_ms, sort, load_ms, ncells, tags_size, owner = _ENTRY.unpack_from(raw)
    if sort not in _SORTS:
        raise DamagedEntryError(f"format, kind and flags {sort:#010x} are not known here")
    kind, flags = _SORTS[sort]
    end = len(raw)
    if not flags:
        end -= _CRC.size
        if crc32(memoryview(raw)[HEAD_SIZE:end]) != _CRC.unpack_from(raw, end)[0]:
            raise DamagedEntryError("the checksum does not fit")
    if owner != key_hash:
        raise MixedUpEntryError("this entry was stored under another key")
    tags_at = PAYLOAD_OFFSET + 2 * ncells
    payload_at = tags_at + tags_size
    if payload_at > end:
        raise DamagedEntryError("the entry is shorter than it says")
    payload = raw[payload_at:end]
    if flags:
        integer_of(payload)
    return Frame(
        payload,
        kind,
        flags,
        load_ms,
        at_us,
        lifetime_ms,
        lifetime_ms - fresh_ms if fresh_ms < lifetime_ms else 0,
        struct.unpack_from(f">{ncells}H", raw, PAYLOAD_OFFSET) if ncells else (),
        _names(raw[tags_at:payload_at]) if tags_size else (),
        gen,
        born,
        owner,
    )


def common(raw: bytes, key_hash: bytes) -> tuple[bytes, bytes, int, int, int] | None:
    """Read the commonest entry: a value, no counter, without tags and not kept beyond its end.

    That is most of what plain reads find, and takes half as long as `decode`, which tells all else: None.

    Returns: payload, `gen`, `born`, `load_ms` and `at_us`, as a frame has them.
    """
    if len(raw) < PAYLOAD_OFFSET + 4:
        return None
    gen, born, at_us, fresh, dead, sort, load_ms, counts, owner = _COMMON.unpack_from(raw)
    if sort != _VALUE or counts != _NONE or fresh != dead or owner != key_hash:
        return None
    if crc32(raw[HEAD_SIZE:-4]).to_bytes(4) != raw[-4:]:
        return None
    return raw[PAYLOAD_OFFSET:-4], gen, born, load_ms, at_us


def _names(tags: bytes) -> tuple[str, ...]:
    try:
        return tuple(tags.decode("utf-8", "surrogatepass").split("\0"))
    except UnicodeDecodeError as error:
        raise DamagedEntryError("the tags are no text") from error
