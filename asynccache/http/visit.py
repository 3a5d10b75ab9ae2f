"""One request on its way past the store: answered from there, leading, following whoever leads, or alone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from asynccache.core.policy import Verdict
from asynccache.errors import ConfigurationError
from asynccache.http.edge.note import EDGE_KEY
from asynccache.http.following import followed
from asynccache.http.mark import Mark, busy, is_busy
from asynccache.http.outer import forbid
from asynccache.http.page_rules import Then
from asynccache.http.pauses import Pauses
from asynccache.http.renewals import Renewal, renewal_in
from asynccache.http.replay import COLLAPSED, replay, stale_label
from asynccache.http.rights import Grant, granted, right_alone, right_to
from asynccache.http.seeking import Seeking
from asynccache.loading.current import running_for
from asynccache.loading.load import check_lock
from asynccache.loading.outcomes import Landed

if TYPE_CHECKING:
    from asynccache.http.ask import Ask
    from asynccache.http.call import Call
    from asynccache.http.current import Installed
    from asynccache.http.handler import Handler
    from asynccache.http.snapshot import Snapshot
    from asynccache.http.variants import Look
    from asynccache.loading.flight import Flight

ROUNDS = 3
_AGAIN = object()  # not None, which handlers return


class Visit:
    """A request that is to be answered.

    Args:
        handler: the cached handler that it came to.
        ask: what it asks for.
        call: how to run the handler.
        found: the cache of its app.
    """

    __slots__ = ("_ask", "_call", "_flights", "_found", "_handler", "_store", "_tags")

    def __init__(self, handler: Handler, ask: Ask, call: Call, found: Installed) -> None:
        self._handler = handler
        self._ask = ask
        self._call = call
        self._found = found
        self._flights = found.service.flights
        self._store = Seeking(handler.settings, found.service, ask, call)
        self._tags: tuple[str, ...] = ()

    async def answer(self) -> Any:
        """Answer it; a few rounds of waiting for others are enough."""
        if (renewal := renewal_in(self._call.scope, self._handler)) is not None:
            return await self._renew(renewal)
        arrived = self._flights.begun
        for _ in range(ROUNDS):
            settled = self._flights.settled
            look = await self._store.seek()
            if look.suits(self._ask):
                return self._answered(look)
            if look.found is not None or self._store.is_not_for_all() or not self._has_tags():
                return await self._run(look.why)
            if look.stand_in is not None and (page := await self._in_its_place(look, look.stand_in)) is not None:
                return page
            if self._ask.is_private:
                return await self._record_alone(look)
            if (answer := await self._shared(look, arrived, settled)) is not _AGAIN:
                return answer
        return await self._run(b"fwd=uri-miss")

    def _has_tags(self) -> bool:
        """Tell whether its arguments make tags; those that the client chose may be of no use."""
        try:
            self._tags = self._handler.tags(self._call)
        except ConfigurationError:
            raise
        except ValueError as error:
            self._handler.tell_once(str(error), about="tags")
            return False
        return True

    # Answering from the store

    def _answered(self, look: Look) -> Any:
        if look.verdict is Verdict.DUE:
            self._renew_behind(look)
        return self._replay(look.found, stale_label(look.entry, self._store.backend.clock()))

    def _replay(self, found: Any, label: bytes = b"") -> Any:
        ask = self._ask
        if EDGE_KEY in ask.scope:
            self._handler.tell_outer(ask.scope, ask.headers, (ask.key, ask.owner), self._found, found.record)
        return self._call.replayed(replay(found, self._ask, self._store.backend.clock(), label))

    async def _in_its_place(self, look: Look, page: Snapshot) -> Any:
        """Answer with a page that is over, where a new one cannot be had at all, or not soon enough."""
        soon = self._store.policy.soft_timeout
        if not self._pauses(look).is_on:
            if soon is None or not self._store.is_renewable(page) or (flight := self._renew_behind(look)) is None:
                return None
            await followed(self._call.io, flight, soon)
            newer = await self._store.seek()
            if newer.suits(self._ask):
                return self._answered(newer)
        return self._replay(page, stale_label(look.entry, self._store.backend.clock()))

    # Running the handler

    async def _shared(self, look: Look, arrived: int, settled: int) -> Any:
        """Lead, or follow whoever leads; `_AGAIN`: look again."""
        flight, leads = self._flights.join(self._store.flight_key(look))
        asked = flight.asked
        if leads:
            return await self._lead(flight, look, look_again=self._flights.settled != settled)
        outcome = Then.RUN if is_busy() else await followed(self._call.io, flight)
        if isinstance(outcome, Landed):
            page, may_share = outcome.value, flight.suits(outcome, arrived, asked)
            return self._replay(page, COLLAPSED) if may_share and self._ask.is_answered_by(page.record) else _AGAIN
        return _AGAIN if outcome is Then.RETRY else await self._run_or_stand_in(look)

    async def _run(self, label: bytes) -> Any:
        """Run the handler for this request alone."""
        forbid(self._ask.scope, "@Cache has not seen what its handler read")
        return self._call.recorded(await self._call.run(), None, label)

    async def _run_or_stand_in(self, look: Look) -> Any:
        """Run the handler alone, unless it has just failed and an older page stands in."""
        if look.stand_in is not None and self._pauses(look).is_on:
            return self._replay(look.stand_in, stale_label(look.entry, self._store.backend.clock()))
        return await self._run(b"fwd=uri-miss")

    async def _lead(self, flight: Flight, look: Look, *, look_again: bool) -> Any:
        """Run the handler for all who wait, here and elsewhere, unless somebody landed while this request looked."""
        try:
            proof = flight.ask()
            look = await self._store.seek() if look_again else look
            grant = Grant(look, None, proof) if look.found is not None else await self._granted(look, flight)
        except BaseException:
            flight.settle(Then.RETRY)
            raise
        look = grant.look
        if look.found is None:
            return await self._record(grant, flight)
        if look.suits(self._ask):
            page = look.found
            flight.settle(Landed(page, lambda: page, grant.proof))
            return self._answered(look)
        flight.settle(Then.RUN)
        return await self._run(look.why)

    async def _granted(self, look: Look, flight: Flight) -> Grant[Look]:
        check_lock(self._store.policy, self._store.backend)
        may_wait = not is_busy() and self._store.policy.lock is not False
        return await granted(self._store.pages, look, flight, self._store.seek, may_wait=may_wait)

    async def _record_alone(self, look: Look) -> Any:
        """Run the handler for a request that nobody follows, and whose answer may be for all, as the answer says.

        Most are not, and those of other processes are not to wait for them: the right to store is asked for only where
        that costs nothing, or such an answer was seen before.
        """
        may_store = self._handler.shares_private or not self._store.is_shared
        return await self._record(Grant(look, await right_alone(self._store.pages, look) if may_store else None), None)

    async def _record(self, grant: Grant[Look], flight: Flight | None, behind: Renewal | None = None) -> Any:
        """Run the handler and mark its answer; what becomes of that is seen when it is sent."""
        try:
            mark = self._mark(grant, flight, behind)
        except BaseException:
            if grant.right is not None:
                grant.right.stop()
            if flight is not None:
                flight.settle(Then.RUN)
            raise
        try:
            with busy(), running_for(mark.current):
                response = await self._call.run()
        except Exception as error:
            instead = await mark.fail(error)
            if instead is None:
                raise
        except BaseException:
            await mark.leave(Then.RETRY)
            raise
        else:
            mark.is_none = response is None
            return self._call.recorded(response, mark, grant.look.why)
        return self._call.replayed(instead)

    def _mark(self, grant: Grant[Look], flight: Flight | None, behind: Renewal | None) -> Mark:
        return Mark(
            handler=self._handler,
            ask=self._ask,
            look=grant.look,
            pages=self._store.pages,
            pauses=self._pauses(grant.look),
            now=self._store.backend.clock,
            usual=self._store.backend.lifetime(self._store.policy.ttl),
            tags=self._tags,
            flight=flight,
            right=grant.right,
            behind=behind,
            reads=self._call.watch(self._found.lifespan_state),
            proof=grant.proof if grant.right is None else 0,
            error=sys.exc_info()[1],
        )

    def _pauses(self, look: Look) -> Pauses:
        failures = self._found.service.loader.runner.failures
        return Pauses(failures, self._store.backend, look.key, self._store.version, self._store.policy)

    # Renewing

    def _renew_behind(self, look: Look) -> Flight | None:
        """Begin to renew a page, unless somebody does; None where that failed a moment ago, or cannot be done."""
        pauses = self._pauses(look)
        if pauses.is_on:
            return None
        flight, leads = self._flights.join(self._store.flight_key(look))
        if leads:
            try:
                self._call.renew(Renewal(self._handler, flight, pauses), self._found.service.loader.runner)
            except BaseException:
                flight.settle(Then.RETRY)
                raise
        return flight

    async def _renew(self, renewal: Renewal) -> Any:
        """Run the handler for a request that was sent to renew a page, unless somebody else has renewed it."""
        flight = renewal.flight
        proof = flight.ask()
        look = await self._store.seek()
        page = look.found if look.suits(self._ask) else look.stand_in
        if look.suits(self._ask) and look.verdict is Verdict.FRESH:
            renewal.is_done = True
            flight.settle(Landed(page, lambda: page, proof))
        elif self._has_tags():
            right = await right_to(self._store.pages, look)
            if right is not None:
                return await self._record(Grant(look, right), flight, renewal)
            renewal.is_done = True  # somebody else is at it, or the store is away
        return self._replay(page) if page is not None else await self._run(look.why)
