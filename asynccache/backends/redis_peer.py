"""Who answers on a connection: which process, since when it runs, and what time it has."""

from __future__ import annotations

from time import monotonic, time
from typing import TYPE_CHECKING, Any

from asynccache.backends.redis_questions import BY, DOWN, KEEPER, NEVER, NOBODY, SINCE, Question, Refusal, Word
from asynccache.backends.redis_scripts import ALL, LATE
from asynccache.wire.faults import OutOfStepError

if TYPE_CHECKING:
    from collections.abc import Sequence

_RENEWED = 30.0
"""Seconds after which a server is asked for its time again."""
_ANY_TIME = b"9"


def _is_time(reply: Any) -> bool:
    return type(reply) is list and len(reply) == 2 and all(type(part) is bytes and part.isdigit() for part in reply)


TIME = Question((b"TIME",), _is_time)
_SERVER = Question((b"INFO", b"server"), lambda reply: type(reply) is bytes and b"run_id:" in reply)
_LOADED = [
    Question((b"SCRIPT", b"LOAD", script.text), lambda reply, digest=script.digest: reply == digest)  # type: ignore[misc]
    for script in ALL
]
GREETING = (_SERVER, TIME, *_LOADED)


class ServerClock:
    """The server's time as it was told last, carried on by this process's own monotonic clock; in seconds.

    Its server's clock is what entries are written by, so nobody minds that a node's own is wrong.
    """

    def __init__(self) -> None:
        self._ahead: float | None = None

    def __call__(self) -> float:
        """Give the time; this process's own until a server has told."""
        return time() if self._ahead is None else monotonic() + self._ahead

    def note(self, microseconds: int) -> None:
        """Take note of what a server just said."""
        self._ahead = microseconds / 1e6 - monotonic()


class Peer:
    """The process at the other end of a connection, as it told when that was made.

    One that may not be asked (`INFO` is refused, or a proxy answers) is `NOBODY`: its data is taken as it is, and that
    it was restarted with old data is not noticed.
    """

    def __init__(self, replies: Sequence[Any], clock: ServerClock) -> None:
        for question, reply in zip(GREETING, replies, strict=True):
            if isinstance(reply, Refusal):
                if reply.code in DOWN:
                    raise ConnectionRefusedError(reply.said)
            elif not question.fits(reply):
                raise OutOfStepError("the reply to a greeting is none")
        info, now, *_ = replies
        named: dict[bytes, bytes] = {} if isinstance(info, Refusal) else _named(info)
        self.keeper = named.get(b"run_id", NOBODY)[:8].ljust(8, b"-")
        self._time_us: int | None = None
        self._told_at = 0.0
        self._clock = clock
        self.is_doubtful = False
        if not isinstance(now, Refusal):
            self.note_time(now)
        up = named.get(b"uptime_in_seconds", b"")
        self.since = NEVER
        if self._time_us is not None and up.isdigit():
            self.since = b"%020d" % (self._time_us - (int(up) - 1) * 1_000_000)

    def note_time(self, reply: Sequence[bytes]) -> None:
        """Take note of what `TIME` said, just now."""
        seconds, microseconds = reply
        self._time_us, self._told_at = int(seconds) * 1_000_000 + int(microseconds), monotonic()
        self.is_doubtful = False
        self._clock.note(self._time_us)

    @property
    def is_old(self) -> bool:
        """Tell whether the time was told too long ago; one that is not told at all is never asked for again."""
        return self._time_us is not None and monotonic() >= self._told_at + _RENEWED

    @property
    def time_us(self) -> int | None:
        """The server's time: it is at least that late there."""
        return None if self._time_us is None else self._time_us + int((monotonic() - self._told_at) * 1e6)

    def until(self, seconds: float) -> bytes:
        """Give the moment in so many seconds as scripts take it."""
        now = self.time_us
        return _ANY_TIME if now is None else b"%016d" % (now + int(seconds * 1e6))

    def words_of(self, question: Question, seconds: float) -> tuple[bytes | int, ...]:
        """Fill in who answers, and that it has so many seconds for it."""
        known: dict[Word, bytes] = {KEEPER: self.keeper, SINCE: self.since, BY: self.until(seconds)}
        return tuple([known[word] if type(word) is str else word for word in question.words])  # type: ignore[misc]

    def note_replies(self, replies: Sequence[Any]) -> None:
        """Doubt the time of a server that says it is later there."""
        if any(type(reply) is list and reply[1:2] == [LATE] for reply in replies):
            self.is_doubtful = True


def _named(info: bytes) -> dict[bytes, bytes]:
    lines = [line.partition(b":") for line in info.splitlines()]
    return {name: text for name, _, text in lines}
