"""What is stored of a response that is whole: with a tag of our own, joined to what is there of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from asynccache.http.headers import strong_etag
from asynccache.http.rules import combined

if TYPE_CHECKING:
    from asynccache.http.stored import Stored


def with_etag(stored: Stored) -> Stored:
    """Give a response an entity tag, as its last field, where it is one with status 200 and has none."""
    if stored.status != 200 or any(name == b"etag" for name, _ in stored.headers):
        return stored
    return msgspec.structs.replace(stored, headers=(*stored.headers, (b"etag", strong_etag(stored.body))))


def joined_to(there: Stored | None, stored: Stored, max_body: int) -> Stored:
    """Join a part to what is there of the same representation, where that does not become too long (RFC 9111 3.4)."""
    whole = None if there is None or stored.span is None else combined(there, stored)
    return stored if whole is None or len(whole.body) > max_body else whole
