"""Backends whose store has an order of its own: rights to load, tags and clearing that hold in all processes.

A driver's write (`_store`, `_add`, `_touch`, `_bump`, `_drop`, `_swap`) revokes the right to load that key and takes a
new position; its reads give only what is still valid. What rights and positions are: `core/fence.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from secrets import token_bytes
from typing import TYPE_CHECKING, Any

from asynccache.backends.claiming import ClaimingBackend
from asynccache.backends.granting import ANEW, Landing, Want
from asynccache.core.claims import LEASE_SECONDS, Claimed, Held, Hit, Lead, Made, Ticket
from asynccache.core.entry import Entry, Kind
from asynccache.core.fence import cells_of
from asynccache.core.keys import checked
from asynccache.errors import BackendUnavailableError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asynccache.core.codec import Frame
    from asynccache.model import Version
    from asynccache.plan.io import IO

LOCKS = "~locks:"
"""Ends the namespace of locks, which is one of their own, since no version of a user has a bare `~`."""
_ROUNDS = 3


class FencedBackend(ClaimingBackend, ABC):
    """A backend over bytes whose store grants rights to load."""

    # Drivers

    @abstractmethod
    async def _land_many(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        """Store each where its right stands and nothing was invalidated since, and end the right, each in one step."""

    @abstractmethod
    async def _hold(self, io: IO, ticket: Ticket, lease: float) -> bool:
        """Renew a right; False where it is lost."""

    @abstractmethod
    async def _attend(self, io: IO, key: str, seconds: float) -> None:
        """Wait until the right to load this key may have ended, at most so long."""

    @abstractmethod
    async def _void(self, io: IO, namespace: str, tags: tuple[str, ...]) -> None:
        """Invalidate what is tagged so; `namespace` is that of stored keys, colon included."""

    @abstractmethod
    async def _empty(self, io: IO, namespace: str) -> None:
        """Invalidate all entries of this namespace, and the loads that are under way."""

    def _is_current(self, frame: Frame) -> bool:
        del frame
        return True  # its reads have seen to that

    # Plans

    async def claim(
        self,
        io: IO,
        key: str,
        lease: float = LEASE_SECONDS,
        *,
        seen: Entry | None = None,
        anew: bool = False,
        version: Version = None,
        kind: Kind = Kind.VALUE,
    ) -> Claimed:
        stored_key = self.stored_key(key, version)
        mark = ANEW if anew else 0 if seen is None else seen.at
        for _ in range(_ROUNDS):
            claims = await self._claims(io, [Want(stored_key, token_bytes(8), mark)], lease, kind)
            if (claimed := claims[stored_key]) is not None:
                return claimed
            mark = ANEW
        raise BackendUnavailableError(f"{key!r:.80} cannot be claimed: what is stored there changes all the time")

    async def claim_many(
        self,
        io: IO,
        keys: Sequence[str],
        lease: float = LEASE_SECONDS,
        *,
        seen: Mapping[str, Entry] | None = None,
        version: Version = None,
    ) -> dict[str, Claimed]:
        marks = {key: entry.at for key, entry in (seen or {}).items()}
        wants = {key: Want(self.stored_key(key, version), token_bytes(8), marks.get(key, 0)) for key in keys}
        found = await self._claims(io, list(wants.values()), lease, Kind.VALUE) if wants else {}
        claims: dict[str, Claimed] = {}
        for key, want in wants.items():
            if want.key not in found:  # its server is away
                continue
            claimed = found[want.key] or await self.claim(io, key, lease, anew=True, version=version)
            claims[key] = claimed
            if seen is None:  # nobody has looked before
                self._counted(claimed.entry if isinstance(claimed, Hit) else None)
        return claims

    async def land(
        self,
        io: IO,
        key: str,
        value: Any,
        ttl: float | None,
        ticket: Ticket,
        *,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
        version: Version = None,
        kind: Kind = Kind.VALUE,
    ) -> bool:
        landing = await self._landing(io, Made(key, value, ttl, ticket), kind, stale=stale or 0.0, tags=tags)
        (landed,) = await self._lands(io, [landing])
        return landed

    async def land_many(
        self,
        io: IO,
        made: Sequence[Made],
        *,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
        version: Version = None,
    ) -> dict[str, bool | SerializationError]:
        landed: dict[str, bool | SerializationError] = {}
        landings: dict[str, Landing] = {}
        for one in made:
            try:
                landings[one.key] = await self._landing(io, one, Kind.VALUE, stale=stale or 0.0, tags=tags)
            except SerializationError as error:
                landed[one.key] = error
        stood = await self._lands(io, list(landings.values())) if landings else []
        return landed | dict(zip(landings, stood, strict=True))

    async def _lands(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        try:
            return await self._land_many(io, landings)
        except BackendUnavailableError:
            self._forsake(landing.ticket for landing in landings)
            raise

    async def _landing(self, io: IO, made: Made, kind: Kind, *, stale: float, tags: tuple[str, ...]) -> Landing:
        _, value, ttl, ticket = made
        if ttl is None or ttl <= 0:
            return Landing(ticket, None, 0.0, cells_of(tags))
        raw = await self._closed(io, ticket.key, value, ttl, kind, stale=stale, tags=tags)
        return Landing(ticket, raw, ttl + stale, cells_of(tags))

    async def hold(self, io: IO, ticket: Ticket, lease: float = LEASE_SECONDS) -> bool:
        return await self._hold(io, ticket, lease)

    async def claim_lock(self, io: IO, key: str, lease: float, version: Version = None) -> Lead | Held:
        want = Want(self._lock_key(key, version), token_bytes(8), ANEW, stamped=True)
        claimed = (await self._claims(io, [want], lease, Kind.VALUE))[want.key]
        if claimed is None or isinstance(claimed, Hit):
            raise BackendUnavailableError(f"the lock {key!r:.80} cannot be had: something is stored in its place")
        return claimed

    async def attend_lock(self, io: IO, key: str, seconds: float, version: Version = None) -> None:
        await self._attend(io, self._lock_key(key, version), seconds)

    async def attend(self, io: IO, key: str, seconds: float, version: Version = None, kind: Kind = Kind.VALUE) -> None:
        del kind
        await self._attend(io, self.stored_key(key, version), seconds)

    async def void(self, io: IO, tags: Iterable[str], version: Version = None) -> None:
        if chosen := tuple(tags):
            await self._void(io, self.stored_key("", version), chosen)

    async def empty(self, io: IO, version: Version = None) -> None:
        await self._empty(io, self.stored_key("", version))

    def _lock_key(self, key: str, version: Version) -> str:
        """Give the stored key of a lock."""
        return f"{self.stored_key('', version)[:-1]}{LOCKS}{checked(key)}"
