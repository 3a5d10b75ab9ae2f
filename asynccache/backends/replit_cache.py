"""Replit's key-value store: the database that every app on Replit has, over HTTP.

It ends no lifetimes and holds 5,000 keys: what is over is removed when somebody meets it, and where a write is refused.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote, urlencode

from asynccache.backends.base import StoreBackend
from asynccache.backends.memcached_entries import checked_size
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.replit_wire import LARGEST_VALUE, of_text, stored_key_of, to_text, wire_key, wire_prefix
from asynccache.errors import BackendUnavailableError
from asynccache.model import Capability
from asynccache.plan.clients import LoopClients
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from asynccache.core.codec import Frame
    from asynccache.core.entry import Entry, Kind
    from asynccache.plan.io import IO

SWEEP_PAUSE = 10.0
"""Seconds between two searches for entries that are over."""
SWEPT = 100
"""Keys that one search looks at, at most."""


class ReplitCacheBackend(StoreBackend):
    """Keeps entries in Replit's key-value store; needs the extra `replit`.

    Counters and `add` are not atomic: the store has nothing for it. A value of more than 3.75 MiB, or a write beyond
    the store's limits (5,000 keys, 50 MiB), is not stored: `set` is False, and the reason is logged once.

    Args:
        url: the store's; else what the file /tmp/replitdb holds (as it is at each request, since Replit renews it),
            else `REPLIT_DB_URL` in the environment. It holds a secret, and appears in no log, repr or error.
        deadline: seconds for one request, after which the store counts as not answering.
        pool_size: how many connections each running loop opens, at most.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` where there is no such URL, `MissingDependencyError` without httpcore2.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.KEEPS_ENTRIES, Capability.SHARED, Capability.SUBSECOND_TTL}
    )

    def __init__(self, url: str | None = None, *, deadline: float = 1.0, pool_size: int = 10, **base: Any) -> None:
        from asynccache.backends.replit_client import FOREIGN, OverloadedError, Place, ReplitClient

        super().__init__(**base)
        self.deadline = checked_deadline(deadline)
        self._pool_size = checked_size(pool_size)
        place = Place(url)
        self._store_name = place.name
        self._swept_at = -SWEEP_PAUSE
        foreign = (*FOREIGN, OverloadedError)
        self._guard = OutageGuard(self, place.name, self.deadline, foreign, self._counts)
        self._clients = LoopClients(lambda: ReplitClient(place, self._guard, pool_size), ReplitClient.aclose)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._store_name} key_prefix={self.key_prefix!r} version={self.version!r}>"

    async def shut(self, io: IO) -> None:
        await io.twin(self._clients.close, self._clients.aclose)

    # Drivers

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        return await io.call(self._get, key)  # type: ignore[no-any-return]

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return await io.call(self._put, key, raw)  # type: ignore[no-any-return]

    async def _drop(self, io: IO, key: str) -> bool:
        return await io.call(self._delete, key)  # type: ignore[no-any-return]

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        raws = await io.call(self._each, self._get, [(key,) for key in keys])
        return {key: raw for key, raw in zip(keys, raws, strict=True) if raw is not None}

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        stored = await io.call(self._each, self._put, raws.items())
        return [key for key, done in zip(raws, stored, strict=True) if not done]

    async def _drop_many(self, io: IO, keys: list[str]) -> int:
        return sum(await io.call(self._each, self._delete, [(key,) for key in keys]))

    async def _mixed_up(self, io: IO) -> None:
        await io.call(self._distrust)

    async def _framed(self, io: IO, stored_key: str, raw: bytes) -> Frame | None:
        """Decode what was fetched; what is over goes, since the store would keep it for ever."""
        damaged = self._counts["damaged"]
        frame = await super()._framed(io, stored_key, raw)
        if frame is None and damaged == self._counts["damaged"]:
            with suppress(BackendUnavailableError):
                await self._drop(io, stored_key)
        return frame

    async def _opened(self, io: IO, stored_key: str, raw: bytes, kind: Kind, *, stale: bool = False) -> Entry | None:
        framed = await self._framed(io, stored_key, raw)
        return None if framed is None else await super()._opened(io, stored_key, raw, kind, stale=stale)

    # What runs on a loop: the caller's, or for sync callers the portal's

    async def _get(self, key: str) -> bytes | None:
        reply = await self._clients.current().ask("get", "GET", f"/{wire_key(key)}")
        return of_text(reply.body) if reply.status == 200 and reply.body else None

    async def _put(self, key: str, raw: bytes) -> bool:
        text = to_text(raw)
        refusal = await self._refusal(key, text)
        if refusal and len(text) <= LARGEST_VALUE and await self._sweep():
            refusal = await self._refusal(key, text)
        if refusal:
            self._guard.note_refusal("set", refusal)
            await self._delete(key)
        return not refusal

    async def _refusal(self, key: str, text: str) -> str:
        """Store, or tell why the store does not take it."""
        if len(text) > LARGEST_VALUE:
            return f"413 {len(text)} bytes of text: a value takes {LARGEST_VALUE}, three quarters of it before base64"
        form = urlencode({wire_key(key): text}).encode("ascii")
        return (await self._clients.current().ask("set", "POST", "", form=form)).refusal

    async def _delete(self, key: str) -> bool:
        return (await self._clients.current().ask("delete", "DELETE", f"/{wire_key(key)}")).status != 404

    async def _sweep(self) -> bool:
        """Look at some of our entries, chosen at random, and remove those that are over; tell whether any was."""
        if monotonic() < self._swept_at + SWEEP_PAUSE:
            return False
        self._swept_at = monotonic()
        query = urlencode({"prefix": wire_prefix(self._namespace), "encode": "true"})
        listing = (await self._clients.current().ask("list", "GET", "", query)).body.decode("ascii", "replace")
        known = [stored for name in listing.split("\n") if (stored := stored_key_of(unquote(name)))]
        some = random.sample(known, min(SWEPT, len(known)))
        frames = await self._each(self._living, [(LOOP, stored) for stored in some])
        return None in frames

    async def _each(self, ask: Callable[..., Awaitable[Any]], calls: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Make all these calls, as many at once as there are connections; the first that fails ends them all."""
        turns = asyncio.Semaphore(self._pool_size)

        async def one(*args: Any) -> Any:
            async with turns:
                return await ask(*args)

        tasks = [asyncio.ensure_future(one(*args)) for args in calls]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _distrust(self) -> None:
        await self._clients.current().drop_idle()
