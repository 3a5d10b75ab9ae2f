"""Structured fields (RFC 9651): dictionaries and lists, read strictly; and what is made of them here."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asynccache.http.cache_control import CacheControl
from asynccache.http.structured_text import InvalidFieldError, Item, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def dictionary(lines: Sequence[bytes]) -> dict[str, Item] | None:
    """Read a field that is a dictionary; None for one that is not, {} for an empty one.

    Of members with the same key the last one counts (RFC 9651 4.2.2).
    """
    return _read(lines, Reader.dictionary)


def items(lines: Sequence[bytes]) -> list[Item] | None:
    """Read a field that is a list; None for one that is not (RFC 9651 4.2.1)."""
    return _read(lines, Reader.items)


def targeted(lines: Sequence[bytes]) -> CacheControl | None:
    """Read a targeted field (RFC 9213 2.1); None for one that counts as absent: invalid, or without a usable member.

    Members whose value is of another type than the directive's are not used; parameters mean nothing.
    """
    members = dictionary(lines) or {}
    said = {key: member.value for key, member in members.items() if _is_usable(key, member)}
    if not said:
        return None
    return CacheControl((key.encode(), None if value is True else str(value).encode()) for key, value in said.items())


def groups(lines: Sequence[bytes]) -> tuple[str, ...]:
    """Read Cache-Groups or Cache-Group-Invalidation (RFC 9875 2); nothing where it is no list of strings."""
    members = items(lines) or []
    names = [member.value for member in members if type(member.value) is str]
    return tuple(dict.fromkeys(names)) if len(names) == len(members) else ()


_SECONDS = frozenset({"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"})
_LISTS = frozenset({"no-cache", "private"})
_BARE = frozenset({
    "immutable", "must-revalidate", "must-understand", "no-store", "no-transform", "proxy-revalidate", "public",
})  # fmt: skip


def _is_usable(key: str, member: Item) -> bool:
    value = member.value
    if key in _SECONDS:
        return type(value) is int and value >= 0
    if key in _BARE:
        return value is True
    return value is True or type(value) is str if key in _LISTS else True


def _read(lines: Sequence[bytes], read: Callable[[Reader], T]) -> T | None:
    """Read all lines as one (RFC 9651 4.2)."""
    try:
        return read(Reader(b",".join(lines).decode("ascii")))
    except (InvalidFieldError, UnicodeDecodeError):
        return None
