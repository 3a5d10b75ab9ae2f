"""Rights to load and locks of two tiers: those of the store. Where it is away, this node loads for itself.

What a node loads alone it holds for at most `max_staleness`, and in its own memory only: an island that asks the origin
once in that time for each key.
"""

from __future__ import annotations

from functools import partial
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from asynccache.backends.tiered_base import Tiers
from asynccache.backends.tiered_copies import Ground, is_counter
from asynccache.core.claims import LEASE_SECONDS, Claimed, Held, Hit, Lead, Made, Ticket
from asynccache.core.entry import Entry, Kind, Times
from asynccache.core.fence import cells_of
from asynccache.core.lifetime import FOREVER
from asynccache.errors import BackendUnavailableError, SerializationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asynccache.model import Version
    from asynccache.plan.io import IO

ISLAND = "a node alone"
"""The view of a ticket that no store has granted."""


class _Terms(NamedTuple):
    """How what was loaded is stored."""

    version: Version
    kind: Kind
    stale: float
    tags: tuple[str, ...]


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
        return alone | {
            key: self._found(claimed, grounds[key], key, version, Kind.VALUE) for key, claimed in claims.items()
        }

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
        made, terms = Made(key, value, ttl, ticket), _Terms(version, kind, stale or 0.0, tags)
        if ticket.view is ISLAND:
            return self._land_alone(made, terms)
        if self._is_barred(made, terms):
            await self._far.release(io, ticket)
            return False
        hold = self._holding(made, terms)
        landed = await self._far.land(io, key, value, ttl, ticket, stale=stale, tags=tags, version=version, kind=kind)
        if landed:
            hold()
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
        terms = _Terms(version, Kind.VALUE, stale or 0.0, tags)
        landed: dict[str, bool | SerializationError] = {}
        rest: list[Made] = []
        for one in made:
            if one.ticket.view is ISLAND:
                try:
                    landed[one.key] = self._land_alone(one, terms)
                except SerializationError as error:
                    landed[one.key] = error
            elif self._is_barred(one, terms):
                await self._far.release(io, one.ticket)
                landed[one.key] = False
            else:
                rest.append(one)
        holds = {one.key: self._holding(one, terms) for one in rest}
        stood = await self._far.land_many(io, rest, stale=stale, tags=tags, version=version) if rest else {}
        for key, answer in stood.items():
            if answer is True:
                holds[key]()
        return landed | stood

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

    def _is_barred(self, made: Made, terms: _Terms) -> bool:
        """Tell whether the store is still to invalidate what this load is older than."""
        return self._journal.bars(self._item(made.key, terms.version), cells_of(terms.tags))

    def _land_alone(self, made: Made, terms: _Terms) -> bool:
        ground = Ground(self._near.own, made.ticket.born, monotonic())
        holds = self._near.holds(ground, made.ticket.key, cells_of(terms.tags))
        if holds and made.ttl is not None and made.ttl > 0:
            entry = entry_of(made.value, made.ttl, terms.stale, terms.tags, self.clock())
            self._near.admit(ground, made.ticket.key, self._item(made.key, terms.version), terms.kind, entry)
        return holds

    def _holding(self, made: Made, terms: _Terms) -> Callable[[], object]:
        """Give what holds, once that is stored, what was loaded, as it is now: its owner may change it meanwhile."""
        ground = self._watch.ground(made.ticket.key)
        if ground is None or made.ttl is None or made.ttl <= 0 or is_counter(terms.kind, made.value):
            return _nothing
        try:
            content = self._near.copies.content(terms.kind, made.value)
        except SerializationError:
            return _nothing  # the store will say so
        entry = entry_of(made.value, made.ttl, terms.stale, terms.tags, self.clock())
        item = self._item(made.key, terms.version)
        return partial(self._near.hold, ground, made.ticket.key, item, terms.kind, entry, content)


def _nothing() -> None:
    pass


def entry_of(value: Any, ttl: float, stale: float, tags: tuple[str, ...], now: float) -> Entry:
    """Give the entry that is made by storing a value now."""
    times = Times(now, now + ttl, inf if ttl == FOREVER else now + ttl + stale)
    return Entry(value, 0.0, tags, times)
