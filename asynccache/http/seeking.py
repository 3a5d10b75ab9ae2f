"""What the store has for a request, and what that is good for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asynccache.core.entry import Kind
from asynccache.core.page_keys import READING
from asynccache.http.pages import Pages
from asynccache.http.snapshot import NO_USER, Snapshot
from asynccache.http.variants import glance
from asynccache.model import Capability

if TYPE_CHECKING:
    from asynccache.http.ask import Ask
    from asynccache.http.call import Call
    from asynccache.http.settings import CacheSettings
    from asynccache.http.variants import Look
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.service import CacheService


async def sought(backend: BaseCacheBackend, pages: Pages, version: Version, ask: Ask) -> Look:
    """Look for a page that is not over: nearby first, which may be all there is."""
    if (peek := backend.peek) is not None:
        look = glance(peek, version, ask)
        if look.found is not None or backend.is_at_hand:
            return look
    return await pages.look(ask)


class Seeking:
    """The store of a handler's pages, as one request sees it.

    Args:
        settings: of the handler.
        service: has the backend where the pages are.
        ask: what is asked for.
        call: how the request can be sent again.
    """

    __slots__ = ("_ask", "_call", "_settings", "backend", "pages", "policy", "version")

    def __init__(self, settings: CacheSettings, service: CacheService, ask: Ask, call: Call) -> None:
        self.backend = service.get_backend(settings.backend)
        self.version = settings.version
        self.policy = settings.policy
        self.pages = Pages(self.backend, service.flights, settings.version, call.io, timed=settings.policy.keeps_times)
        self._settings = settings
        self._ask = ask
        self._call = call

    @property
    def is_shared(self) -> bool:
        """Whether other processes use it, too."""
        return Capability.SHARED in self.backend.capabilities

    async def seek(self) -> Look:
        """Look for the page, and say what it is good for."""
        policy = self.policy
        if not policy.keeps_times:
            return await sought(self.backend, self.pages, self.version, self._ask)
        look = await self.pages.look(self._ask)
        if not self.is_renewable(look.found):
            policy = replace(policy, refresh_ahead=None, stale_while_revalidate=0.0)
        return look.judged(self._ask, policy, self.backend.clock())

    def is_renewable(self, page: Any) -> bool:
        """Tell whether a page is nobody's own, and a request like this can be sent again."""
        ask = self._ask
        if type(page) is not Snapshot or ask.spoken or ask.method not in READING or not self._call.can_be_renewed:
            return False
        return bool(page.record.conditions & NO_USER) or self._settings.public

    def is_not_for_all(self) -> bool:
        """Tell whether its answer is of no use to others, so that nobody need wait for it."""
        ask = self._ask
        return ask.method == "HEAD" or ask.wants_range or self.backend.lifetime(self.policy.ttl) <= 0

    def flight_key(self, look: Look) -> tuple[int, str, Kind]:
        """Give what a flight is known by that makes what was looked for."""
        return self.backend.flight_key(look.key, self.version, Kind.PAGE)
