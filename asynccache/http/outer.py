"""What an answer of `@Cache` tells those further out: caches between it and the client, and a `CacheMiddleware`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.http.carried import is_nobodys
from asynccache.http.edge.note import note_in
from asynccache.http.snapshot import EMPTY_SESSION

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from asynccache.http.headers import Pair
    from asynccache.http.snapshot import Record

    Scope = MutableMapping[str, Any]

NO_TAGS = "its tags cannot be used"


def is_told(scope: Scope, headers: Iterable[Pair], record: Record) -> bool:
    """Tell whether the answer says for how long this page is good, so that others give it to whoever asks."""
    return bool(record.control) and not is_for_nobody(scope, record) and is_nobodys(scope, headers)


def is_for_nobody(scope: Scope, record: Record) -> bool:
    """Tell whether others may be logged in where this page is made, and get another one: caches know nothing of that.

    That nobody was logged in cannot be seen to be read, and the session was.
    """
    return "user" in scope or "auth" in scope or bool(record.conditions & EMPTY_SESSION and "session" in scope)


def tell_tags(scope: Scope, tags: Iterable[str]) -> None:
    """Let what is stored of this answer go with these tags; with what are no tags it is not to be stored."""
    note = note_in(scope)
    if note is not None:
        try:
            note.add_tags(tags)
        except (TypeError, ValueError):
            note.forbid(NO_TAGS)


def forbid(scope: Scope, why: str) -> None:
    """Keep this answer from being stored."""
    note = note_in(scope)
    if note is not None:
        note.forbid(why)
