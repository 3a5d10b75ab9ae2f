"""What a store gives back: an entry, or nothing. A cached `None` is an entry."""

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class Kind(IntEnum):
    """What an entry holds; a reader of one kind sees the others as misses."""

    VALUE = 0
    PAGE = 1
    MARKER = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored value with what is known of its load.

    `load_seconds` is what the load took (0 where nobody measured), `tags` are those it was stored with.
    """

    value: Any = field(repr=False)
    load_seconds: float = 0.0
    tags: tuple[str, ...] = ()
