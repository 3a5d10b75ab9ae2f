"""Loads that failed a moment ago, and are not to be tried again yet."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from asynccache.core.events import Loaded, LoadFailed
from asynccache.core.policy import PAUSE_SECONDS, is_paused
from asynccache.loading.outcomes import Failed
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Hashable

    from asynccache.loading.load import Load
    from asynccache.loading.outcomes import Landed

MOST = 1_000
"""Failures that are remembered; the oldest is forgotten first."""


class Failures:
    """The last failure of each key, without its traceback, which would keep alive all that the factory held."""

    def __init__(self) -> None:
        self._known: dict[Hashable, tuple[float, Failed]] = {}
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Forget the parent's lock, in a forked child; what failed there has failed here, too."""
        self._lock = threading.Lock()

    def conclude(self, load: Load, outcome: Landed | Failed, load_seconds: float) -> None:
        """Remember how a load ended, and tell who listens."""
        backend = load.backend
        if isinstance(outcome, Failed):
            self._note(load, outcome.error)
            backend.tell(LoadFailed(backend.name, load.key, outcome.error))
            return
        self.forget(load)
        if backend.is_heard:
            backend.tell(Loaded(backend.name, load.key, load_seconds))

    def _note(self, load: Load, error: Exception) -> None:
        """Remember a failure, where its policy may want a pause."""
        policy = load.terms
        if policy.error_backoff is None and not policy.keeps_times:
            return
        key = load.flight_key
        with self._lock:
            self._known.pop(key, None)
            self._known[key] = load.backend.clock(), Failed.remembered(error)
            while len(self._known) > MOST:
                del self._known[next(iter(self._known))]

    def forget(self, load: Load) -> None:
        """Forget it: the load has returned."""
        if self._known:
            with self._lock:
                self._known.pop(load.flight_key, None)

    def pausing(self, load: Load, *, has_value: bool) -> Failed | None:
        """Give the failure because of which this is not to be loaded yet."""
        if not self._known:
            return None
        pause = load.terms.error_backoff
        if pause is None:
            if not has_value:
                return None
            pause = PAUSE_SECONDS
        with self._lock:
            failed_at, failed = self._known.get(load.flight_key, (0.0, None))
        return failed if failed is not None and is_paused(failed_at, pause, load.backend.clock()) else None
