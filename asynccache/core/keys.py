"""How a user's key becomes a stored one: `prefix:version:key`, so that no two triples ever meet."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

Version = str | int | None
ESCAPES = {ord(char): f"%{ord(char):02X}" for char in ":%~{}"}
MEMCACHED_LIMIT = 250
DIGESTED = "~"
_PLAIN = bytes(range(0x21, 0x7F))
_HASH16 = blake2b(digest_size=16)


def escape(part: str) -> str:
    """Percent-encode the characters that have a meaning in a stored key (`: % ~ { }`)."""
    return part.translate(ESCAPES)


def namespace(prefix: str, version: str | int) -> str:
    """Give the head of every stored key of one prefix and version, colon included."""
    return f"{escape(prefix)}:{escape(str(version))}:"


def checked(key: object) -> str:
    """Return a key that is a `str`; anything else is a `TypeError`."""
    if isinstance(key, str):
        return key
    raise TypeError(f"a key is a str, not {type(key).__name__}: {key!r:.80}")


def several(keys: Iterable[str]) -> tuple[str, ...]:
    """Return several keys; a bare `str` is a `TypeError`, since its letters are not what was meant."""
    if isinstance(keys, str):
        raise TypeError(f"keys={keys!r:.80} is one key: give a list of keys")
    return tuple(keys)


def mapped(values: object) -> Mapping[str, Any]:
    """Return values by their keys; what is no mapping is a `TypeError`."""
    if isinstance(values, Mapping):
        return values
    raise TypeError(f"values are a mapping of keys to values, not a {type(values).__name__}")


def to_bytes(stored_key: str) -> bytes:
    """Encode a stored key for the wire; lone surrogates keep their own bytes."""
    return stored_key.encode("utf-8", "surrogatepass")


def key_hash(stored_key: str) -> bytes:
    """Give the 16 bytes by which an entry knows the key it was stored under."""
    return hash_of(to_bytes(stored_key))


def hash_of(raw_key: bytes) -> bytes:
    """Give the same for a stored key in bytes."""
    hashed = _HASH16.copy()  # half the cost of a new one
    hashed.update(raw_key)
    return hashed.digest()


def memcached_key(stored_key: str, limit: int = MEMCACHED_LIMIT) -> bytes:
    """Give a key that memcached can hold: itself, or a readable head and a BLAKE2b digest, 186 bytes at most.

    The digested form begins with `~`, which no plain stored key does, since prefixes are escaped.
    """
    raw = to_bytes(stored_key)
    if len(raw) <= limit and not raw.translate(None, _PLAIN):
        return raw
    return _digested(stored_key, raw)


def bounded_key(stored_key: str, limit: int) -> bytes:
    """Give a key of at most so many bytes (above 190): itself, or as in `memcached_key` a head and a digest."""
    raw = to_bytes(stored_key)
    return raw if len(raw) <= limit else _digested(stored_key, raw)


def _digested(stored_key: str, raw: bytes) -> bytes:
    head = "".join(char if "!" <= char <= "~" else "_" for char in stored_key[:120])
    return f"{DIGESTED}{head}{DIGESTED}{blake2b(raw, digest_size=32).hexdigest()}".encode("ascii")
