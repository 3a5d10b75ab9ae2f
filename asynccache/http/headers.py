"""Reading header fields as RFC 9110 and 9111 say; where a field is malformed, as the more careful reader would."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import TYPE_CHECKING

from asynccache.http.cache_control import delta_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Pair = tuple[bytes, bytes]

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_LONGEST_NUMBER = 19  # digits: more bytes than there are
_HOP_BY_HOP = frozenset({
    b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade",
    b"proxy-authenticate", b"proxy-authentication-info", b"proxy-authorization",
})  # fmt: skip  # RFC 9111 3.1


def lines_of(name: bytes, headers: Iterable[Pair]) -> list[bytes]:
    """Give the values of every line of a field, in order."""
    return [value for field, value in headers if field == name]


def grouped(headers: Iterable[Pair]) -> dict[bytes, list[bytes]]:
    """Give the values of every line, by the name of the field."""
    lines: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        lines.setdefault(name, []).append(value)
    return lines


def joined(name: bytes, headers: Iterable[Pair]) -> bytes | None:
    """Give a field's lines as one, joined by a comma and without outer white space; None where it is absent."""
    lines = lines_of(name, headers)
    return b",".join(line.strip() for line in lines) if lines else None


def split_list(lines: Iterable[bytes]) -> list[bytes]:
    """Split a field that is a comma-separated list of tokens."""
    return [member for member in (part.strip() for part in b",".join(lines).split(b",")) if member]


def vary_names(lines: Sequence[bytes]) -> frozenset[bytes] | None:
    """Give the lower-case field names of all Vary lines (RFC 9110 12.5.5).

    None where nothing matches it: one of them is `*`, or no name at all.
    """
    names = frozenset(name.lower() for name in split_list(lines)) if lines else frozenset()
    return names if b"*" not in names and all(map(_TOKEN.fullmatch, names)) else None


def end_to_end(headers: Iterable[Pair]) -> tuple[Pair, ...]:
    """Leave out the fields that are about one connection only (RFC 9111 3.1)."""
    headers = tuple(headers)
    lines = lines_of(b"connection", headers)
    listed = {name.lower() for name in split_list(lines)} if lines else ()
    return tuple(pair for pair in headers if pair[0] not in _HOP_BY_HOP and pair[0] not in listed)


def lowered(headers: Iterable[Iterable[bytes]]) -> list[Pair]:
    """Give the pairs of an ASGI message with lower-case names, whatever the application sent."""
    return [(bytes(name).lower(), bytes(value)) for name, value in headers]


def age_of(headers: Iterable[Pair]) -> int:
    """Give the seconds that a response was old when it came: the first member of its Age; 0 for none that is valid."""
    line = next((value for name, value in headers if name == b"age"), b"")
    return int(delta_seconds(line.partition(b",")[0].strip(b" \t")) or 0)


def content_length(lines: Sequence[bytes]) -> int | None:
    """Read the only line of Content-Length (RFC 9110 8.6); None for what is no number, or longer than any."""
    digits = lines[0].strip(b" \t") if len(lines) == 1 else b""
    return int(digits) if digits.isdigit() and len(digits) <= _LONGEST_NUMBER else None


def weak_etag(body: bytes) -> bytes:
    """Make an entity tag of a body; weak, since what stands outside may still compress it."""
    return b"W/" + strong_etag(body)


def strong_etag(body: bytes) -> bytes:
    """Make an entity tag of a body that nobody changes any more."""
    return b'"%s"' % blake2b(body, digest_size=12).hexdigest().encode()
