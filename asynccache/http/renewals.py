"""Renewing pages behind the back of their readers: a copy of the request goes through the app once more.

The handler is not simply called again, since its dependencies would be closed. The copy comes to the same wrapper,
which runs the handler and stores the answer in place of the old page; what the copy is answered goes nowhere.
"""

from __future__ import annotations

import logging
from math import inf
from typing import TYPE_CHECKING, Any

import anyio

from asynccache.errors import CacheError
from asynccache.http.entrance import ENTRANCE_KEY
from asynccache.http.mark import set_busy
from asynccache.http.nobody import Nobody
from asynccache.loading.circles import inside
from asynccache.loading.outcomes import GONE, Gone

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from asynccache.http.entrance import Entrance
    from asynccache.http.handler import Handler
    from asynccache.http.pauses import Pauses
    from asynccache.loading.flight import Flight
    from asynccache.loading.running import Runner

logger = logging.getLogger(__name__)
RENEWAL_KEY = "asynccache.renewal"


class Renewal:
    """One page that is being renewed: it travels in the scope of the copied request, and `is_done` when that is known.

    Args:
        handler: whose page it is.
        flight: of those who wait for it, if anybody does.
        pauses: where its failure is noted.
    """

    __slots__ = ("_is_taken", "flight", "handler", "is_done", "pauses")

    def __init__(self, handler: Handler, flight: Flight, pauses: Pauses) -> None:
        self.handler = handler
        self.flight = flight
        self.pauses = pauses
        self.is_done = False
        self._is_taken = False

    @property
    def name(self) -> str:
        """What its task is called."""
        return f"asynccache renews {self.handler.name}"

    @property
    def seconds(self) -> float:
        """How long it may take."""
        limit = self.handler.settings.policy.hard_timeout
        return inf if limit is None else limit

    def is_for(self, handler: Handler) -> bool:
        """Tell whether the request that a handler was called for is the one that renews its page: once."""
        is_mine = handler is self.handler and not self._is_taken
        self._is_taken |= is_mine
        return is_mine

    def end(self, error: Exception | None = None) -> None:
        """Note that the copied request is answered; unless the page was renewed, that is a failure."""
        if error is not None:
            logger.warning("a page of %s could not be renewed", self.handler.name, exc_info=error)
        if not self.is_done:
            self.pauses.begin(error or CacheError(f"{self.handler.name} gave no page that could be stored"))


def renewal_in(scope: MutableMapping[str, Any], handler: Handler) -> Renewal | None:
    """Find the renewal that a request was made for, once."""
    renewal: Renewal | None = scope.get(RENEWAL_KEY)
    return renewal if renewal is not None and renewal.is_for(handler) else None


def begin(renewal: Renewal, entrance: Entrance, runner: Runner) -> None:
    """Send a copy of the request that came in there, in a task that the cache owns."""
    entrance.context.run(_begin, renewal, entrance, runner)


def entrance_of(scope: MutableMapping[str, Any]) -> Entrance | None:
    """Find where a request came in."""
    return scope.get(ENTRANCE_KEY)


def _begin(renewal: Renewal, entrance: Entrance, runner: Runner) -> None:
    with inside(renewal.flight, alone=True):
        runner.own(renewal.flight, _sent(renewal, entrance), renewal.name)


async def _sent(renewal: Renewal, entrance: Entrance) -> Gone:
    set_busy(busy=False)
    error = None
    try:
        with anyio.move_on_after(renewal.seconds):
            nobody = Nobody()
            await entrance.app({**entrance.copied(), RENEWAL_KEY: renewal}, nobody.receive, nobody.send)
    except Exception as failure:  # noqa: BLE001  # whoever reads the page meanwhile has it
        error = failure
    renewal.end(error)
    return GONE
