"""What of a request is compared where a response names fields in Vary (RFC 9111 4.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asynccache.http.headers import Pair

_SPACE = b" \t"
_LANGUAGES = frozenset({b"accept-language", b"content-language"})
_OPAQUE = (b'"', b"(", b"\\")


def vary_values(headers: Iterable[Pair], names: tuple[bytes, ...]) -> tuple[bytes | None, ...]:
    """Give the values of these fields in the form in which they are compared; None for an absent one.

    Lines are joined by commas, and white space beside these does not count, unless a comma may be within a quoted
    string or a comment. The case of language tags does not count, either (RFC 5646 2.1.1).
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            line = value.strip(_SPACE)
            found[name] = found[name] + b"," + line if name in found else line
    if not found:
        return (None,) * len(names)
    return tuple(_compared(name, found.get(name)) for name in names)


def _compared(name: bytes, value: bytes | None) -> bytes | None:
    if value is None:
        return None
    if name in _LANGUAGES:
        value = value.lower()
    if b"," not in value or any(mark in value for mark in _OPAQUE):
        return value
    return b",".join([member.strip(_SPACE) for member in value.split(b",")])
