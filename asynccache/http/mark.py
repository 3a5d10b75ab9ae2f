"""An answer that is to be recorded: who waits for it, what was read for it, and what is to become of it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from asynccache.http.carried import CARRIED_USER
from asynccache.http.rules import Allowed, Refusal, Then, judge_reads
from asynccache.http.snapshot import EMPTY_SESSION, NO_USER, SHARED, SHARED_STATE, Pass, Record, Snapshot, Spec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asynccache.http.ask import Ask
    from asynccache.http.handler import Handler
    from asynccache.http.reads import Reads
    from asynccache.http.variants import Look, Pages
    from asynccache.loading.flights import Flight

logger = logging.getLogger(__name__)
_busy: ContextVar[bool] = ContextVar("asynccache_busy", default=False)


_sent_since: dict[Flight, float] = {}
"""When the first part was sent of answers that are on their way, in this process."""


def seconds_on_its_way(flight: Flight) -> float:
    """Give for how long an answer has been sent already: its client decides how long that takes."""
    since = _sent_since.get(flight)
    return 0.0 if since is None else monotonic() - since


def is_busy() -> bool:
    """Tell whether this runs on behalf of a request that others wait for: it must not wait for others."""
    return _busy.get()


@contextmanager
def busy() -> Iterator[None]:
    """Mark what runs here as part of an answer that others may wait for."""
    token = _busy.set(True)
    try:
        yield
    finally:
        _busy.reset(token)


def set_busy(busy: bool) -> None:  # noqa: FBT001  # what it is set to
    """Mark the rest of this context likewise, or as it was before."""
    _busy.set(busy)


@dataclass(slots=True, eq=False)
class Mark:
    """An answer that is to be recorded, and the flight of those who wait for it.

    Outcomes are a `Snapshot`, or what a `Then` says: RUN and MARK, run your own; RETRY, look again.
    """

    handler: Handler
    ask: Ask
    look: Look
    pages: Pages
    ttl: float
    now: Callable[[], float]
    flight: Flight | None
    reads: Reads
    error: BaseException | None = None
    open: bool = True

    def land(self, outcome: Snapshot | Then) -> None:
        """Tell those who wait; only the first call counts."""
        if self.open:
            self.open = False
            self.reads.stop()
            if self.flight is not None:
                _sent_since.pop(self.flight, None)
                self.flight.settle(outcome)

    def __del__(self) -> None:
        self.land(Then.RETRY)  # the answer was dropped by somebody in between

    def sent_a_part(self) -> None:
        """Note that the answer is on its way, and not complete."""
        if self.open and self.flight is not None:
            _sent_since.setdefault(self.flight, monotonic())

    async def refuse(self, refusal: Refusal) -> None:
        """Let those who wait go on, and later ones not wait at all where that would be in vain."""
        seen, settings = self.reads.seen(), self.handler.settings
        then = refusal.then
        if then is Then.MARK and settings.public and not refusal.of_reads and (seen.identity or seen.everything):
            then = Then.RUN  # it may be for this client alone, who is not to keep others from the cache
        self.land(then)
        if refusal.telling:
            self.handler.tell_once(refusal.why)
        if then is Then.MARK and self.flight is not None:
            found = Pass(refusal.why, self.ask.is_personal())
            names = tuple(sorted(seen.names | settings.vary))
            try:
                await self.pages.mark(self.ask, self.look, found, names, self.flight)
            except Exception:  # whatever a store raises, the answer goes out
                logger.debug("a page could not be marked", exc_info=True)

    def judge_reads(self, allowed: Allowed) -> Refusal | None:
        """Judge what was read so far."""
        settings = self.handler.settings
        refusal = judge_reads(self.reads.seen(), allowed, settings, self.ask.spoken)
        if refusal is None and self.ask.is_private and not allowed.shared:
            return Refusal("its request carries Authorization", Then.RETRY, telling=False)
        return refusal

    async def store(self, record: Record) -> Snapshot | None:
        """Store what was recorded and tell those who wait."""
        try:
            snapshot = await self.pages.store(self.ask, self.look, record, self.ttl, self.flight)
        except Exception:  # whatever a store raises, the answer goes out
            logger.debug("a page could not be stored", exc_info=True)
            snapshot = None
        self.land(snapshot or Snapshot(record))
        if snapshot is None and not isinstance(self.look.base, Spec) and not (self.flight and self.flight.doomed):
            self.handler.tell_once(
                f"the store did not take its page of {len(record.body)} bytes: away, full, or too small for it",
                about="store",
            )
        return snapshot

    def names(self, allowed: Allowed) -> tuple[bytes, ...]:
        """Give the names of the headers that the answer depends on."""
        return tuple(sorted(self.reads.seen().names | allowed.vary | self.handler.settings.vary))

    def conditions(self, allowed: Allowed) -> int:
        """Give what else must hold of requests that this answers."""
        found = self.reads.conditions()
        public, spoken = self.handler.settings.public, self.ask.spoken
        if public or "session" in spoken:
            found &= ~EMPTY_SESSION
        if public or CARRIED_USER in spoken:
            found &= ~NO_USER
        if public:
            found &= ~SHARED_STATE
        return found | (SHARED if allowed.shared else 0)
