"""What a store gives back: an entry, or nothing. A cached `None` is an entry."""

from __future__ import annotations

from enum import IntEnum
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from collections.abc import Callable


class Kind(IntEnum):
    """What an entry holds; a reader of one kind sees the others as misses."""

    VALUE = 0
    PAGE = 1
    MARKER = 2


objects: dict[Kind, Callable[[bytes], Any]] = {}
"""What makes the object that the readers of a kind use of its bytes, where they have said so: it is kept in memory."""


class Times(NamedTuple):
    """When an entry was written, when it ends, and when it stops being of use even as a stale value.

    Seconds of the backend's clock.
    """

    written_at: float
    fresh_until: float
    dead_at: float


ALWAYS = Times(-inf, inf, inf)
"""Where a store does not say: it was always there and never ends."""


class Entry(Struct, frozen=True):
    """A stored value with what is known of its load.

    `load_seconds` is what the load took (0 where nobody measured), `tags` are those it was stored with, `times` are
    known to read-throughs that ask for them. `at` tells this copy from a later one of the same key (0: nobody knows).
    """

    value: Any
    load_seconds: float = 0.0
    tags: tuple[str, ...] = ()
    times: Times = ALWAYS
    at: int = 0

    def __repr__(self) -> str:
        return f"<Entry tags={self.tags} times={self.times} at={self.at}>"

    def moved(self, seconds: float) -> Entry:
        """Give the same entry for a clock that is so many seconds ahead."""
        return replace(self, times=Times(*[moment + seconds for moment in self.times]))
