"""An answer that is to be recorded: who waits for it, what was read for it, and what is to become of it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

import msgspec

from asynccache.core.tags import tagged
from asynccache.core.web_types import status_of
from asynccache.errors import CacheError
from asynccache.http.carried import CARRIED_USER
from asynccache.http.current import installed
from asynccache.http.outer import forbid, is_for_nobody, is_told, tell_tags
from asynccache.http.page_rules import Allowed, Refusal, Then, judge_reads
from asynccache.http.replay import replay, stale_label
from asynccache.http.snapshot import EMPTY_SESSION, NO_USER, SHARED, SHARED_STATE, Pass, Record, Snapshot
from asynccache.http.statement import may_state, statement
from asynccache.http.terms import NotTakenError, Terms
from asynccache.http.turn import Turn
from asynccache.http.witness import Testimony, testify
from asynccache.http.worth import worth
from asynccache.loading.current import CurrentLoad
from asynccache.loading.outcomes import Landed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asynccache.core.policy import CachePolicy
    from asynccache.http.ask import Ask
    from asynccache.http.handler import Handler
    from asynccache.http.headers import Pair
    from asynccache.http.pages import Pages
    from asynccache.http.pauses import Pauses
    from asynccache.http.reads import Reads
    from asynccache.http.renewals import Renewal
    from asynccache.http.replay import Replay
    from asynccache.http.variants import Look

logger = logging.getLogger(__name__)
_busy: ContextVar[bool] = ContextVar("asynccache_busy", default=False)
_SERVER_ERROR = 500
_UNWORTHY = "the condition of its policy is not met"


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


@dataclass(slots=True, eq=False, kw_only=True)
class Mark(Turn):
    """An answer that is to be recorded, the right to store it, and the flight of those who wait for it.

    Outcomes are `Landed` with a `Snapshot`, or what a `Then` says: RUN and MARK, run your own; RETRY, look again. What
    is `behind` renews a page that somebody else was answered with. `proof` is that of an answer which is not stored,
    `is_none` whether the handler returned None.
    """

    handler: Handler
    ask: Ask
    look: Look
    pages: Pages
    pauses: Pauses
    now: Callable[[], float]
    usual: float
    tags: tuple[str, ...]
    behind: Renewal | None
    reads: Reads
    proof: int = 0
    current: CurrentLoad = field(default_factory=CurrentLoad)
    error: BaseException | None = None
    is_none: bool = False

    def let_go(self) -> None:
        """Watch no more what is read."""
        self.reads.stop()

    def __del__(self) -> None:
        self.land(Then.RETRY)  # the answer was dropped by somebody in between

    async def fail(self, error: Exception) -> Replay | None:
        """Note that there is no answer but this; give the older page, where it stands in."""
        if not self.open:
            return None
        said = status_of(error)
        if said in self.handler.settings.statuses:
            self.handler.tell_once(f"its {said} was raised: return a response with that status", about="raised")
        page = self.look.stand_in if said is None or said >= _SERVER_ERROR else None
        if page is not None or self.behind is not None:
            self.pauses.begin(error)
        if self.behind is not None:
            self.behind.is_done = True
        await self.leave(Then.RUN)
        if page is None:
            return None
        logger.warning("an older page of %s stands in for %s", self.handler.name, type(error).__name__, exc_info=error)
        now = self.now()
        return replay(page, self.ask, now, stale_label(self.look.entry, now))

    async def replaced(self, status: int) -> Replay | None:
        """Give the older page that stands in where this is the status of the answer."""
        if status < _SERVER_ERROR:
            return None
        return await self.fail(CacheError(f"{self.handler.name} answered {status}"))

    async def refuse(self, refusal: Refusal) -> None:
        """Let those who wait go on, and later ones not wait at all where that would be in vain."""
        seen, settings = self.reads.seen(), self.handler.settings
        testify(Testimony(self.handler.name, self.ask.key, seen, refusal.why))
        private = refusal if refusal.of_reads else judge_reads(seen, Allowed(), settings, self.ask.spoken)
        if private is not None:
            forbid(self.ask.scope, private.why)
        then = refusal.then
        if then is Then.MARK and settings.public and not refusal.of_reads and (seen.identity or seen.everything):
            then = Then.RUN  # it may be for this client alone, who is not to keep others from the cache
        if then is Then.MARK and self.flight is not None and self.behind is None:
            self.land(then)
            found = Pass(refusal.why, self.ask.is_personal())
            names = tuple(sorted(seen.names | settings.vary))
            try:
                await self.pages.mark(self.ask, self.look, found, names, self.flight)
            except Exception:  # whatever a store raises, the answer goes out
                logger.debug("a page could not be marked", exc_info=True)
            if self.right is not None:
                await self.right.give_up()
        else:
            await self.leave(then)
        if refusal.telling:
            self.handler.tell_once(refusal.why)

    def judge_reads(self, allowed: Allowed) -> Refusal | None:
        """Judge what was read so far."""
        settings = self.handler.settings
        refusal = judge_reads(self.reads.seen(), allowed, settings, self.ask.spoken)
        if refusal is None and self.ask.is_private:
            if not allowed.shared:
                return Refusal("its request carries Authorization", Then.RETRY, telling=False)
            self.handler.shares_private = True
        return refusal

    async def store(self, record: Record) -> Snapshot | None:
        """Store what was recorded and tell those who wait."""
        seconds = worth(self._policy, record, self.usual, is_none=self.is_none)
        terms, refusal = self._terms(seconds or 0.0), _UNWORTHY if seconds is None else ""
        seen, key = self.reads.seen(), self.ask.key
        testify(Testimony(self.handler.name, key, seen, refusal, record.names, terms.ttl, terms.tags))
        record = self._with_terms(record, terms)
        proof = 0 if self.flight is None else self.flight.ask()
        snapshot = None
        try:
            snapshot = await self._stored(record, terms)
        except NotTakenError:
            self._tell_not_taken(record)
        except Exception:  # whatever a store raises, the answer goes out
            self._tell_not_taken(record)
            logger.debug("a page could not be stored", exc_info=True)
        page = snapshot or Snapshot(msgspec.structs.replace(record, control=b""))
        self.pauses.end()
        if self.behind is not None:
            self.behind.is_done = True
        self.land(Landed(page, lambda: page, proof if snapshot else self.proof))
        return snapshot

    def _with_terms(self, record: Record, terms: Terms) -> Record:
        """Give what is recorded with what it says of how long it is good for, and of its tags."""
        settings, ask, now = self.handler.settings, self.ask, self.now()
        ahead, control = settings.policy.refresh_ahead, b""
        may_tell = may_state(settings, ask.method, record) and not is_for_nobody(ask.scope, record)
        if terms.ttl >= 1 and may_tell:
            control = statement(settings.cache_control, now - record.stored_at + terms.ttl, settings.policy)
        renew_at = inf if ahead is None else now + ahead * terms.ttl
        return msgspec.structs.replace(record, renew_at=renew_at, control=control, tags=terms.tags)

    async def _stored(self, record: Record, terms: Terms) -> Snapshot | None:
        if self.right is None:
            return None
        snapshot, told = None, self.flight_told
        if terms.ttl > 0 and (told is None or told.begin_storing()):
            snapshot = await self.pages.store(self.ask, self.look, record, terms, told, self.right.ticket)
        elif terms.ttl <= 0 and self.look.entry is not None:
            await self.pages.remove(self.look.key)
        if snapshot is None:
            await self.right.give_up()
        return snapshot

    def _tell_not_taken(self, record: Record) -> None:
        self.handler.tell_once(
            f"the store did not take its page of {len(record.body)} bytes: away, full, or too small for it",
            about="store",
        )

    def tell_tags(self) -> None:
        """Tell what is around the app by which tags the answer goes."""
        tell_tags(self.ask.scope, (*self.tags, *self.current.tags))

    def added(self, page: Snapshot) -> tuple[Pair, ...]:
        """Give the fields that are ours of an answer that was stored as this page, and tell what is around the app."""
        ask = self.ask
        self.handler.tell_outer(ask.scope, ask.headers, (ask.key, ask.owner), installed(ask.scope), page.record)
        return page.added(states=is_told(ask.scope, ask.headers, page.record))

    @property
    def _policy(self) -> CachePolicy:
        """The policy; what the handler said for this page beats it."""
        return self.current.applied(self.handler.settings.policy)

    def _terms(self, ttl: float) -> Terms:
        """Say how to store it for so many seconds."""
        stale = self.handler.settings.policy.kept_seconds
        return Terms(ttl, tagged((*self.tags, *self.current.tags)), stale, max(ttl, self.usual) + (stale or 0.0))

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
