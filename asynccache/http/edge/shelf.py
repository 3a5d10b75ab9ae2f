"""The stored responses of URLs in one backend, stored where those who look will find them.

Under the key of a URL lies its response; or, where responses name fields in Vary, the index of these. Each variant lies
under a key of its own and repeats the random id of the index, so that removing the URL's key removes them all: no id is
ever stored again once it was removed.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from secrets import token_bytes
from typing import TYPE_CHECKING

import msgspec

from asynccache.core.claims import LEASE_SECONDS, Lead
from asynccache.core.url_keys import group_tags
from asynccache.http.edge.found import Found, Kept, variant_key
from asynccache.http.edge.lookup import Lookup, known_index, remember
from asynccache.http.edge.shelved import Shelved
from asynccache.http.stored import MAX_VARIES, MAX_VARY_NAMES, Index, VaryNames
from asynccache.http.terms import NotTakenError, Terms
from asynccache.loading.changes import Change
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from asynccache.core.claims import Ticket
    from asynccache.http.stored import Stored
    from asynccache.loading.flight import Flight

logger = logging.getLogger(__name__)
INDEX_SECONDS = 86_400.0
"""How long an index is kept at least: it is small."""
NOT_TAKEN = "the store did not take it: away, full, or too small for it"
OVERTAKEN = "invalidated, or stored by somebody else, in the meantime"


class _Delivery(msgspec.Struct, frozen=True):
    """A response on its way to where the request looked, by the right for that place."""

    found: Found
    stored: Stored
    terms: Terms
    flight: Flight | None
    ticket: Ticket

    @property
    def index_terms(self) -> Terms:
        return Terms(max(self.terms.ttl, INDEX_SECONDS), self.terms.tags, None, 0.0)


class Shelf(Lookup):
    """The responses that `CacheMiddleware` keeps in one backend."""

    __slots__ = ()

    async def store(
        self,
        found: Found,
        stored: Stored,
        keep_for: float,
        flight: Flight | None,
        ticket: Ticket,
        *,
        tags: Iterable[str] = (),
    ) -> Kept:
        """Store a response, new or freshened, for `keep_for` seconds, where requests like its own find it.

        The ticket is for where the request looked; give it up where nothing was stored. Nothing lands if the URL's key
        or one of the tags was invalidated since it was granted. Groups (RFC 9875) become tags, too.
        """
        index, tags = found.index, tuple(dict.fromkeys((*stored.tags, *tags)))
        stored = msgspec.structs.replace(stored, tags=tags, index_id=b"" if index is None else index.id)
        why = _refusal(found, stored, keep_for)
        if why or Capability.KEEPS_ENTRIES not in self._backend.capabilities:
            return Kept(Shelved(stored), why or "the store keeps nothing")
        if not self.is_told_of(flight, found):
            return Kept(Shelved(stored), OVERTAKEN)
        terms = Terms(keep_for, (*tags, *group_tags(found.url, stored.groups)), None, 0.0)
        try:
            shelved = await self._delivered(_Delivery(found, stored, terms, flight, ticket))
        except NotTakenError:
            return Kept(Shelved(stored), NOT_TAKEN)
        except Exception:  # whatever a store raises, the answer goes out
            logger.debug("a response could not be stored", exc_info=True)
            return Kept(Shelved(stored), NOT_TAKEN)
        return Kept(Shelved(stored), OVERTAKEN) if shelved is None else Kept(shelved)

    async def _delivered(self, it: _Delivery) -> Shelved | None:
        url, index, stored = it.found.url, it.found.index, it.stored
        if index is None:
            if stored.names:
                return await self._store_first(it)
            shelved = Shelved(stored)
            return shelved if await self._land(url, shelved, it.terms, it.flight, it.ticket) else None
        is_told = set(_with(index.varies, stored.names)) == set(index.varies)
        if not await (self._prolong_index(it, index) if is_told else self._extend_index(it, index)):
            return None
        key, shelved = variant_key(url, index.id, stored.names, stored.values), Shelved(stored)
        if key != it.found.key:
            return await self._store_elsewhere(it, key, shelved)
        return shelved if await self._land(key, shelved, it.terms, it.flight, it.ticket) else None

    async def _store_first(self, it: _Delivery) -> Shelved | None:
        """Store a variant by an id that nobody knows, and then the index, if nothing was invalidated until then."""
        url, stored = it.found.url, it.stored
        index = Index(token_bytes(8), (stored.names,))
        shelved = Shelved(msgspec.structs.replace(stored, index_id=index.id))
        key = variant_key(url, index.id, stored.names, stored.values)
        if not await self._write(key, shelved, it.terms, it.flight):
            return None
        if not await self._land(url, index, it.index_terms, it.flight, it.ticket):
            await self.remove(key)
            return None
        remember(self._backend, url, index, it.index_terms.ttl)
        return shelved

    async def _store_elsewhere(self, it: _Delivery, key: str, shelved: Shelved) -> Shelved | None:
        """Store a variant where the request did not look, since the response names other fields than were expected.

        A right of its own is asked for before the other one shows that nothing was invalidated until now.
        """
        async with self._right_to(key) as own:
            if own is None or not await self._still_stands(it):
                return None
            return shelved if await self._land(key, shelved, it.terms, it.flight, own.ticket) else None

    async def _still_stands(self, it: _Delivery) -> bool:
        """Tell whether nothing was invalidated since its right was granted, and end that."""
        stands = await self._landed(it.found.key, None, it.terms, it.ticket)
        return stands and (it.flight is None or it.flight.begin_storing())

    async def _prolong_index(self, it: _Delivery, index: Index) -> bool:
        """Let the index be there as long as its newest variant, if it is there; no less long than before."""
        url = it.found.url
        known, left = known_index(self._backend, url)
        seconds = max(it.index_terms.ttl, left if known == index else 0.0)
        if not await self._prolong(url, seconds):
            return False
        remember(self._backend, url, index, seconds)
        return True

    async def _extend_index(self, it: _Delivery, known: Index) -> bool:
        """Let requests look by these names, too, if what is known of the URL was not removed meanwhile."""
        url, names, terms = it.found.url, it.stored.names, it.index_terms
        async with self._turn(url) as turn, self._right_to(url) as lead:
            if turn is None or lead is None:
                return False
            entry = await self._opened(url, lead.stale) if self._is_fenced else await self._read(url)
            index = None if entry is None else entry.value
            if not isinstance(index, Index) or index.id != known.id:
                return False
            extended = Index(index.id, _with(index.varies, names))
            if len(extended.varies) > MAX_VARIES:
                return False
            landed = await self._land(url, extended, terms, turn, lead.ticket)
            if landed:
                remember(self._backend, url, extended, terms.ttl)
            return landed

    @asynccontextmanager
    async def _right_to(self, key: str) -> AsyncIterator[Lead | None]:
        """Have the right to store there, if nobody else has it; it ends in any case."""
        with self.shield():
            claimed = await self.claim(Found(key, None, key), LEASE_SECONDS, anew=True)
        if not isinstance(claimed, Lead):
            yield None
            return
        right = self.right(claimed.ticket)
        try:
            yield claimed
        finally:
            await right.give_up()

    async def invalidate(self, url: str) -> bool:
        """Remove all responses of a URL, and let none be stored that is on its way; tell whether there was one.

        Raises `BackendUnavailableError` where the store does not say.
        """
        change = Change(self._flights, self._backend, self._version, url)
        await self._io.twin(change.__enter__, change.__aenter__)
        try:
            return await self._backend.remove(self._io, url, self._version)
        finally:
            await self._io.twin(change.__exit__, change.__aexit__)


def _refusal(found: Found, stored: Stored, keep_for: float) -> str:
    """Say why a response is not to be stored; nothing where it is."""
    index = found.index
    if keep_for <= 0:
        return "it is of no use to later requests"
    if len(stored.names) > MAX_VARY_NAMES:
        return f"its Vary names {len(stored.names)} fields: {MAX_VARY_NAMES} is the most"
    if index is not None and len(_with(index.varies, stored.names)) > MAX_VARIES:
        return f"responses of its URL have {MAX_VARIES} different Vary fields: no more are told apart"
    there = None if found.entry is None else found.entry.value
    if stored.span is not None and isinstance(there, Shelved):
        is_whole = there.stored.span is None and there.is_fresh(stored.received_at)
        return "the whole response is stored, and fresh" if is_whole else ""
    return ""


def _with(varies: tuple[VaryNames, ...], names: VaryNames) -> tuple[VaryNames, ...]:
    """Add the names of a response that is newer than all there are.

    A response without any is not used any more once the URL is known to vary (RFC 9111 4.1).
    """
    kept = varies if not names else [others for others in varies if others]
    return (names, *(others for others in kept if others != names))
