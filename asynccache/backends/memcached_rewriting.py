"""How an entry is changed in memcached: read with its cas id, and exchanged if it is still the one that was read.

Never by memcached's own `incr` and `touch`: a frame says when it ends, so a counter that is rewritten keeps its
lifetime, and each reply shows whose entry it carries.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from msgspec.structs import replace

from asynccache.backends.base import StoreBackend
from asynccache.backends.framing import added
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from asynccache.plan.io import IO

PATIENCE = 10
"""Deadlines for which an operation waits for its turn, or a contended entry is tried again."""
JITTER = 0.002
RIVALS = 3
"""Those of one loop, or of all threads, that change one entry at once: as many failures open the breaker."""
STRIPES = 32

Change = Callable[[Frame | None], tuple[Frame, float] | None]
"""What is to become of an entry: the new frame and its seconds, or None where it stays as it is."""


class RewritingBackend(StoreBackend):
    """A backend over memcached's commands."""

    expires_entries: ClassVar[bool] = True
    deadline: float

    @abstractmethod
    async def _rewritten(self, io: IO, key: str, change: Change) -> Frame | None:
        """Change an entry, again until nobody was faster; give its frame, or raise `_contended` in the end."""

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        def touched(frame: Frame | None) -> tuple[Frame, float] | None:
            return None if frame is None else (frame, ttl)

        return await self._rewritten(io, key, touched) is not None

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        def bumped(frame: Frame | None) -> tuple[Frame, float]:
            left = ttl if frame is None else _left(frame, self.clock())
            if left <= 0:  # the server rounds up and keeps it for a moment more
                frame, left = None, ttl
            number = codec.integer_payload(added(frame, delta))
            return replace(frame or Frame(b"", flags=codec.INTEGER), payload=number), left

        counter = await self._rewritten(io, key, bumped)
        return codec.integer_of(b"" if counter is None else counter.payload)

    def _contended(self, key: str) -> BackendUnavailableError:
        self._counts["errors"] += 1
        return BackendUnavailableError(f"{key!r} was changed by others all the time; try again")


def _left(frame: Frame, now: float) -> float:
    """Give the seconds a counter has left, never more than it ever had, whatever the clock of its writer said."""
    return min(frame.remaining(now), frame.lifetime_ms / 1000) if frame.lifetime_ms else frame.remaining(now)
