"""What an answer of `@Cache` tells the `CacheMiddleware` around its app, if there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.http.edge.note import note_in

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    Scope = MutableMapping[str, Any]

NO_TAGS = "its tags cannot be used"


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
