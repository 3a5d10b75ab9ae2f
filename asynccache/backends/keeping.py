"""Entries that are kept beyond their end, as stale values for read-throughs: to all other operations they are absent.

The store's own lifetime of such an entry includes that time, and its head says when it was over. So one key holds both,
and whatever removes or replaces the value takes the stale one with it. What changes an entry by the store's own means
(`_add`, `_touch`, `_bump`) leaves a kept one alone and says that it did nothing; then it is exchanged here, if it is
still the one that was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asynccache.backends.drivers import DrivenBackend
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.counters import counted
from asynccache.core.entry import Kind
from asynccache.errors import BackendUnavailableError, NotAnIntegerError

if TYPE_CHECKING:
    from asynccache.model import Version
    from asynccache.plan.io import IO

_ATTEMPTS = 10


@dataclass(frozen=True, slots=True)
class Kept:
    """An entry that is or will be kept beyond its end; `seconds_left` until that, 0 or less where it is over."""

    raw: bytes
    frame: Frame
    seconds_left: float


class KeepingBackend(DrivenBackend):
    """A backend over bytes whose entries may be kept beyond their end."""

    async def insert(self, io: IO, key: str, value: Any, ttl: float, version: Version = None) -> bool:
        stored_key = self.stored_key(key, version)
        if ttl <= 0:
            return await self._living(io, stored_key) is None
        raw = self._encoded(stored_key, value, ttl, Kind.VALUE)
        for _ in range(_ATTEMPTS):
            if await self._add(io, stored_key, raw, ttl):
                return True
            kept = await self._kept(io, stored_key)
            if kept is None or kept.seconds_left > 0:
                return False
            if await self._swap(io, stored_key, kept.raw, raw, ttl):
                return True
        return False

    async def extend(self, io: IO, key: str, ttl: float, version: Version = None) -> bool:
        stored_key = self.stored_key(key, version)
        if ttl <= 0:
            return await self._removed(io, stored_key)
        for _ in range(_ATTEMPTS):
            if await self._touch(io, stored_key, ttl):
                return True
            kept = await self._kept(io, stored_key)
            if kept is None:
                return False
            if kept.seconds_left <= 0:  # it stays what it is, and as long as it was to
                await self._swap(io, stored_key, kept.raw, kept.raw, max(kept.frame.remaining(self.clock()), 0.001))
                return False
            if await self._swap(io, stored_key, kept.raw, self._stamped(kept.frame, stored_key, ttl), ttl):
                return True
        return False

    async def bump(self, io: IO, key: str, delta: int, version: Version = None) -> int:
        stored_key = self.stored_key(key, version)
        for _ in range(_ATTEMPTS):
            try:
                return await self._bump(io, stored_key, delta, self.default_ttl)
            except NotAnIntegerError:
                kept = await self._kept(io, stored_key)
                if kept is None:
                    raise
            lives = kept.seconds_left > 0
            number = counted(self._value(kept.frame) if lives else 0, delta)
            ttl = kept.seconds_left if lives else self.default_ttl
            raw = self._encoded(stored_key, number, ttl, Kind.VALUE)
            if await self._swap(io, stored_key, kept.raw, raw, ttl):
                return number
        raise BackendUnavailableError(f"{key!r} was changed by others all the time; try again")

    # Entries

    async def _kept(self, io: IO, stored_key: str) -> Kept | None:
        raw = await self._fetch(io, stored_key)
        if raw is None or not codec.is_kept(raw):
            return None
        frame = await self._framed(io, stored_key, raw)
        return None if frame is None else Kept(raw, frame, frame.times.fresh_until - self.clock())
