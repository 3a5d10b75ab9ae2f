"""One store of a chain, and whether it can be relied on."""

from __future__ import annotations

import copy
import logging
import threading
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from asynccache.core.events import BackendDown, BackendUp, Event

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.errors import BackendUnavailableError
    from asynccache.model import BaseCacheBackend

logger = logging.getLogger(__name__)
SETTLE_SECONDS = 1.0
"""For how long a store has to answer before the keys that changed meanwhile return to it: what was under way when it
went away, and was done again elsewhere, may still arrive."""
PROBE_SECONDS = 0.25
_QUIET_SECONDS = 60.0


class Link:
    """A store of a chain.

    Args:
        backend: the store; in here it raises where it is away, whatever its own `on_error` says.
        tell: who hears its events, and that it is down or up.
    """

    def __init__(self, backend: BaseCacheBackend, tell: Callable[[Event], None]) -> None:
        self.backend = raising(backend)
        self._tell = tell
        self._answers_since = -inf
        self._away_since = 0.0
        self._next_probe = 0.0
        self._level = logging.WARNING
        self._said = ("", -inf)
        self._reason = ""
        self._away = threading.Lock()  # a flag that only one thread can raise; nobody ever waits for it
        backend.listeners.append(self._heard)

    @property
    def is_away(self) -> bool:
        """Tell whether it failed, and has not answered for a while since."""
        return self._away.locked()

    @property
    def reason(self) -> str | None:
        """Why it did not answer the last time; None where it did."""
        return None if self._answers_since < inf else self._reason

    @property
    def is_settled(self) -> bool:
        """Tell whether it has been answering for long enough for outdated keys to return."""
        return monotonic() - self._answers_since >= SETTLE_SECONDS

    def is_worth_a_try(self) -> bool:
        """Tell whether to have it remove outdated keys now; one that is away is tried in this way now and then."""
        if self._answers_since < inf:
            return self.is_settled
        now = monotonic()
        if now < self._next_probe:
            return False
        self._next_probe = now + PROBE_SECONDS
        return True

    def failed(self, error: BackendUnavailableError, instead: str) -> None:
        """Note a failure; the first is logged, with who answers instead."""
        self._answers_since = inf
        self._reason = str(error)
        self._next_probe = monotonic() + PROBE_SECONDS
        if self._away.acquire(blocking=False):
            self._away_since = monotonic()
            self._level = self._level_for(str(error))
            logger.log(self._level, "%s does not answer, %s instead: %s", self.backend.name, instead, error)
            self._tell(BackendDown(self.backend.name, str(error)))

    def answered(self) -> None:
        """Note an answer; it is back when it has gone on answering for a while."""
        if self._answers_since < inf and not self._away.locked():
            return
        now = monotonic()
        if self._answers_since == inf:
            self._answers_since = now
        elif now - self._answers_since >= SETTLE_SECONDS:
            seconds = now - self._away_since
            try:
                self._away.release()
            except RuntimeError:
                return  # another thread was first
            logger.log(self._level, "%s answers again, after %.1f s", self.backend.name, seconds)
            self._tell(BackendUp(self.backend.name, seconds))

    def _level_for(self, reason: str) -> int:
        """Warn of each reason once a minute: a store that refuses one operation is back again and again."""
        now = monotonic()
        said, said_at = self._said
        if reason == said and now - said_at < _QUIET_SECONDS:
            return logging.DEBUG
        self._said = (reason, now)
        return logging.WARNING

    def _heard(self, event: Event) -> None:
        if not isinstance(event, BackendDown | BackendUp):  # of these the chain has its own
            self._tell(event)


def raising(backend: BaseCacheBackend) -> BaseCacheBackend:
    """Give a backend that hides no outage; one that does is copied, for its owner may use it elsewhere too."""
    if getattr(backend, "on_error", "raise") == "raise":
        return backend
    open_about_it = copy.copy(backend)
    vars(open_about_it)["on_error"] = "raise"
    return open_about_it
