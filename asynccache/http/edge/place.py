"""Where one request's answer may be stored, and by which rules."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec

from asynccache.http.edge.telling import Telling
from asynccache.http.rules import Serve, answer, select
from asynccache.model import Capability

if TYPE_CHECKING:
    from asynccache.http.edge.found import Found
    from asynccache.http.edge.incoming import App, Incoming
    from asynccache.http.edge.memory import Memory
    from asynccache.http.edge.settings import EdgeSettings
    from asynccache.http.edge.shelf import Shelf
    from asynccache.http.profile import Rules
    from asynccache.http.rules import Decision, Request
    from asynccache.model import BaseCacheBackend
    from asynccache.service import CacheService


class Place(msgspec.Struct, frozen=True):
    """What is the same for all that is done for a request.

    Args:
        app: what stands behind the middleware.
        settings: what that was told.
        memory: what it remembers.
        service: has the flights, and runs what goes on behind.
        backend: where the responses are.
        shelf: the same, by URLs.
    """

    app: App
    settings: EdgeSettings
    memory: Memory
    service: CacheService
    backend: BaseCacheBackend
    shelf: Shelf

    @property
    def rules(self) -> Rules:
        """By which it is stored and answered."""
        return self.settings.rules

    @property
    def is_shared(self) -> bool:
        """Whether other processes use the backend, too."""
        return Capability.SHARED in self.backend.capabilities

    def now(self) -> float:
        """Give the time, in seconds since 1970."""
        return self.settings.clock()

    async def seek(self, incoming: Incoming) -> Found:
        """Look for what is stored for a request."""
        request = incoming.request
        found = await self.shelf.find(incoming.key, request.headers, partial(select, request))
        return found.judged(answers=isinstance(self.decision(incoming, found), Serve))

    def decision(self, incoming: Incoming, found: Found) -> Decision:
        """Decide how a request is answered, by what was found for it."""
        return answer(incoming.request, found.stored, self.now(), self.rules, others=found.has_others)

    def telling(self, incoming: Incoming) -> Telling:
        """Give what writes our member of Cache-Status."""
        return Telling(self.settings, incoming.key)

    def slices(self, request: Request) -> bool:
        """Tell whether all is to be fetched for a request that asks for a part."""
        return self.settings.whole_ranges and request.method == "GET" and request.has(b"range")

    def is_private(self, incoming: Incoming) -> bool:
        """Tell whether a request carries an identity, so that its answer may be of use to nobody else."""
        request = incoming.request
        return request.has(b"authorization") or (request.has(b"cookie") and not self.rules.profile.trusts_cookies)
