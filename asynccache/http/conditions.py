"""Preconditions, as a cache evaluates them for what it has stored (RFC 9110 13, RFC 9111 4.3.2)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asynccache.http.dates import single_date
from asynccache.http.headers import Pair, lines_of

if TYPE_CHECKING:
    from collections.abc import Sequence

CONDITIONAL_STATUSES = frozenset({200, 203})  # of the 2xx that RFC 9110 13.2.1 means, those with a whole representation
NOT_MODIFIED_FIELDS = frozenset({
    b"etag", b"date", b"cache-control", b"content-location", b"expires", b"vary",
})  # fmt: skip  # RFC 9110 15.4.5

_TAG = rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_ENTITY_TAG = re.compile(_TAG)
_ENTITY_TAGS = re.compile(rb"[ \t,]*(?:" + _TAG + rb"[ \t]*(?:,[ \t,]*|\Z))*")


def entity_tag(lines: Sequence[bytes]) -> bytes | None:
    """Give the entity tag in the lines of an ETag field; None where there is not exactly one (RFC 9110 8.8.3)."""
    tag = lines[0].strip(b" \t") if len(lines) == 1 else b""
    return tag if _ENTITY_TAG.fullmatch(tag) else None


def entity_tags(lines: Sequence[bytes]) -> list[bytes]:
    """Give the entity tags in a list of them; none where it is malformed (RFC 9110 13.1.2)."""
    line = b",".join(lines)
    return _ENTITY_TAG.findall(line) if _ENTITY_TAGS.fullmatch(line) else []


def is_strong(tag: bytes) -> bool:
    """Tell whether an entity tag is a strong one (RFC 9110 8.8.1)."""
    return not tag.startswith(b"W/")


def is_same(one: bytes, other: bytes, *, strongly: bool = False) -> bool:
    """Compare two entity tags (RFC 9110 8.8.3.2)."""
    if strongly:
        return one == other and is_strong(one)
    return one.removeprefix(b"W/") == other.removeprefix(b"W/")


def matches(if_none_match: Sequence[bytes], tag: bytes | None) -> bool:
    """Tell whether If-None-Match names this entity tag, or `*` (RFC 9110 13.1.2)."""
    line = b",".join(if_none_match).strip(b" \t")
    if line in {b"*", tag}:
        return True
    return tag is not None and any(is_same(tag, named) for named in entity_tags(if_none_match))


def is_not_modified(
    headers: Sequence[Pair], received_at: float, if_none_match: Sequence[bytes], if_modified_since: Sequence[bytes]
) -> bool:
    """Tell whether 304 answers a conditional GET or HEAD, by what is stored of a 200 (RFC 9111 4.3.2).

    Args:
        headers: of what is stored.
        received_at: when that came, in seconds since 1970.
        if_none_match: the lines of that field; they count alone where there are any.
        if_modified_since: likewise; anything but one date means nothing.
    """
    if if_none_match:
        return matches(if_none_match, entity_tag(lines_of(b"etag", headers)))
    since = single_date(if_modified_since, received_at)
    return since is not None and _modified(headers, received_at) <= since


def _modified(headers: Sequence[Pair], received_at: float) -> float:
    """Give when it was last modified: Last-Modified, else Date, else when it was received (RFC 9111 4.3.2)."""
    for field in (b"last-modified", b"date"):
        moment = single_date(lines_of(field, headers), received_at)
        if moment is not None:
            return moment
    return received_at


def if_range_holds(headers: Sequence[Pair], received_at: float, if_range: Sequence[bytes]) -> bool:
    """Tell whether a part may be sent, as far as If-Range says (RFC 9110 13.1.5).

    An entity tag is compared strongly. A date is to be that of Last-Modified, and this at least a second before Date,
    or before the receipt: else it does not tell one state from another (RFC 9110 8.8.2.2).
    """
    if not if_range:
        return True
    tag = entity_tag(if_range)
    if tag is not None:
        own = entity_tag(lines_of(b"etag", headers))
        return own is not None and is_same(tag, own, strongly=True)
    asked = single_date(if_range, received_at)
    modified = single_date(lines_of(b"last-modified", headers), received_at)
    made = single_date(lines_of(b"date", headers), received_at)
    return asked is not None and asked == modified and modified + 1 <= (received_at if made is None else made)
