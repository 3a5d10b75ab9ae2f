"""One request on its way past the store: answered from there, leading, following whoever leads, or alone."""

from __future__ import annotations

import sys
from time import monotonic
from typing import TYPE_CHECKING, Any

import anyio

from asynccache.core.entry import Kind
from asynccache.http.mark import Mark, busy, is_busy, seconds_on_its_way
from asynccache.http.replay import replay
from asynccache.http.rules import Then
from asynccache.http.snapshot import Snapshot, Spec
from asynccache.http.variants import Pages, glance

if TYPE_CHECKING:
    from asynccache.http.ask import Ask
    from asynccache.http.call import Call
    from asynccache.http.current import Installed
    from asynccache.http.handler import Handler
    from asynccache.http.variants import Look
    from asynccache.loading.flights import Flight

FOLLOW_SECONDS = 30.0
SENDING_SECONDS = 1.0
SLOW_SECONDS = 10.0
ROUNDS = 3
BYPASS = b"fwd=bypass"


class Visit:
    """A request that is to be answered.

    Args:
        handler: the cached handler that it came to.
        ask: what it asks for.
        call: how to run the handler.
        found: the cache of its app.
    """

    __slots__ = ("_ask", "_backend", "_call", "_flights", "_found", "_handler", "_pages")

    def __init__(self, handler: Handler, ask: Ask, call: Call, found: Installed) -> None:
        self._handler = handler
        self._ask = ask
        self._call = call
        self._found = found
        self._flights = found.service.flights
        self._backend = found.service.get_backend(handler.settings.backend)
        self._pages = Pages(self._backend, handler.settings.version, call.io)

    async def answer(self) -> Any:
        """Answer it; a few rounds of waiting for others are enough."""
        for _ in range(ROUNDS):
            settled = self._flights.settled
            look = await self._seek()
            if look.suits(self._ask):
                return self._replay(look.found)
            if look.found is not None or self._is_not_for_all():
                return await self._run(_forward(look))
            if self._ask.is_private:
                return await self._record(look, None)
            version = self._handler.settings.version
            flight, leads = self._flights.join(self._backend.flight_key(look.key, version, Kind.PAGE))
            if leads:
                return await self._lead(flight, look, look_again=self._flights.settled != settled)
            outcome = Then.RUN if is_busy() else await self._call.io.twin(_follow_in_thread, _follow, flight)
            if isinstance(outcome, Snapshot) and self._ask.is_answered_by(outcome.record):
                return self._replay(outcome, collapsed=True)
            if outcome is Then.RUN or outcome is Then.MARK:
                break
        return await self._run(b"fwd=uri-miss")

    async def _seek(self) -> Look:
        peek = self._backend.peek
        if peek is not None:
            return glance(peek, self._handler.settings.version, self._ask)
        return await self._pages.look(self._ask)

    def _is_not_for_all(self) -> bool:
        """Tell whether its answer is of no use to others, so that nobody need wait for it."""
        ask = self._ask
        return ask.method == "HEAD" or ask.wants_range or self._backend.lifetime(self._handler.settings.ttl) <= 0

    def _replay(self, found: Any, *, collapsed: bool = False) -> Any:
        return self._call.replayed(replay(found, self._ask, self._backend.clock(), collapsed=collapsed))

    async def _run(self, label: bytes) -> Any:
        """Run the handler for this request alone."""
        return self._call.recorded(await self._call.run(), None, label)

    async def _lead(self, flight: Flight, look: Look, *, look_again: bool) -> Any:
        """Run the handler for all who wait, unless somebody landed while this request looked."""
        try:
            look = await self._seek() if look_again else look
        except BaseException:
            flight.settle(Then.RETRY)
            raise
        if look.found is None:
            return await self._record(look, flight)
        suits = look.suits(self._ask)
        flight.settle(look.found if suits else Then.RUN)
        return self._replay(look.found) if suits else await self._run(_forward(look))

    async def _record(self, look: Look, flight: Flight | None) -> Any:
        """Run the handler and mark its answer; what becomes of that is seen when it is sent."""
        try:
            mark = self._mark(look, flight)
        except BaseException:
            if flight is not None:
                flight.settle(Then.RUN)
            raise
        try:
            with busy():
                response = await self._call.run()
        except Exception:
            mark.land(Then.RUN)
            raise
        except BaseException:
            mark.land(Then.RETRY)
            raise
        return self._call.recorded(response, mark, _forward(look))

    def _mark(self, look: Look, flight: Flight | None) -> Mark:
        return Mark(
            handler=self._handler,
            ask=self._ask,
            look=look,
            pages=self._pages,
            ttl=self._backend.lifetime(self._handler.settings.ttl),
            now=self._backend.clock,
            flight=flight,
            reads=self._call.watch(self._found.lifespan_state),
            error=sys.exc_info()[1],
        )


async def _follow(flight: Flight) -> Snapshot | Then:
    """Wait for whoever runs the handler, but not for ever, and less for one who sends a stream to a slow reader."""
    with anyio.move_on_after(FOLLOW_SECONDS):
        while not _is_slow(flight):
            with anyio.move_on_after(SENDING_SECONDS):
                return _landed(await flight.wait())
    return Then.RUN


def _follow_in_thread(flight: Flight) -> Snapshot | Then:
    give_up_at = monotonic() + FOLLOW_SECONDS
    while monotonic() < give_up_at and not _is_slow(flight):
        try:
            return _landed(flight.wait_in_thread(SENDING_SECONDS))
        except TimeoutError:
            continue
    return Then.RUN


def _is_slow(flight: Flight) -> bool:
    """Tell whether the answer is sent so slowly that nobody waits for it; in the end, it is not stored either."""
    seconds = seconds_on_its_way(flight)
    if seconds >= SLOW_SECONDS:
        flight.break_off(Then.RUN)
    return seconds >= SENDING_SECONDS


def _landed(outcome: Any) -> Snapshot | Then:
    return outcome if isinstance(outcome, Snapshot | Then) else Then.RETRY


def _forward(look: Look) -> bytes:
    """Say why the request went to the handler (RFC 9211 2.2)."""
    if look.found is not None:
        return BYPASS
    return b"fwd=vary-miss" if isinstance(look.base, Spec | Snapshot) else b"fwd=uri-miss"
