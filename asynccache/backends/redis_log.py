"""What the log of a part says: events, each of which names its predecessor, so that a hole is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.followed import At, Batch, Hole
from asynccache.core.fence import CLEAR, KEYS, NOTHING, TAGS, WAKE, Change, follows, has_hole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.core.fence import Notebook

_KINDS = {b"k": KEYS, b"w": WAKE, b"t": TAGS, b"c": CLEAR}


def step_of(book: Notebook, place: At | None, log: Any) -> Batch | Hole:
    """Tell what happened since a place, by the notebook and by what was read of the log (XREAD) just after it."""
    now = At(book.view, book.seq)
    if place is None or place.view != book.view:
        return Hole(now)
    changes: list[Change] = []
    position = place.position
    for event in log[0][1] if isinstance(log, list) else ():
        change = change_of(*event)
        if not follows(change, position):
            return Hole(now)
        changes.append(change)
        position = change.stamp
    if not changes and has_hole(book.seq, position):
        return Hole(now)
    return Batch(tuple(changes), At(book.view, position), is_all=position >= book.seq)


def change_of(name: bytes, fields: Sequence[bytes]) -> Change:
    """Read an event."""
    prev, kind, *_ = fields[1:]
    what: tuple[str, ...] | tuple[int, ...] = ()
    match known := _KINDS.get(kind, NOTHING):
        case "keys" | "wake":
            what = tuple(field.decode("utf-8", "surrogatepass") for field in fields[3::2])
        case "tags":
            what = tuple(int(cell) for cell in fields[3].split())
    return Change(int(name.partition(b"-")[0]), int(prev), known, what)
