"""Rights to load in memcached.

Where nothing of use is stored a right lies in the place of the entry, put there by `add`: whatever is done to the key
takes it away, and what was loaded is exchanged for it by `cas`. Where a value stands in meanwhile, the right lies
beside it and names its cas id, which is the fence then. Rights end by memcached's own lifetimes, in whole seconds.
There is no log, so who waits asks again, at growing intervals.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from asynccache.backends.granting import ANEW, Found, Granted, Landing, Taken, Unheard, Want
from asynccache.backends.memcached_entries import exptime
from asynccache.backends.memcached_notebook import (
    GONE,
    Right,
    at_of,
    birth_of,
    born_at,
    gen_of,
    is_current,
    lease_exptime,
    lease_wire,
    order_wire,
)
from asynccache.backends.memcached_order import FOR_EVER, ROUNDS
from asynccache.backends.memcached_sights import MemcachedSights, Sight, Sights
from asynccache.core.fence import Birth, View
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.granting import Answer
    from asynccache.core.claims import Ticket
    from asynccache.plan.io import IO

SHORTEST_PAUSE, LONGEST_PAUSE, GROWTH = 0.025, 0.25, 1.5


class MemcachedRights(MemcachedSights):
    """A backend whose entries have rights in their place, or beside them."""

    async def _claim_many(self, io: IO, wants: Sequence[Want], lease: float) -> list[Answer | Unheard]:
        return await self._at_once(io, self._claimed_all, wants, lease)  # type: ignore[no-any-return]

    async def _land_many(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        return await self._at_once(io, self._landed_all, landings)  # type: ignore[no-any-return]

    async def _hold(self, io: IO, ticket: Ticket, lease: float) -> bool:
        return await self._at_once(io, self._kept_up, ticket, lease)  # type: ignore[no-any-return]

    async def _release(self, io: IO, ticket: Ticket) -> bool:
        return await self._at_once(io, self._kept_up, ticket, None)  # type: ignore[no-any-return]

    async def _attend(self, io: IO, key: str, seconds: float) -> None:
        from anyio import sleep

        until = time.monotonic() + seconds
        pause = SHORTEST_PAUSE
        while await self._at_once(io, self._is_loading, key):
            left = until - time.monotonic()
            if left <= 0:
                return
            await io.twin(time.sleep, sleep, min(pause, left))
            pause = min(pause * GROWTH, LONGEST_PAUSE)

    async def _is_loading(self, io: IO, key: str) -> bool:
        """Tell whether a right stands; where nobody answers, whoever waits is to find out for himself."""
        try:
            sight = await self._sight(io, key, leases=True)
        except BackendUnavailableError:
            return False
        return sight.right is not None or (sight.lease is not None and sight.lease.fence == sight.token)

    # Claiming

    async def _claimed_all(self, io: IO, wants: Sequence[Want], lease: float) -> list[Answer | Unheard]:
        sights = await self._sights(io, [want.key for want in wants], ids=True, leases=True)
        return [await self._heard(io, want, sights, lease) for want in wants]

    async def _heard(self, io: IO, want: Want, sights: Sights, lease: float) -> Answer | Unheard:
        if sights.failure is not None and want.key not in sights.by_key:
            return Unheard(sights.failure)
        try:
            return await self._claimed_one(io, want, sights.by_key[want.key], lease)
        except BackendUnavailableError as failure:
            return Unheard(BackendUnavailableError(*failure.args))  # not a `NotAskedError`: it was asked before

    async def _claimed_one(self, io: IO, want: Want, sight: Sight, lease: float) -> Answer:
        for _ in range(ROUNDS):
            if want.stamped:
                answer = await self._locked(io, want, sight, lease)
            else:
                answer = await self._granted(io, want, sight, lease)
            if answer is not None:
                return answer
            sight = await self._sight(io, want.key, leases=True)
        raise BackendUnavailableError(f"{sight.spot.place}: {want.key!r:.80} was changed by others all the time")

    async def _granted(self, io: IO, want: Want, sight: Sight, lease: float) -> Answer | None:
        """Grant a right by what was seen; None where that has changed."""
        spot, raw, number = sight.spot, sight.raw, sight.number
        if raw is not None and want.seen != ANEW and (birth_of(raw) is None or at_of(raw) != want.seen):
            return Found(raw)
        if number is None:
            number = await self._number(io, spot.place, spot.namespace)
        view = View(gen_of(number), b"")
        if raw is None or birth_of(raw) is None:
            if sight.right is not None and sight.right.stands(number):
                return Taken(sight.right.lease)
            right = Right(want.token, lease, view.gen)
            placed = await self._taken_over(io, sight, "add", right.bytes_for(spot.wire), lease_exptime(lease))
            return Granted(number, view) if placed else None
        if sight.lease is not None and sight.lease.fence == sight.token:
            return Taken(sight.lease.lease, raw)
        leased = await self._leased(io, sight, Right(want.token, lease, view.gen, sight.token))
        return Granted(number, view, raw) if leased else None

    async def _locked(self, io: IO, want: Want, sight: Sight, lease: float) -> Answer | None:
        """Grant a lock; its number is taken while it is held, so that it is greater than those of all before."""
        spot = sight.spot
        if sight.right is not None:
            return Taken(sight.right.lease)
        if sight.there is not None:
            return Found(sight.there)
        right = Right(want.token, lease)
        if not await self._ask(io, spot.place, "add", spot.wire, right.bytes_for(spot.wire), lease_exptime(lease)):
            return None
        number = await self._next_holder(io, spot.place, spot.namespace)
        holder = (await self._sight(io, want.key)).right
        return Granted(number, View(right.gen, b"")) if holder is not None and holder.token == want.token else None

    async def _next_holder(self, io: IO, place: str, namespace: str) -> int:
        wire = order_wire(namespace)
        for _ in range(ROUNDS):
            number: int | None = await self._ask(io, place, "incr", wire)
            if number is not None:
                return number
            await self._ask(io, place, "insert", wire, b"%d" % (time.time() * 1e6), FOR_EVER)
        raise BackendUnavailableError(f"{place}: it keeps no order of locks")

    async def _leased(self, io: IO, sight: Sight, right: Right) -> bool:
        """Put a right beside an entry, in place of one that is of no use any more."""
        wire = lease_wire(sight.spot.key)
        raw, until = right.bytes_for(wire), lease_exptime(right.lease)
        if not sight.lease_token:
            return await self._ask(io, sight.spot.place, "add", wire, raw, until)  # type: ignore[no-any-return]
        return await self._ask(io, sight.spot.place, "cas", wire, raw, sight.lease_token, until)  # type: ignore[no-any-return]

    async def _taken_over(self, io: IO, sight: Sight, command: str, raw: bytes, until: int) -> bool | None:
        """Store where nothing was, or in place of what was seen."""
        spot = sight.spot
        if sight.there is None:
            return await self._ask(io, spot.place, command, spot.wire, raw, until)  # type: ignore[no-any-return]
        return await self._ask(io, spot.place, "land", spot.wire, raw, sight.token, until)  # type: ignore[no-any-return]

    # Holding

    async def _kept_up(self, io: IO, ticket: Ticket, lease: float | None) -> bool:
        """Renew a right, or with None end it; tell whether it still stood."""
        for _ in range(ROUNDS):
            sight = await self._sight(io, ticket.key, leases=True)
            held = _held(sight, ticket)
            if held is None:
                return False
            right, wire, token = held
            until = GONE if lease is None else lease_exptime(lease)
            raw = right._replace(lease=lease or 0.0).bytes_for(wire)
            if await self._ask(io, sight.spot.place, "cas", wire, raw, token, until):
                return True
        return False

    # Landing

    async def _landed_all(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        sights = await self._sights(io, [landing.ticket.key for landing in landings], ids=True, leases=True)
        reached = [landing for landing in landings if landing.ticket.key in sights.by_key]
        landed = [await self._landed(io, landing, sights.by_key[landing.ticket.key]) for landing in reached]
        sights.all()  # raises where a server was away, which keeps nothing from the others
        return landed

    async def _landed(self, io: IO, landing: Landing, sight: Sight) -> bool:
        for _ in range(ROUNDS):
            landed = await self._landed_once(io, landing, sight)
            if landed is not None:
                return landed
            sight = await self._sight(io, landing.ticket.key, leases=True)
        return False

    async def _landed_once(self, io: IO, landing: Landing, sight: Sight) -> bool | None:
        """Exchange a right, or the value beside which it lies, for what was loaded; None where it has changed."""
        held = _held(sight, landing.ticket)
        if held is None:
            return False
        spot = sight.spot
        right, wire, token = held
        good = await self._is_good(io, landing, sight)
        if not good or landing.raw is None:
            ended = await self._ask(io, spot.place, "cas", wire, right.bytes_for(wire), token, GONE)
            return good if ended else None
        raw = born_at(landing.raw, right.gen, landing.ticket.born)
        stored = await self._ask(io, spot.place, "land", spot.wire, raw, sight.token, exptime(landing.ttl))
        if stored is None:  # too large, or the server is full: neither it nor what it was to replace is stored
            stored = await self._given_up(io, sight)
        return True if stored else None

    async def _given_up(self, io: IO, sight: Sight) -> bool:
        """Remove what the server could not replace; tell whether it was still there."""
        return await self._ask(io, sight.spot.place, "cas", sight.spot.wire, b"", sight.token, GONE)  # type: ignore[no-any-return]

    async def _is_good(self, io: IO, landing: Landing, sight: Sight) -> bool:
        """Tell whether nothing that concerns it was invalidated since the load began."""
        spot, number, cells = sight.spot, sight.number, landing.cells
        birth = Birth(_gen(landing.ticket), landing.ticket.born, cells)
        if number is None or not cells:
            return is_current(birth, number)
        marks = await self._marks(io, spot.place, spot.namespace, cells, number)
        if not marks.floor:
            number = await self._reopened(io, spot.place, spot.namespace, cells)
            marks = await self._marks(io, spot.place, spot.namespace, cells, number)
        return is_current(birth, number, marks)


def _held(sight: Sight, ticket: Ticket) -> tuple[Right, bytes, int] | None:
    """Find the right of a ticket, where it lies and its cas id; None where it does not stand any more."""
    if sight.right is not None and sight.right.token == ticket.token:
        return sight.right, sight.spot.wire, sight.token
    lease = sight.lease
    if lease is not None and lease.token == ticket.token and sight.there is not None and lease.fence == sight.token:
        return lease, lease_wire(sight.spot.key), sight.lease_token
    return None


def _gen(ticket: Ticket) -> Any:
    return getattr(ticket.view, "gen", b"")
