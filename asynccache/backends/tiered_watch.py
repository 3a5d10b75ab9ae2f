"""Sees to it that the near tier hears of changes in the store, from the first time that a namespace is used."""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING

from asynccache.backends.followed import FollowedBackend
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.backends.follower import Step
    from asynccache.backends.tiered_copies import Ground
    from asynccache.backends.tiered_near import NearTier
    from asynccache.model import BaseCacheBackend

MOST = 32
"""Versions whose changes are heard of; of those used in turn beyond that, nothing is held for long."""


class Watch:
    """What the near tier hears.

    Args:
        store: the far tier; there is nothing to hear of one that keeps no log.
        near: the near tier.
    """

    def __init__(self, store: BaseCacheBackend, near: NearTier) -> None:
        self._store = store if isinstance(store, FollowedBackend) else None
        self._near = near
        self._stops: dict[str, Callable[[], object]] = {}
        self.begin_anew()
        if self._store is not None:
            self._store.changed.append(near.changed)
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Forget the parent's lock, in a forked child."""
        self._lock = threading.Lock()

    def ground(self, stored_key: str) -> Ground | None:
        """Tell what a copy of this will rest on; see to it that changes are heard of."""
        store = self._store
        if store is None:
            return self._near.ground(None)
        part = store._part_of(stored_key)  # noqa: SLF001  # its driver
        known = self._near.known(part)
        if known is None or monotonic() >= known.trusted_until:
            self._listen(store, store.namespace_of(stored_key))
        return self._near.ground(part)

    def end(self) -> None:
        """Hear no more, until something is asked for again."""
        with self._lock:
            for namespace in list(self._stops):
                self._leave(namespace)

    def _listen(self, store: FollowedBackend, namespace: str) -> None:
        with self._lock:
            is_new = namespace not in self._stops
            if is_new:
                if len(self._stops) >= MOST:
                    self._leave(next(iter(self._stops)))
                self._near.expect(store._parts(namespace))  # noqa: SLF001  # its driver
                self._stops[namespace] = store.follower.watch(namespace, self._heard)
        if not is_new:
            store.follower.go_on()

    def _leave(self, namespace: str) -> None:
        if self._store is not None:
            self._stops.pop(namespace)()
            self._near.end(self._store._parts(namespace))  # noqa: SLF001  # its driver

    def _heard(self, step: Step) -> None:
        self._near.hear(step.part, step.outcome, step.asked)
