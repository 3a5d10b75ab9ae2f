"""memcached on a connection that many share: looks at keys are asked together, other commands as they come.

Each question ends with a command that is always answered (see `memcached_replies.py`), so it has one reply.
"""

from __future__ import annotations

from itertools import count
from secrets import randbelow
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.wire.connection import Wire
from asynccache.wire.exchange import Exchange, expired
from asynccache.wire.faults import OutOfStepError
from asynccache.wire.memcached_words import results

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence

    from asynccache.wire.memcached_replies import Answer
    from asynccache.wire.memcached_words import Call, Speech

_FIRST = 1_000_000_000
MOST_KEYS = 256
"""Keys that one question looks at."""


class Question(Exchange):
    """Commands of one caller; `read` makes a result of the items of the answer."""

    __slots__ = ("_opaque", "_read")

    def __init__(
        self, packed: bytes, opaque: bytes, read: Callable[[list[Any]], Any], due: float, future: asyncio.Future[Any]
    ) -> None:
        super().__init__(packed, 1, due, monotonic(), future)
        self._opaque = opaque
        self._read = read

    def take(self, reply: Answer) -> bool:
        """Take the answer; `OutOfStepError` where it is that to another question."""
        result = self._read(_answered(reply, self._opaque))
        if not self._future.done():
            self._future.set_result(result)
        return True


class Looks:
    """Looks at several keys beside one other, which all who ask have in common; a key is asked for once.

    A result is a pair: what is at the common key, and what is at the own one.
    """

    __slots__ = ("_opaque", "_wire", "asked_at", "common", "due", "places", "waiting")

    def __init__(self, common: bytes, due: float, wire: MemcachedWire) -> None:
        self.common = common
        self.due = due
        self.asked_at = monotonic()
        self._wire = wire
        self._opaque = b""
        self.places: dict[bytes, int] = {common: 0}
        """Where the answer will have what is at a key."""
        self.waiting: list[tuple[asyncio.Future[Any], int, float]] = []
        """Who wants what is at which place, until when."""

    @property
    def weight(self) -> int:
        """How many callers it is for."""
        return len(self.waiting)

    def pack(self) -> bytes:
        """Give the commands."""
        self._opaque = self._wire.next_opaque()
        return self._wire.speech.looks(self.places, self._opaque, ids=False)

    def take(self, answer: Answer) -> bool:
        """Take the answer, and hand out what is in it."""
        found = self._wire.speech.found(_answered(answer, self._opaque), self.places)
        common = found[0]
        for future, place, _ in self.waiting:
            if not future.done():
                future.set_result((common, found[place]))
        return True

    def fail(self, kind: type[Exception], said: str) -> None:
        """Raise an exception of its own wherever somebody waits."""
        for future, _, _ in self.waiting:
            if not future.done():
                future.set_exception(kind(said))

    def expire(self, now: float, prompt_at: float) -> float | None:
        """Fail those that are due; give when to look again."""
        again = (expired(future, due, now, self.asked_at, prompt_at) for future, _, due in self.waiting)
        return min((moment for moment in again if moment is not None), default=None)


class MemcachedWire(Wire):
    """A connection to memcached that has been greeted.

    Args:
        speech: the protocol that the server speaks.
        silence: seconds without a byte after which a server that owes replies is held to be gone.
    """

    def __init__(self, speech: Speech, silence: float) -> None:
        super().__init__(speech.parser(), silence)
        self.speech = speech
        self._opaques = count(randbelow(_FIRST))  # so that what another connection was told fits none of these

    def look(self, common: bytes, key: bytes, due: float) -> asyncio.Future[Any]:
        """Give the future of what is at `common` and at `key`, a pair, `common` having been read first.

        Looks that come one after the other in one turn of the loop are one question.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        looks = self._outbox[-1] if self._outbox else None
        if type(looks) is Looks and looks.common == common and len(looks.places) <= MOST_KEYS:
            places = looks.places
            looks.waiting.append((future, places.setdefault(key, len(places)), due))
            self._unsent += len(key)
            if due < self._looks_at:
                self._look_at(due)
            return future
        looks = Looks(common, due, self)
        looks.waiting.append((future, looks.places.setdefault(key, 1), due))
        self._send(looks, len(common) + len(key))
        return future

    def get(self, keys: Collection[bytes], due: float, *, ids: bool) -> asyncio.Future[Sequence[Any]]:
        """Give the future of what is at these keys, in their order: bytes, with cas ids where asked for, or None."""
        opaque, speech = self.next_opaque(), self.speech
        packed = speech.looks(keys, opaque, ids=ids)
        return self._asked(packed, opaque, lambda items: speech.found(items, keys), due)

    def run(self, command: str, calls: Collection[Call], due: float) -> asyncio.Future[Sequence[Any]]:
        """Give the future of what became of a command with each key: `RESULTS`, a number, or a `Refusal`."""
        opaque, number = self.next_opaque(), len(calls)
        packed = self.speech.calls(command, calls, opaque)
        return self._asked(packed, opaque, lambda items: results(command, items, number), due)

    def land(self, key: bytes, raw: bytes, token: int, until: int, due: float) -> asyncio.Future[Any]:
        """Give the future of whether what has this cas id was exchanged: see `Speech.landed`."""
        opaque, speech = self.next_opaque(), self.speech
        packed = speech.land(key, raw, token, until, opaque)
        return self._asked(packed, opaque, lambda items: speech.landed(items, token), due)

    def next_opaque(self) -> bytes:
        """Give what tells the next question from others."""
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
