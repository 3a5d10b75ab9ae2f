"""What most entries are - a value without tags that is over at its end - read in one go, by `codec.py`'s layout.

It says yes or nothing: what is anything else, or damaged, or somebody else's, is for `codec.decode` to tell.
"""

import struct
from hashlib import blake2b
from zlib import crc32

from asynccache.core.codec import FORMAT, HEAD_SIZE, PAYLOAD_OFFSET
from asynccache.core.entry import Kind

_PARTS = struct.Struct(">8sQ8xQQ4s4x20s")
_VALUE = bytes([FORMAT, Kind.VALUE, 0, 0])
_UNTAGGED = bytes(4)
_CRC_SIZE = 4
_SHORTEST = PAYLOAD_OFFSET + _CRC_SIZE
_EMPTY = blake2b(digest_size=16)


def owner_of(stored_key: bytes) -> bytes:
    """Give the 16 bytes by which an entry knows its key, which is `keys.key_hash` of what is encoded already."""
    hashed = _EMPTY.copy()  # quicker than to make one
    hashed.update(stored_key)
    return hashed.digest()


def plain_payload(raw: bytes, owner: bytes, gen: bytes, floor: int) -> bytes | None:
    """Give the payload of the entry of the key with the hash `owner`, of this generation and born no earlier.

    None where it is not known to be that: not whole, of another kind, tagged, or kept beyond its end.
    """
    if len(raw) < _SHORTEST:
        return None
    of_gen, born, fresh_ms, dead_ms, form, rest = _PARTS.unpack_from(raw)
    if (
        of_gen == gen
        and born >= floor
        and fresh_ms == dead_ms
        and form == _VALUE
        and rest == _UNTAGGED + owner
        and crc32(raw[HEAD_SIZE:-_CRC_SIZE]).to_bytes(_CRC_SIZE) == raw[-_CRC_SIZE:]
    ):
        return raw[PAYLOAD_OFFSET:-_CRC_SIZE]
    return None
