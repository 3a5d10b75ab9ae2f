"""The right to store a page: getting it, waiting for whoever has it, and renewing it while the handler runs."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import anyio
import msgspec

from asynccache.core.claims import LEASE_SECONDS, Held, Hit, Lead
from asynccache.http import following
from asynccache.loading.leases import holding
from asynccache.loading.outcomes import GONE
from asynccache.plan.io import run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asynccache.core.claims import Claimed, Ticket
    from asynccache.core.entry import Entry
    from asynccache.http.page_store import PageStore
    from asynccache.loading.flight import Flight
    from asynccache.model import BaseCacheBackend
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
UNDOUBTED = sys.maxsize
"""The proof of an answer where no store could be asked, since nobody could invalidate anything there."""


class Sought(Protocol):
    """What a request found: `found` is what it is to be answered with, if anything; `entry` is what lies at the key."""

    @property
    def key(self) -> str:
        """Where it lies, or is to lie."""

    @property
    def entry(self) -> Entry | None:
        """What lies there, whatever it is."""

    @property
    def found(self) -> object | None:
        """What keeps the request from asking for the right."""


L = TypeVar("L", bound=Sought)


class PageRight:
    """A right that is renewed until it is used, given up, or until `stop`.

    Args:
        io: how plans wait.
        backend: the one that granted it.
        ticket: the right.
        told: where the store has no fences and nobody follows: a flight that is told when the key changes.
    """

    __slots__ = ("_backend", "_holding", "_io", "ticket", "told")

    def __init__(self, io: IO, backend: BaseCacheBackend, ticket: Ticket, told: Flight | None = None) -> None:
        self.ticket = ticket
        self.told = told
        self._io = io
        self._backend = backend
        self._holding = holding(io, backend, ticket, LEASE_SECONDS)

    def stop(self) -> None:
        """Renew it no more: it ends by itself."""
        self._holding.stop()
        if self.told is not None:
            self.told.settle(GONE)

    async def end_in(self, seconds: float) -> None:
        """Renew it once more, for so many seconds."""
        self.stop()
        if self.ticket.token:
            with suppress(Exception):  # whatever a store raises, the answer goes on
                await self._backend.hold(self._io, self.ticket, seconds)

    async def give_up(self) -> None:
        """Let others load, also where this request is being cancelled."""
        self.stop()
        if self.ticket.token:
            await self._io.twin(self._release_at_once, self._release_shielded)

    def _release_at_once(self) -> None:
        run(self._release())

    async def _release_shielded(self) -> None:
        with anyio.CancelScope(shield=True):
            await self._release()

    async def _release(self) -> None:
        with suppress(Exception):  # likewise
            await self._backend.release(self._io, self.ticket)


class Grant(msgspec.Struct, Generic[L], frozen=True):
    """What a request goes on with: what it found last, and the right to store what it did not find.

    Without the right, because the store is away or another process loads for too long, the handler runs all the same.
    `proof` is the number of the last question to the store.
    """

    look: L
    right: PageRight | None
    proof: int = 0


async def granted(
    pages: PageStore, look: L, flight: Flight, seek: Callable[[], Awaitable[L]], *, may_wait: bool
) -> Grant[L]:
    """Get the right to store, waiting for whoever has it, but not for ever; or find what somebody else has stored."""
    give_up_at = monotonic() + following.FOLLOW_SECONDS
    proof, anew = flight.ask(), False
    while (claimed := await _claimed(pages, look, anew=anew)) is not None:
        if isinstance(claimed, Lead):
            return Grant(look, pages.right(claimed.ticket), proof)
        left = give_up_at - monotonic()
        if left <= 0 or (isinstance(claimed, Held) and not may_wait):
            return Grant(look, None)
        if isinstance(claimed, Held):
            await pages.attend(look, min(claimed.seconds, left))
        anew = isinstance(claimed, Hit)  # which may be of no use to this request
        proof = flight.ask()
        look = await seek()
        if look.found is not None:
            return Grant(look, None, proof)
    return Grant(look, None, UNDOUBTED)


async def right_to(pages: PageStore, look: Sought) -> PageRight | None:
    """Get the right to store, if nobody else has it and the store answers."""
    claimed = await _claimed(pages, look)
    return pages.right(claimed.ticket) if isinstance(claimed, Lead) else None


async def right_alone(pages: PageStore, look: Sought) -> PageRight | None:
    """Get it for a request that nobody follows: it has no flight that would be told when the key changes."""
    claimed = await _claimed(pages, look)
    return pages.right(claimed.ticket, pages.told_of(look)) if isinstance(claimed, Lead) else None


async def _claimed(pages: PageStore, look: Sought, *, anew: bool = False) -> Claimed | None:
    """Ask for the right; None where the store does not answer."""
    try:
        with pages.shield():  # what is granted is known, and given up, also where this request is being cancelled
            return await pages.claim(look, LEASE_SECONDS, anew=anew)
    except Exception:  # whatever a store raises, the handler answers
        logger.debug("a page could not be claimed", exc_info=True)
        return None
