"""How values become framed entries, and entries values: what backends over bytes share, without waiting."""

from __future__ import annotations

import math
from typing import Any, ClassVar

from msgspec.structs import replace

from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.counters import counted
from asynccache.core.entry import ALWAYS, Entry, Kind
from asynccache.core.fence import Birth, cells_of
from asynccache.core.keys import key_hash, to_bytes
from asynccache.core.lifetime import FOREVER, milliseconds
from asynccache.errors import SerializationError
from asynccache.model import BaseCacheBackend

_MOST_CELLS = 2_000
_MOST_BYTES = 65_535
_UNBORN = Birth(b"\0" * 8, 0)


class FramedBackend(BaseCacheBackend):
    """A backend whose entries are bytes that know their key, their kind and their lifetime."""

    expires_entries: ClassVar[bool] = False
    """Whether the store itself ends lifetimes; otherwise the entry's own is judged at each read."""

    def _encoded(
        self,
        stored_key: str,
        value: Any,
        ttl: float,
        kind: Kind,
        stale: float = 0.0,
        tags: tuple[str, ...] = (),
    ) -> bytes:
        owner, flags = key_hash(stored_key), 0
        if kind is not Kind.VALUE:
            payload = self.serializer.bound(owner).wrap(bytes(value))
        elif type(value) is int and value in codec.INT64 and not stale:
            payload, flags = codec.integer_payload(value), codec.INTEGER
        else:
            payload = self.serializer.bound(owner).dumps(value)
        birth = self.fence.birth(_cells(tags)) if tags else _UNBORN
        at_us, lifetime_ms, stale_ms = self._times(ttl, stale)
        return codec.encode(
            Frame(payload, kind, flags, 0, at_us, lifetime_ms, stale_ms, birth.cells, tags, birth.gen, birth.born),
            owner,
        )

    def _stamped(self, frame: Frame, stored_key: str, ttl: float, stale: float = 0.0) -> bytes:
        """Give the bytes of a frame that is written now, lives for `ttl` seconds, and is kept for `stale` more."""
        at_us, lifetime_ms, stale_ms = self._times(ttl, stale)
        stamped = replace(frame, at_us=at_us, lifetime_ms=lifetime_ms, stale_ms=stale_ms)
        return codec.encode(stamped, key_hash(stored_key))

    def _times(self, ttl: float, stale: float) -> tuple[int, int, int]:
        """Give a frame's microseconds of now, and its milliseconds until its end and between its two ends."""
        at_us = int(self.clock() * 1e6)
        return (at_us, 0, 0) if ttl == FOREVER else (at_us, milliseconds(ttl + stale), math.floor(stale * 1000))

    def _entry(self, stored_key: str, raw: bytes, kind: Kind, *, timed: bool) -> Entry | None:
        """Open what was fetched, also one that is over if its times are told; None where it is no use here.

        `DamagedEntryError` or `SerializationError` where it cannot be used at all.
        """
        owner = key_hash(stored_key)
        if self.expires_entries and kind is Kind.VALUE:
            found = codec.common(raw, owner)
            if found is not None:
                payload, _, _, load_ms, at_us = found
                times = codec.common_times(raw, at_us) if timed else ALWAYS
                return Entry(self.serializer.bound(owner).loads(payload), load_ms / 1000, (), times, at_us)
        frame = self._current_frame(raw, owner)
        if frame is None or frame.kind is not kind or (frame.stale_ms and not (timed or self._lives(frame))):
            return None
        times = frame.times if timed else ALWAYS
        return Entry(self._value(frame), frame.load_ms / 1000, frame.tags, times, frame.at_us)

    def _current_frame(self, raw: bytes, owner: bytes) -> Frame | None:
        """Decode what was fetched; None where it is over for all, or one of its tags was invalidated."""
        frame = codec.decode(raw, owner)
        if not self.expires_entries and frame.remaining(self.clock()) <= 0:
            return None
        return frame if not frame.cells or self._is_current(frame) else None

    def _lives(self, frame: Frame) -> bool:
        """Tell whether it is more than a stale value."""
        return frame.times.fresh_until > self.clock()

    def _is_current(self, frame: Frame) -> bool:
        """Tell whether no tag of this entry was invalidated since it was loaded."""
        return self.fence.allows(Birth(frame.gen, frame.born, frame.cells))

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
