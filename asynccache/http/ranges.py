"""Byte ranges (RFC 9110 14): one of them is understood; what is anything else asks for the whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asynccache.http.stored import Span

if TYPE_CHECKING:
    from collections.abc import Sequence

_ASKED = re.compile(rb"[ \t]*bytes=[ \t,]*(?:([0-9]+)-([0-9]*)|-([0-9]+))[ \t]*(?:,[ \t,]*)?", re.IGNORECASE)
_GIVEN = re.compile(rb"bytes ([0-9]+)-([0-9]+)/(?:([0-9]+)|\*)", re.IGNORECASE)
_MANY = 18  # digits
_TOO_MUCH = 10**_MANY  # bytes: more than there are anywhere


class Unsatisfiable:
    """Nothing of the representation lies within the range: 416."""

    __slots__ = ()


UNSATISFIABLE = Unsatisfiable()


def requested(lines: Sequence[bytes], size: int | None) -> Span | Unsatisfiable | None:
    """Give what a Range field asks for of a representation of `size` bytes (RFC 9110 14.1.2, 14.2).

    None where the field means nothing: it is absent or malformed, its unit is another, or it asks for several ranges,
    or for the end of what has no byte, or of what nobody knows the length of.
    """
    found = _ASKED.fullmatch(lines[0]) if len(lines) == 1 else None
    if found is None:
        return None
    if found[3] is not None:
        return _suffix(_number(found[3]), size)
    first, last = _number(found[1]), _number(found[2]) if found[2] else None
    if last is not None and last < first:
        return None
    if size is None:
        return None if last is None else Span(first, last, None)
    if first >= size:
        return UNSATISFIABLE
    return Span(first, size - 1 if last is None else min(last, size - 1), size)


def _suffix(length: int, size: int | None) -> Span | Unsatisfiable | None:
    if length == 0:
        return UNSATISFIABLE
    return Span(max(0, size - length), size - 1, size) if size else None


def _number(digits: bytes) -> int:
    digits = digits.lstrip(b"0")
    return int(digits or b"0") if len(digits) <= _MANY else _TOO_MUCH


def content_range(line: bytes) -> Span | None:
    """Read a Content-Range; None for one that is malformed, of another unit or of no range (RFC 9110 14.4)."""
    found = _GIVEN.fullmatch(line.strip(b" \t"))
    if found is None:
        return None
    first, last = _number(found[1]), _number(found[2])
    size = None if found[3] is None else _number(found[3])
    if not first <= last < (_TOO_MUCH if size is None else size) or size == _TOO_MUCH:
        return None
    return Span(first, last, size)


def written(span: Span) -> bytes:
    """Write the Content-Range of a part (RFC 9110 14.4)."""
    return b"bytes %d-%d/%s" % (span.first, span.last, b"*" if span.size is None else b"%d" % span.size)


def written_unsatisfied(size: int) -> bytes:
    """Write the Content-Range of 416 (RFC 9110 15.5.17)."""
    return b"bytes */%d" % size
