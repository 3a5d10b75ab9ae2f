"""Rights to load and locks of two tiers: those of the store. Where it is away, this node loads for itself.

What a node loads alone it holds for at most `max_staleness`, and in its own memory only: an island that asks the origin
once in that time for each key.
"""

from __future__ import annotations

from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.tiered_base import Tiers
from asynccache.backends.tiered_copies import Ground
from asynccache.core.claims import LEASE_SECONDS, Claimed, Held, Hit, Lead, Made, Ticket
from asynccache.core.entry import Entry, Kind, Times
from asynccache.core.fence import cells_of
from asynccache.core.lifetime import FOREVER
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asynccache.errors import SerializationError
    from asynccache.model import Version
    from asynccache.plan.io import IO

ISLAND = "a node alone"
"""The view of a ticket that no store has granted."""


class TierRights(Tiers):
    """The plans of read-throughs and locks."""

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
        alone = self._alone(stored_key, seen)
        try:
            await self._settled(io, self._item(key, version).version, [key], wide=True)
            ground = self._watch.ground(stored_key)
            claimed = await self._far.claim(io, key, lease, seen=seen, anew=anew, version=version, kind=kind)
        except BackendUnavailableError:
            return alone
        return self._found(claimed, ground, key, version, kind)

    async def claim_many(
        self,
        io: IO,
        keys: Sequence[str],
        lease: float = LEASE_SECONDS,
        *,
        seen: Mapping[str, Entry] | None = None,
        version: Version = None,
    ) -> dict[str, Claimed]:
        stored = {key: self.stored_key(key, version) for key in keys}
        alone: dict[str, Claimed] = {key: self._alone(stored[key], (seen or {}).get(key)) for key in keys}
        try:
            await self._settled(io, self._item("", version).version, keys, wide=True)
            grounds = {key: self._watch.ground(stored[key]) for key in keys}
            claims = await self._far.claim_many(io, keys, lease, seen=seen, version=version)
        except BackendUnavailableError:
            return alone
        return {key: self._found(claimed, grounds[key], key, version, Kind.VALUE) for key, claimed in claims.items()}

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
        made = Made(key, value, ttl, ticket)
        if ticket.view is ISLAND:
            return self._land_alone(made, version, kind, stale or 0.0, tags)
        if self._journal.bars(self._item(key, version), cells_of(tags)):
            await self._far.release(io, ticket)
            return False
        ground = self._watch.ground(ticket.key)
        landed = await self._far.land(io, key, value, ttl, ticket, stale=stale, tags=tags, version=version, kind=kind)
        if landed:
            self._hold(ground, made, version, kind, stale or 0.0, tags)
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
        alone = [one for one in made if one.ticket.view is ISLAND]
        landed: dict[str, bool | SerializationError] = {
            one.key: self._land_alone(one, version, Kind.VALUE, stale or 0.0, tags) for one in alone
        }
        barred = [one for one in made if self._journal.bars(self._item(one.key, version), cells_of(tags))]
        for one in barred:
            await self.release(io, one.ticket)
        rest = [one for one in made if one not in alone and one not in barred]
        grounds = {one.key: self._watch.ground(one.ticket.key) for one in rest}
        stood = await self._far.land_many(io, rest, stale=stale, tags=tags, version=version) if rest else {}
        for one in rest:
            if stood.get(one.key) is True:
                self._hold(grounds[one.key], one, version, Kind.VALUE, stale or 0.0, tags)
        return dict.fromkeys([one.key for one in barred], False) | landed | stood

    async def hold(self, io: IO, ticket: Ticket, lease: float = LEASE_SECONDS) -> bool:
        return ticket.view is ISLAND or await self._far.hold(io, ticket, lease)

    async def release(self, io: IO, ticket: Ticket) -> bool:
        return ticket.view is ISLAND or await self._far.release(io, ticket)

    async def attend(self, io: IO, key: str, seconds: float, version: Version = None, kind: Kind = Kind.VALUE) -> None:
        await self._far.attend(io, key, seconds, version, kind)

    async def claim_lock(self, io: IO, key: str, lease: float, version: Version = None) -> Lead | Held:
        return await self._far.claim_lock(io, key, lease, version)

    async def attend_lock(self, io: IO, key: str, seconds: float, version: Version = None) -> None:
        await self._far.attend_lock(io, key, seconds, version)

    def _alone(self, stored_key: str, seen: Entry | None) -> Lead:
        return Lead(Ticket(stored_key, born=self._near.own.reached, view=ISLAND), seen)

    def _found(self, claimed: Claimed, ground: Ground | None, key: str, version: Version, kind: Kind) -> Claimed:
        """Hold what another node has stored meanwhile."""
        if isinstance(claimed, Hit):
            stored_key = self.stored_key(key, version)
            return Hit(self._near.admit(ground, stored_key, self._item(key, version), kind, claimed.entry))
        return claimed

    def _land_alone(self, made: Made, version: Version, kind: Kind, stale: float, tags: tuple[str, ...]) -> bool:
        ground = Ground(self._near.own, made.ticket.born, monotonic())
        holds = self._near.holds(ground, made.ticket.key, cells_of(tags))
        if holds:
            self._hold(ground, made, version, kind, stale, tags)
        return holds

    def _hold(
        self, ground: Ground | None, made: Made, version: Version, kind: Kind, stale: float, tags: tuple[str, ...]
    ) -> None:
        """Hold what was loaded."""
        if made.ttl is not None and made.ttl > 0:
            entry = entry_of(made.value, made.ttl, stale, tags, self.clock())
            self._near.admit(ground, made.ticket.key, self._item(made.key, version), kind, entry)


def entry_of(value: Any, ttl: float, stale: float, tags: tuple[str, ...], now: float) -> Entry:
    """Give the entry that is made by storing a value now."""
    times = Times(now, now + ttl, inf if ttl == FOREVER else now + ttl + stale)
    return Entry(value, 0.0, tags, times)
