"""How entries travel to Replit's key-value store: keys that are safe in a URL, values that are text, and its limits."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64Error
from hashlib import blake2b

from asynccache.core.keys import to_bytes

LONGEST_KEY = 1000
LARGEST_VALUE = 5 * 1024 * 1024
"""Bytes of text, which is 3.75 MiB of ours: https://docs.replit.com/storage-and-databases."""
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:-")
_CUT = "__"
"""Stands before a digest, and nowhere else: an escape is `_` and two digits."""
_WHOLE = re.compile(rb"(?:[A-Za-z0-9:-]|_[0-9A-F]{2})*")


def wire_key(stored_key: str) -> str:
    """Give a key of `A-Z a-z 0-9 _ : -` that no other stored key has; those too long keep a head and get a digest.

    A dot is escaped like anything else: as `..` it would lead out of the path that proves who asks.
    """
    raw = to_bytes(stored_key)
    key = wire_prefix(stored_key)
    if len(key) <= LONGEST_KEY:
        return key
    digest = blake2b(raw, digest_size=32).hexdigest()
    return f"{key[: LONGEST_KEY - len(_CUT) - len(digest)]}{_CUT}{digest}"


def wire_prefix(text: str) -> str:
    """Give what the wire keys of all stored keys with this beginning begin with."""
    return "".join(chr(byte) if byte in _PLAIN else f"_{byte:02X}" for byte in to_bytes(text))


def stored_key_of(key: str) -> str | None:
    """Give back the stored key; None for one that was too long, or is none of ours."""
    raw = key.encode()
    if not _WHOLE.fullmatch(raw):
        return None
    parts = re.sub(rb"_([0-9A-F]{2})", lambda escape: bytes.fromhex(escape[1].decode()), raw)
    try:
        return parts.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return None


def to_text(raw: bytes) -> str:
    """Give bytes as text that needs no escaping in a form."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def of_text(text: bytes) -> bytes:
    """Give the bytes back; none where somebody else wrote the text, which is then held to be damaged."""
    try:
        return urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except NoBase64Error:
        return b""
