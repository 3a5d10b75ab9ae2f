"""What is counted of a backend's reads, and what becomes of them while its store is away."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from asynccache.model import BaseCacheBackend

if TYPE_CHECKING:
    from asynccache.core.entry import Entry
    from asynccache.errors import BackendUnavailableError


class TolerantBackend(BaseCacheBackend):
    """A backend whose store, or stores, may be away."""

    on_error: Literal["miss", "raise"] = "miss"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._counts: Counter[str] = Counter()

    def _tolerated(self, error: BackendUnavailableError, misses: int = 0) -> None:
        """Raise, or count the misses that a store which is away amounts to, as `on_error` says."""
        if self.on_error == "raise":
            raise error
        self._counts["misses"] += misses

    def _counted(self, entry: Entry | None) -> Entry | None:
        """Count a hit, or a miss."""
        self._counts["misses" if entry is None else "hits"] += 1
        return entry

    def _still_fresh(self, entry: Entry | None) -> Entry | None:
        """Give an entry if it is more than a stale value."""
        return None if entry is None or entry.times.fresh_until <= self.clock() else entry
