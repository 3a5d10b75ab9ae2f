"""Plain reads that may ask a replica: `get`, `get_many` and `has_key`, and no others.

They run the same plans as everybody, with an `io` of their own by which the drivers know them; so a read-through,
which calls `read`, is always answered by the leader.
"""

from __future__ import annotations

import random
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from asynccache.backends.base import StoreBackend
from asynccache.plan.io import BLOCKING, LOOP, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asynccache.model import Version
    from asynccache.plan.io import IO

T = TypeVar("T")
_NEAR_BLOCKING: IO = type(BLOCKING)()
_NEAR_LOOP: IO = type(LOOP)()


def is_near(io: IO) -> bool:
    """Tell whether a read may ask a replica."""
    return io is _NEAR_BLOCKING or io is _NEAR_LOOP


def chosen(replicas: Sequence[T]) -> T:
    """Choose one to ask."""
    return random.choice(replicas)  # spreads load, guards nothing


class Near(StoreBackend):
    """A backend whose plain reads may be answered by a replica."""

    def _reads_near(self, near: bool) -> None:  # noqa: FBT001  # the one thing it is told
        """Say, once, whether there are replicas."""
        self._blocking = _NEAR_BLOCKING if near else BLOCKING
        self._loop = _NEAR_LOOP if near else LOOP

    def get(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        entry = run(self.read(self._blocking, key, version))
        return default if entry is None else entry.value

    async def get_async(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        entry = await self.read(self._loop, key, version)
        return default if entry is None else entry.value

    def has_key(self, key: str, version: Version = None) -> bool:
        return run(self.exists(self._blocking, key, version))

    async def has_key_async(self, key: str, version: Version = None) -> bool:
        return await self.exists(self._loop, key, version)

    def get_many(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        entries = run(self.read_many(self._blocking, keys, version))
        return {key: entry.value for key, entry in entries.items()}

    async def get_many_async(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        entries = await self.read_many(self._loop, keys, version)
        return {key: entry.value for key, entry in entries.items()}


class RecentWrites:
    """The keys that this process has just written, which a replica may not know of yet.

    Args:
        seconds: how long a replica is allowed to lag behind.
        most: how many keys are remembered; the oldest is forgotten first.
    """

    def __init__(self, seconds: float = 1.0, most: int = 10_000) -> None:
        self._seconds = seconds
        self._most = most
        self._written: dict[str, float] = {}
        self._lock = threading.Lock()

    def note(self, keys: Iterable[str]) -> None:
        """Remember that these were written now."""
        now = monotonic()
        with self._lock:
            for key in keys:
                self._written.pop(key, None)
                self._written[key] = now
            while len(self._written) > self._most:
                del self._written[next(iter(self._written))]

    def has_any(self, keys: Iterable[str]) -> bool:
        """Tell whether one of these was written a moment ago."""
        since = monotonic() - self._seconds
        return any(self._written.get(key, since) > since for key in keys)
