"""Redis's protocol on a connection that many share: hiredis reads and packs; looks at keys are asked together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, Any

from hiredis import ProtocolError, Reader, pack_command

from asynccache.wire.connection import NOTHING
from asynccache.wire.exchange import Exchange
from asynccache.wire.faults import ErrorReply, OutOfStepError
from asynccache.wire.looks import LookingWire, Looks

if TYPE_CHECKING:
    import asyncio

Word = bytes | int | str
Tests = Sequence[Callable[[Any], bool]]
_packed: Callable[[Any], bytes] = pack_command
_reader: Any = Reader
_VALUES = frozenset({bytes, type(None)})


class _Looks(Looks):
    """Looks at keys at one moment; an `ErrorReply` is everybody's result."""

    __slots__ = ()

    def pack(self) -> bytes:
        """Give the command."""
        return _packed((b"MGET", *self.places))

    def take(self, reply: Any) -> bool:
        """Take the reply, and hand out what is in it."""
        if type(reply) is ErrorReply:
            for future, _, _ in self.waiting:
                if not future.done():
                    future.set_result(reply)
            return True
        if type(reply) is not list or len(reply) != len(self.places) or not _VALUES.issuperset(map(type, reply)):
            raise OutOfStepError(f"a reply of type {type(reply).__name__} is none to MGET")
        self.hand_out(reply)
        return True


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


class RedisWire(LookingWire):
    """A connection to Redis that has been greeted.

    Args:
        silence: seconds without a byte after which a server that owes replies is held to be gone.
    """

    def __init__(self, silence: float) -> None:
        super().__init__(_reader(notEnoughData=NOTHING, replyError=ErrorReply, protocolError=ProtocolError), silence)

    def _looks(self, common: bytes, due: float) -> Looks:
        return _Looks(common, due)

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
