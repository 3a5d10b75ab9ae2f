"""memcached on a connection that many share: looks at keys are asked together, other commands as they come.

Each question ends with a command that is always answered (see `memcached_replies.py`), so it has one reply.
"""

from __future__ import annotations

from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.wire.connection import Wire
from asynccache.wire.exchange import expired
from asynccache.wire.faults import OutOfStepError
from asynccache.wire.memcached_words import results

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Iterator, Sequence

    from asynccache.wire.memcached_replies import Answer
    from asynccache.wire.memcached_words import Call, Speech

MOST_KEYS = 256
"""Keys that one question looks at."""


class Question:
    """Commands of one caller, packed when they are sent; `read` makes a result of the items of the answer."""

    __slots__ = ("_future", "_opaque", "_packed", "_read", "asked_at", "due")
    weight = 1

    def __init__(
        self, packed: bytes, opaque: bytes, read: Callable[[list[Any]], Any], due: float, future: asyncio.Future[Any]
    ) -> None:
        self._packed = packed
        self._opaque = opaque
        self._read = read
        self._future = future
        self.due = due
        self.asked_at = monotonic()

    def pack(self) -> bytes:
        """Give the commands, once."""
        packed, self._packed = self._packed, b""
        return packed

    def take(self, answer: Answer) -> bool:
        """Take the answer; `OutOfStepError` where it is that to another question."""
        result = self._read(_answered(answer, self._opaque))
        if not self._future.done():
            self._future.set_result(result)
        return True

    def fail(self, kind: type[Exception], said: str) -> None:
        """Raise an exception of its own where the caller waits."""
        if not self._future.done():
            self._future.set_exception(kind(said))

    def expire(self, now: float, heard_at: float) -> float | None:
        """Fail if it is due; give when to look again."""
        return expired(self._future, self.due, now, self.asked_at, heard_at)


class Looks:
    """Looks at several keys beside one other, which all who ask have in common; a key is asked for once.

    A result is a pair: what is at the common key, and what is at the own one.
    """

    __slots__ = ("_opaque", "_opaques", "_places", "_speech", "_waiting", "asked_at", "common", "due")

    def __init__(self, common: bytes, due: float, speech: Speech, opaques: Iterator[int]) -> None:
        self.common = common
        self.due = due
        self.asked_at = monotonic()
        self._speech = speech
        self._opaques = opaques
        self._opaque = b""
        self._places: dict[bytes, int] = {common: 0}
        self._waiting: list[tuple[asyncio.Future[Any], int, float]] = []

    @property
    def weight(self) -> int:
        """How many ask."""
        return len(self._waiting)

    @property
    def has_room(self) -> bool:
        """Tell whether one more key is not too much."""
        return len(self._places) <= MOST_KEYS

    def add(self, key: bytes, due: float, future: asyncio.Future[Any]) -> None:
        """Look at this key, too."""
        self._waiting.append((future, self._places.setdefault(key, len(self._places)), due))

    def pack(self) -> bytes:
        """Give the commands."""
        self._opaque = b"O%d" % next(self._opaques)
        return self._speech.looks(self._places, self._opaque, ids=False)

    def take(self, answer: Answer) -> bool:
        """Take the answer, and hand out what is in it."""
        found = self._speech.found(_answered(answer, self._opaque), self._places)
        common = found[0]
        for future, place, _ in self._waiting:
            if not future.done():
                future.set_result((common, found[place]))
        return True

    def fail(self, kind: type[Exception], said: str) -> None:
        """Raise an exception of its own wherever somebody waits."""
        for future, _, _ in self._waiting:
            if not future.done():
                future.set_exception(kind(said))

    def expire(self, now: float, heard_at: float) -> float | None:
        """Fail those that are due; give when to look again."""
        again = (expired(future, due, now, self.asked_at, heard_at) for future, _, due in self._waiting)
        return min((moment for moment in again if moment is not None), default=None)


class MemcachedWire(Wire):
    """A connection to memcached that has been greeted.

    Args:
        speech: the protocol that the server speaks.
        silence: seconds without a byte after which a server that owes replies is held to be gone.
    """

    def __init__(self, speech: Speech, silence: float) -> None:
        super().__init__(speech.parser(), silence)
        self._speech = speech
        self._opaques = count(1)

    def look(self, common: bytes, key: bytes, due: float) -> asyncio.Future[Any]:
        """Give the future of what is at `common` and at `key`, a pair, `common` having been read first.

        Looks that come one after the other in one turn of the loop are one question.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        last = self._outbox[-1] if self._outbox else None
        if type(last) is Looks and last.common == common and last.has_room:
            last.add(key, due, future)
            self._unsent += len(key)
            if due < self._looks_at:
                self._look_at(due)
            return future
        looks = Looks(common, due, self._speech, self._opaques)
        looks.add(key, due, future)
        self._send(looks, len(common) + len(key))
        return future

    def get(self, keys: Collection[bytes], due: float, *, ids: bool) -> asyncio.Future[Sequence[Any]]:
        """Give the future of what is at these keys, in their order: bytes, with cas ids where asked for, or None."""
        opaque, speech = self._next_opaque(), self._speech
        packed = speech.looks(keys, opaque, ids=ids)
        return self._asked(packed, opaque, lambda items: speech.found(items, keys), due)

    def run(self, command: str, calls: Collection[Call], due: float) -> asyncio.Future[Sequence[Any]]:
        """Give the future of what became of a command with each key: `RESULTS`, a number, or a `Refusal`."""
        opaque, number = self._next_opaque(), len(calls)
        packed = self._speech.calls(command, calls, opaque)
        return self._asked(packed, opaque, lambda items: results(command, items, number), due)

    def land(self, key: bytes, raw: bytes, token: int, until: int, due: float) -> asyncio.Future[Any]:
        """Give the future of whether what has this cas id was exchanged: see `Speech.landed`."""
        opaque, speech = self._next_opaque(), self._speech
        packed = speech.land(key, raw, token, until, opaque)
        return self._asked(packed, opaque, lambda items: speech.landed(items, token), due)

    def _next_opaque(self) -> bytes:
        return b"O%d" % next(self._opaques)

    def _asked(self, packed: bytes, opaque: bytes, read: Callable[[list[Any]], Any], due: float) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._loop.create_future()
        self._send(Question(packed, opaque, read, due, future), len(packed))
        return future


def _answered(answer: Answer, opaque: bytes) -> list[Any]:
    """Give the items of an answer to this question."""
    if answer.opaque and answer.opaque != opaque:
        raise OutOfStepError("the answer to another question")
    return answer.items
