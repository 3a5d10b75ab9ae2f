"""Looks at keys that many callers ask for in one turn of the loop, asked together."""

from __future__ import annotations

from abc import ABC, abstractmethod
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.wire.connection import Wire
from asynccache.wire.exchange import expired

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Sequence

MOST_KEYS = 256
"""Keys that one question looks at, beside the common one."""


class Looks:
    """Looks at several keys beside one other, which all who ask have in common; a key is asked for once.

    A result is a pair: what is at the common key, and what is at the own one. (No ABC: `isinstance` is asked for each
    look, and takes three times as long of one.)
    """

    __slots__ = ("asked_at", "common", "due", "places", "waiting")

    def __init__(self, common: bytes, due: float) -> None:
        self.common = common
        self.due = due
        self.asked_at = monotonic()
        self.places: dict[bytes, int] = {common: 0}
        """Where the reply will have what is at a key."""
        self.waiting: list[tuple[asyncio.Future[Any], int, float]] = []
        """Who wants what is at which place, until when."""

    @property
    def weight(self) -> int:
        """How many callers it is for."""
        return len(self.waiting)

    def pack(self) -> bytes:
        """Give the commands."""
        raise NotImplementedError

    def take(self, reply: Any) -> bool:
        """Take the reply, and hand out what is in it."""
        raise NotImplementedError

    def hand_out(self, found: Sequence[Any]) -> None:
        """Give everybody his own, and what is common."""
        common = found[0]
        for future, place, _ in self.waiting:
            if not future.done():
                future.set_result((common, found[place]))

    def fail(self, kind: Callable[[str], Exception], said: str) -> None:
        """Raise an exception of its own wherever somebody waits."""
        for future, _, _ in self.waiting:
            if not future.done():
                future.set_exception(kind(said))

    def expire(self, now: float, prompt_at: float) -> float | None:
        """Fail those that are due; give when to look again."""
        again = (expired(future, due, now, self.asked_at, prompt_at) for future, _, due in self.waiting)
        return min((moment for moment in again if moment is not None), default=None)


class LookingWire(Wire, ABC):
    """A connection on which looks are asked together."""

    @abstractmethod
    def _looks(self, common: bytes, due: float) -> Looks:
        """Begin to look."""

    def look(self, common: bytes, key: bytes, due: float) -> asyncio.Future[Any]:
        """Give the future of what is at `common` and at `key`, a pair; `common` is not read after `key`.

        Looks that come one after the other in one turn of the loop are one question.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        looks = self._outbox[-1] if self._outbox else None
        if isinstance(looks, Looks) and looks.common == common and len(looks.places) <= MOST_KEYS:
            places = looks.places
            looks.waiting.append((future, places.setdefault(key, len(places)), due))
            self._unsent += len(key)
            if due < self._looks_at:
                self._look_at(due)
            return future
        looks = self._looks(common, due)
        looks.waiting.append((future, looks.places.setdefault(key, 1), due))
        self._send(looks, len(common) + len(key))
        return future
