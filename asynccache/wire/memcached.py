"""memcached on a connection that many share: looks at keys are asked together, other commands as they come.

Each question ends with a command that is always answered (see `memcached_replies.py`), so it has one reply.
"""

from __future__ import annotations

from itertools import count
from secrets import randbelow
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.wire.exchange import Exchange
from asynccache.wire.faults import OutOfStepError
from asynccache.wire.looks import LookingWire, Looks
from asynccache.wire.memcached_words import results

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence

    from asynccache.wire.memcached_replies import Answer
    from asynccache.wire.memcached_words import Call, Speech

_FIRST = 1_000_000_000


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


class _Looks(Looks):
    """Looks at keys."""

    __slots__ = ("_opaque", "_wire")

    def __init__(self, common: bytes, due: float, wire: MemcachedWire) -> None:
        super().__init__(common, due)
        self._wire = wire
        self._opaque = b""

    def pack(self) -> bytes:
        """Give the commands."""
        self._opaque = self._wire.next_opaque()
        return self._wire.speech.looks(self.places, self._opaque, ids=False)

    def take(self, reply: Answer) -> bool:
        """Take the answer, and hand out what is in it."""
        self.hand_out(self._wire.speech.found(_answered(reply, self._opaque), self.places, ids=False))
        return True


class MemcachedWire(LookingWire):
    """A connection to memcached that has been greeted.

    Args:
        speech: the protocol that the server speaks.
        silence: seconds without a byte after which a server that owes replies is held to be gone.
    """

    def __init__(self, speech: Speech, silence: float) -> None:
        super().__init__(speech.parser(), silence)
        self.speech = speech
        self._opaques = count(randbelow(_FIRST))  # so that what another connection was told fits none of these

    def _looks(self, common: bytes, due: float) -> Looks:
        return _Looks(common, due, self)

    def get(self, keys: Collection[bytes], due: float, *, ids: bool) -> asyncio.Future[Sequence[Any]]:
        """Give the future of what is at these keys, in their order: bytes, with cas ids where asked for, or None."""
        opaque, speech = self.next_opaque(), self.speech
        packed = speech.looks(keys, opaque, ids=ids)
        return self._asked(packed, opaque, lambda items: speech.found(items, keys, ids=ids), due)

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
