"""One request on its way past the store: answered from there, leading, following whoever leads, or alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.http.edge.answers import answer_with, gateway_timeout
from asynccache.http.edge.attempt import AppFailed
from asynccache.http.edge.beginning import attempt_at
from asynccache.http.edge.forwarding import forward, is_within
from asynccache.http.edge.renewing import renew_behind
from asynccache.http.following import followed
from asynccache.http.page_rules import Then
from asynccache.http.rights import Grant, granted, right_alone
from asynccache.http.rules import GatewayTimeout, Serve, answer, matches, stands_in
from asynccache.loading.outcomes import Landed
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from asynccache.http.edge.answers import Answer
    from asynccache.http.edge.found import Found
    from asynccache.http.edge.incoming import Incoming
    from asynccache.http.edge.place import Place
    from asynccache.http.edge.shelved import Shelved
    from asynccache.http.rights import PageRight
    from asynccache.loading.flight import Flight

ROUNDS = 3


class Exchange:
    """A GET or HEAD that is to be answered.

    Args:
        place: where its answer is stored, and by which rules.
        incoming: the request.
    """

    __slots__ = ("_arrived", "_flights", "_incoming", "_place", "_telling")

    def __init__(self, place: Place, incoming: Incoming) -> None:
        self._place = place
        self._incoming = incoming
        self._flights = place.service.flights
        self._arrived = self._flights.begun
        self._telling = place.telling(incoming)

    async def answer(self) -> None:
        """Answer it; a few rounds of waiting for others are enough."""
        for _ in range(ROUNDS):
            settled = self._flights.settled
            found = await self._seek()
            if await self._answered(found):
                return
            if not self._may_share():
                break
            if await self._shared(found, settled):
                return
        else:
            found = await self._seek()
        await self._alone(found)

    async def _seek(self) -> Found:
        return await self._place.seek(self._incoming)

    def _may_share(self) -> bool:
        """Tell whether others may wait for its answer, and it for that of others."""
        incoming, place = self._incoming, self._place
        request = incoming.request
        if request.has(b"range") and not place.slices(request):
            return False
        if not self._may_be_stored() or request.control or is_within():
            return False
        return not place.memory.passes(incoming.key, is_private=place.is_private(incoming))

    def _may_be_stored(self) -> bool:
        """Tell whether an answer to this very request may be stored."""
        request = self._incoming.request
        return request.method == "GET" and not request.has_content and not request.control.has(b"no-store")

    # Answering from the store

    async def _answered(self, found: Found) -> bool:
        decision = self._place.decision(self._incoming, found)
        if isinstance(decision, GatewayTimeout):
            await self._send(gateway_timeout(self._telling.made_here("only-if-cached"), self._place.now()))
            return True
        if not isinstance(decision, Serve) or found.shelved is None:
            return self._place.settings.timeout is not None and await self._soon(found)
        if decision.renew:
            renew_behind(self._place, self._incoming, found)
        await self._send(self._hit(found.shelved))
        return True

    def _hit(self, shelved: Shelved) -> Answer:
        now = self._place.now()
        return answer_with(self._incoming.request, shelved, now, self._telling.hit(shelved.stored, now))

    async def _soon(self, found: Found) -> bool:
        """Answer with what is over where the app takes too long, and nothing forbids that; else let it be asked."""
        if not self._stands_in(found):
            return False
        flight = renew_behind(self._place, self._incoming, found)
        asked = flight.asked
        outcome = await followed(LOOP, flight, self._place.settings.timeout)
        if isinstance(outcome, Landed):
            return self._may_take(flight, outcome, asked) and await self._collapsed(found, outcome.value)
        if self._flights.under_way.get(flight.key) is not flight:
            return False
        await self._stand_in(found, None, "the app takes too long")
        return True

    async def _send(self, answer: Answer) -> None:
        await answer(self._incoming.send)

    # Asking the app

    async def _shared(self, found: Found, settled: int) -> bool:
        """Lead, or follow whoever leads; False: look again."""
        flight, leads = self._flights.join(self._place.shelf.flight_key(found))
        asked = flight.asked
        if leads:
            await self._lead(flight, found, look_again=self._flights.settled != settled)
            return True
        outcome = await followed(LOOP, flight)
        if isinstance(outcome, Landed):
            value = outcome.value
            if self._may_take(flight, outcome, asked) and await self._collapsed(found, value):
                return True
            if isinstance(value, AppFailed) or not matches(self._incoming.request, value.stored):
                return False
        elif outcome is Then.RETRY:
            return False
        await self._alone(found)
        return True

    def _may_take(self, flight: Flight, outcome: Landed, asked: int) -> bool:
        """Tell whether what others got cannot be older than an invalidation that this request has to heed."""
        return isinstance(outcome.value, AppFailed) or flight.suits(outcome, self._arrived, asked)

    async def _collapsed(self, found: Found, value: AppFailed | Shelved) -> bool:
        """Answer with what somebody else got of the app, if that answers this request, too (RFC 9111 4)."""
        place, request = self._place, self._incoming.request
        if isinstance(value, AppFailed):
            if not self._stands_in(found, value.status):
                return False
            await self._stand_in(found, value.status)
            return True
        fits = matches(request, value.stored)
        if not fits or not isinstance(answer(request, value.stored, place.now(), place.rules), Serve):
            return False
        why = place.decision(self._incoming, found)
        told = self._telling.forwarded(getattr(why, "why", "stale"), collapsed=True)
        await self._send(answer_with(request, value, place.now(), told))
        return True

    def _stands_in(self, found: Found, status: int | None = None) -> bool:
        stored, place = found.stored, self._place
        return stored is not None and stands_in(self._incoming.request, stored, place.now(), place.rules, status)

    async def _stand_in(self, found: Found, status: int | None, detail: str = "") -> None:
        told = self._telling.forwarded("stale", fwd_status=status, detail=detail)
        shelved: Any = found.shelved
        await self._send(answer_with(self._incoming.request, shelved, self._place.now(), told))

    async def _lead(self, flight: Flight, found: Found, *, look_again: bool) -> None:
        """Ask the app for all who wait, here and elsewhere, unless somebody landed while this request looked."""
        try:
            proof = flight.ask()
            found = await self._seek() if look_again else found
            grant = Grant(found, None, proof) if found.found is not None else await self._granted(found, flight)
            shelved = grant.look.found
            attempt = attempt_at(self._place, self._incoming, grant, flight) if shelved is None else None
        except BaseException:
            flight.settle(Then.RETRY)
            raise
        if attempt is not None:
            await forward(attempt)
            return
        flight.settle(Landed(shelved, lambda: shelved, grant.proof))
        if not await self._answered(grant.look):  # it was over in the very moment
            await self._alone(grant.look)

    async def _granted(self, found: Found, flight: Flight) -> Grant[Found]:
        return await granted(self._place.shelf, found, flight, self._seek, may_wait=not is_within())

    async def _alone(self, found: Found) -> None:
        """Ask the app for this request; what it answers is stored where nobody else is about to store one."""
        grant = Grant(found, await self._right(found))
        await forward(attempt_at(self._place, self._incoming, grant, None))

    async def _right(self, found: Found) -> PageRight | None:
        """Ask for the right to store, unless that would be in vain."""
        place, incoming = self._place, self._incoming
        if not self._may_be_stored() and (incoming.method != "HEAD" or found.stored is None):
            return None
        if place.is_shared and place.memory.is_hopeless(incoming.key, is_private=place.is_private(incoming)):
            return None
        return await right_alone(place.shelf, found)
