"""What a store of bytes can do, and what becomes of bytes that it gives, or does not give.

Values travel as framed entries (`core/codec.py`), which know their key, their kind and their lifetime; what does not
fit is a miss, counted, logged once and removed.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from asynccache.backends.framing import FramedBackend, added
from asynccache.backends.tolerant import TolerantBackend
from asynccache.core import codec
from asynccache.core.codec import DamagedEntryError, Frame, MixedUpEntryError
from asynccache.core.entry import Kind
from asynccache.core.events import EntryDamaged
from asynccache.core.keys import key_hash
from asynccache.errors import BackendUnavailableError, ConfigurationError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.core.entry import Entry
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)


class DrivenBackend(TolerantBackend, FramedBackend, ABC):
    """A backend over the drivers of a store.

    Args:
        on_error: what plain reads and `set` do while the store is away: `"miss"` (log once, count, go on) or `"raise"`.
        options: those of `BaseCacheBackend`.
    """

    def __init__(self, *, on_error: Literal["miss", "raise"] = "miss", **options: Any) -> None:
        super().__init__(**options)
        if on_error not in {"miss", "raise"}:
            raise ConfigurationError(f"on_error={on_error!r}: give 'miss' or 'raise'")
        self.on_error = on_error

    def stats(self) -> dict[str, int]:
        """Give `hits`, `misses`, `errors` (operations that the store did not answer) and `damaged` entries."""
        return {name: self._counts[name] for name in ("hits", "misses", "errors", "damaged")}

    # What a store can do; what has a default is slower and not atomic. A key is a stored key, `ttl` seconds or `inf`.

    @abstractmethod
    async def _fetch(self, io: IO, key: str) -> bytes | None:
        """Get the bytes."""

    @abstractmethod
    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        """Put the bytes; False where the store refuses them (and has then removed what was there)."""

    @abstractmethod
    async def _drop(self, io: IO, key: str) -> bool:
        """Remove; tell whether there was something."""

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        found = {key: await self._fetch(io, key) for key in keys}
        return {key: raw for key, raw in found.items() if raw is not None}

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        return [key for key, raw in raws.items() if not await self._store(io, key, raw, ttl)]

    async def _drop_many(self, io: IO, keys: list[str]) -> int:
        return sum([await self._drop(io, key) for key in keys])

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        """Put the bytes unless there are some."""
        if await self._living(io, key) is not None:
            return False
        return await self._store(io, key, raw, ttl)

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        """Give a new lifetime; False where nothing lives there, or a kept entry, which this leaves alone."""
        frame = await self._living(io, key)
        return frame is not None and await self._store(io, key, self._stamped(frame, key, ttl), ttl)

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        """Add to a counter; `NotAnIntegerError` where something else is there, such as a kept entry."""
        frame = await self._living(io, key)
        number = added(frame, delta)
        left = ttl if frame is None else frame.remaining(self.clock())
        counter = replace(frame or Frame(b"", flags=codec.INTEGER), payload=codec.integer_payload(number))
        await self._store(io, key, self._stamped(counter, key, left), left)
        return number

    async def _swap(self, io: IO, key: str, seen: bytes, raw: bytes, ttl: float) -> bool:
        """Replace these very bytes by others; False where something else is there."""
        return await self._fetch(io, key) == seen and await self._store(io, key, raw, ttl)

    async def _mixed_up(self, io: IO) -> None:
        """Distrust the connections: one of them gave the reply to another's question."""

    # Entries

    async def _closed(
        self,
        io: IO,
        stored_key: str,
        value: Any,
        ttl: float,
        kind: Kind,
        *,
        stale: float,
        tags: tuple[str, ...],
    ) -> bytes:
        """Encode; a value that cannot be encoded takes the old one with it, so that no stale value stays."""
        try:
            return self._encoded(stored_key, value, ttl, kind, stale, tags)
        except SerializationError:
            with suppress(BackendUnavailableError):  # the caller's mistake is what to tell
                await self._drop(io, stored_key)
            raise

    async def _closed_many(self, io: IO, values: Mapping[str, Any], ttl: float) -> dict[str, bytes]:
        """Encode all; one value that cannot be encoded takes all old ones with it."""
        try:
            return {stored: self._encoded(stored, value, ttl, Kind.VALUE) for stored, value in values.items()}
        except SerializationError:
            with suppress(BackendUnavailableError):
                await self._drop_many(io, list(values))
            raise

    async def _framed(self, io: IO, stored_key: str, raw: bytes) -> Frame | None:
        """Decode what was fetched; None where it is damaged, another's or to be removed."""
        try:
            return self._current_frame(raw, key_hash(stored_key))
        except DamagedEntryError as damage:
            await self._damaged(io, stored_key, damage)
            return None

    async def _living(self, io: IO, stored_key: str) -> Frame | None:
        raw = await self._fetch(io, stored_key)
        frame = None if raw is None else await self._framed(io, stored_key, raw)
        return None if frame is None or (frame.stale_ms and not self._lives(frame)) else frame

    async def _removed(self, io: IO, stored_key: str) -> bool:
        """Remove; tell whether there was a live one, since a store that ends no lifetimes may hold a dead one."""
        was_there = self.expires_entries or await self._living(io, stored_key) is not None
        return await self._drop(io, stored_key) and was_there

    async def _opened(self, io: IO, stored_key: str, raw: bytes, kind: Kind, *, stale: bool = False) -> Entry | None:
        try:
            return self._entry(stored_key, raw, kind, timed=stale)
        except (DamagedEntryError, SerializationError) as damage:
            await self._damaged(io, stored_key, damage)
            return None

    # Faults

    async def _damaged(self, io: IO, stored_key: str, damage: Exception) -> None:
        self._counts["damaged"] += 1
        log = logger.warning if self._counts["damaged"] == 1 else logger.debug
        log("%s: an entry was not usable and is removed: %s", self.name, damage)
        self.tell(EntryDamaged(self.name, stored_key, str(damage)))
        try:
            if isinstance(damage, MixedUpEntryError):
                await self._mixed_up(io)
            await self._drop(io, stored_key)
        except BackendUnavailableError:
            logger.debug("%s: and it could not be removed", self.name)
