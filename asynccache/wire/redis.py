"""Redis's protocol on a connection that many share: hiredis reads and packs; looks at keys are asked together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Any

from hiredis import ProtocolError, Reader, pack_command

from asynccache.wire.connection import NOTHING, Wire
from asynccache.wire.exchange import Exchange, expired
from asynccache.wire.faults import OutOfStepError

if TYPE_CHECKING:
    import asyncio

Word = bytes | int | str
Tests = Sequence[Callable[[Any], bool]]
_packed: Callable[[Any], bytes] = pack_command
_reader: Any = Reader
_VALUES = frozenset({bytes, type(None)})
_MOST_KEYS = 256
"""Keys that one command looks at."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """What a server answered in the place of a reply."""

    said: str


class Looks:
    """Looks at several keys beside one other, which all who ask have in common; a key is asked for once.

    A result is a pair: what is at the common key, and what is at the own one. An `ErrorReply` is everybody's.
    """

    __slots__ = ("asked_at", "common", "due", "places", "waiting")

    def __init__(self, common: bytes, due: float) -> None:
        self.common = common
        self.due = due
        self.asked_at = monotonic()
        self.places: dict[bytes, int] = {}
        """Where the reply will have what is at a key."""
        self.waiting: list[tuple[asyncio.Future[Any], int, float]] = []
        """Who wants what is at which place, until when."""

    @property
    def weight(self) -> int:
        """How many callers it is for."""
        return len(self.waiting)

    def pack(self) -> bytes:
        """Give the command."""
        return _packed((b"MGET", self.common, *self.places))

    def take(self, reply: Any) -> bool:
        """Take the reply, and hand out what is in it."""
        if type(reply) is ErrorReply:
            for future, _, _ in self.waiting:
                if not future.done():
                    future.set_result(reply)
            return True
        if type(reply) is not list or len(reply) != len(self.places) + 1 or not _VALUES.issuperset(map(type, reply)):
            raise OutOfStepError(f"a reply of type {type(reply).__name__} is none to MGET")
        common = reply[0]
        for future, place, _ in self.waiting:
            if not future.done():
                future.set_result((common, reply[place]))
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


class Commands(Exchange):
    """Commands, each with the test that its reply passes: nothing that comes after one which does not is believed."""

    __slots__ = ("_tests",)

    def __init__(self, packed: bytes, tests: Tests, due: float, future: asyncio.Future[list[Any]]) -> None:
        super().__init__(packed, len(tests), due, monotonic(), future)
        self._tests = tests

    def take(self, reply: Any) -> bool:
        """Take the next reply, which may be an `ErrorReply`; tell whether it was the last one."""
        if type(reply) is not ErrorReply and not self._tests[len(self._replies)](reply):
            raise OutOfStepError(f"a reply of type {type(reply).__name__} is none to what was asked")
        return super().take(reply)


class RedisWire(Wire):
    """A connection to Redis that has been greeted.

    Args:
        silence: seconds without a byte after which a server that owes replies is held to be gone.
    """

    def __init__(self, silence: float) -> None:
        super().__init__(_reader(notEnoughData=NOTHING, replyError=ErrorReply, protocolError=ProtocolError), silence)

    def look(self, common: bytes, key: bytes, due: float) -> asyncio.Future[Any]:
        """Give the future of what is at `common` and at `key` at one moment, a pair, or of an `ErrorReply`.

        Looks that come one after the other in one turn of the loop are one command.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        looks = self._outbox[-1] if self._outbox else None
        if type(looks) is Looks and looks.common == common and len(looks.places) < _MOST_KEYS:
            places = looks.places
            looks.waiting.append((future, places.setdefault(key, len(places) + 1), due))
            self._unsent += len(key)
            if due < self._looks_at:
                self._look_at(due)
            return future
        looks = Looks(common, due)
        looks.places[key] = 1
        looks.waiting.append((future, 1, due))
        self._send(looks, len(common) + len(key))
        return future

    def command(
        self, commands: Sequence[tuple[Word, ...]], due: float, tests: Tests | None = None
    ) -> asyncio.Future[list[Any]]:
        """Give the future of the replies to these commands, each of which passes its test or is an `ErrorReply`."""
        packed = _packed(commands[0]) if len(commands) == 1 else b"".join(map(_packed, commands))
        if tests is None:
            return self.ask(packed, len(commands), due)
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        self._send(Commands(packed, tests, due, future), len(packed))
        return future
