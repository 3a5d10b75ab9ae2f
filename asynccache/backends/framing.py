"""How values become framed entries, and entries values: what backends over bytes share, without waiting."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.counters import counted
from asynccache.core.entry import Kind
from asynccache.core.fence import Birth, cells_of
from asynccache.core.keys import key_hash, to_bytes
from asynccache.core.lifetime import FOREVER, milliseconds
from asynccache.errors import SerializationError
from asynccache.model import BaseCacheBackend

_MOST_CELLS = 2_000
_MOST_BYTES = 65_535


class FramedBackend(BaseCacheBackend):
    """A backend whose entries are bytes that know their key, their kind and their lifetime."""

    def _encoded(
        self,
        stored_key: str,
        value: Any,
        ttl: float,
        kind: Kind,
        stale: float = 0.0,
        tags: tuple[str, ...] = (),
    ) -> bytes:
        serializer = self.serializer.bound(key_hash(stored_key))
        if kind is not Kind.VALUE:
            frame = Frame(serializer.wrap(bytes(value)), kind)
        elif type(value) is int and value in codec.INT64 and not stale:
            frame = Frame(codec.integer_payload(value), kind, codec.INTEGER)
        else:
            frame = Frame(serializer.dumps(value), kind)
        if tags:
            birth = self.fence.birth(_cells(tags))
            frame = replace(frame, tags=tags, gen=birth.gen, born=birth.born, cells=birth.cells)
        return self._stamped(frame, stored_key, ttl, stale)

    def _stamped(self, frame: Frame, stored_key: str, ttl: float, stale: float = 0.0) -> bytes:
        """Give the bytes of a frame that is written now, lives for `ttl` seconds, and is kept for `stale` more."""
        return codec.encode(
            replace(
                frame,
                at_us=int(self.clock() * 1e6),
                lifetime_ms=0 if ttl == FOREVER else milliseconds(ttl + stale),
                stale_ms=0 if ttl == FOREVER else math.floor(stale * 1000),
            ),
            key_hash(stored_key),
        )

    def _is_current(self, frame: Frame) -> bool:
        """Tell whether no tag of this entry was invalidated since it was loaded."""
        return not frame.cells or self.fence.allows(Birth(frame.gen, frame.born, tuple(frame.cells)))

    def _value(self, frame: Frame) -> Any:
        if frame.flags & codec.INTEGER:
            return codec.integer_of(frame.payload)
        serializer = self.serializer.bound(frame.owner)
        return (serializer.loads if frame.kind is Kind.VALUE else serializer.unwrap)(frame.payload)


def _cells(tags: tuple[str, ...]) -> tuple[int, ...]:
    cells = cells_of(tags)
    if len(cells) > _MOST_CELLS or len(to_bytes("\0".join(tags))) > _MOST_BYTES:
        raise SerializationError(
            f"an entry has {_MOST_CELLS} tags and {_MOST_BYTES} bytes of them at most, and this one has {len(tags)}: "
            "tag it by what they have in common"
        )
    return cells


def added(frame: Frame | None, delta: int) -> int:
    """Add to what a counter's frame holds; `NotAnIntegerError` where it is none, or the sum leaves 64 bits."""
    if frame is None:
        return counted(0, delta)
    return counted(codec.integer_of(frame.payload) if frame.flags & codec.INTEGER else None, delta)
