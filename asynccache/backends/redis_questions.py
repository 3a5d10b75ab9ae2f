"""What is asked of Redis, and what an answer to it looks like.

A reply of another shape answers another question: the connection is out of step then, and nothing on it is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_urlsafe
from typing import Any, NamedTuple

from asynccache.backends.outage import RefusedError
from asynccache.core.lifetime import milliseconds
from asynccache.wire.faults import OutOfStepError

NONE: frozenset[str] = frozenset()
FOREIGN = frozenset({"WRONGTYPE"})
NO_SCRIPT = frozenset({"NOSCRIPT"})
DOWN = frozenset({"BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOAUTH", "WRONGPASS"})
"""Refusals of every command: a server that says so is as good as down."""
_LONGEST = 10**15
"""Milliseconds, 31,000 years: what a server can add to its clock without an overflow."""
KEEPER, BY, SINCE = "keeper", "by", "since"
"""Words that a connection fills in: who answers, until when it may, since when it runs."""
NOBODY = b"--------"
"""The keeper where nobody says who answers."""
NEVER = b"9" * 20
"""A stamp after all others."""
Word = bytes | int | str
_SCRIPTED = frozenset({b"EVAL", b"EVALSHA"})
_LOOK = b"MGET"
_NO_ECHO = frozenset({"NOPERM", "ERR"})
"""What users and proxies say that may not, or cannot: then the shapes of the replies have to do."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that the server answered: its first word, and what it said."""

    code: str
    said: str


@dataclass(frozen=True, slots=True)
class Question:
    """A command, the test that its reply passes, and the refusals that count as answers.

    One that `is_personal` has to do with who answers; the reply to one that `is_signed` comes as `Signed`. A server may
    be long silent before it answers one that `may_wait`. A reply to one that `is_blank` does not tell whose it is.
    """

    words: tuple[Word, ...] = field(repr=False)
    fits: Callable[[Any], bool]
    answers: frozenset[str] = NONE
    is_personal: bool = False
    is_signed: bool = False
    may_wait: bool = False
    is_blank: bool = False

    @property
    def is_lone_look(self) -> bool:
        """Tell whether it is a look at one key."""
        return self.words[0] is _LOOK and len(self.words) == 3

    @property
    def key(self) -> bytes:
        """The first key that it names."""
        place = 3 if self.words[0] in _SCRIPTED else 1
        if self.words[0] == b"XREAD":
            place = self.words.index(b"STREAMS") + 1
        return self.words[place]  # type: ignore[return-value]  # a key is bytes

    def taking(self, answers: frozenset[str]) -> Question:
        """Give the same question, to which these refusals are answers too."""
        return replace(self, answers=self.answers | answers)


class Signed(NamedTuple):
    """A reply, and the process that gave it."""

    reply: Any
    keeper: bytes


def told_apart(questions: Sequence[Question]) -> Sequence[Question]:
    """Give what to ask, so that the replies tell whose they are: where they would not, something to be said back."""
    for question in questions:
        if question.is_blank:
            return (*questions, _echo())
    return questions


def checked(questions: Sequence[Question], replies: list[Any]) -> list[Any]:
    """Give the replies if each is one to its question.

    Raises what `answered` does, and `OutOfStepError` for what answers something else.
    """
    for question, reply in zip(questions, replies, strict=True):
        if isinstance(reply, Refusal):
            if reply.code not in question.answers:
                break
        elif not question.fits(reply):
            command = question.words[0]
            raise OutOfStepError(f"a reply of type {type(reply).__name__} is none to {command!r}")
    return answered(questions, replies)


def answered(questions: Sequence[Question], replies: list[Any]) -> list[Any]:
    """Give the replies, which fit.

    Raises `RefusedError` for a refusal that is no answer, `ConnectionRefusedError` where it means that the server is
    as good as down.
    """
    for question, reply in zip(questions, replies, strict=True):
        if type(reply) is Refusal and reply.code not in question.answers:
            if reply.code in DOWN:
                raise ConnectionRefusedError(reply.said)
            raise RefusedError(reply.said)
    return replies


def look(notebook: bytes, keys: Sequence[bytes] = ()) -> Question:
    """Ask for the notebook and values at one moment, `None` where there is none or something foreign."""
    wanted = len(keys) + 1
    fits = lambda reply: _is_list(reply, wanted) and all(map(_is_value, reply))  # noqa: E731
    return Question((_LOOK, notebook, *keys), fits, is_personal=True, is_signed=True, is_blank=not keys)


def marks(table: bytes, cells: Sequence[int]) -> Question:
    """Ask for the stamps of these cells, and for that of the table itself first."""
    words = [word for cell in (0, *[cell + 1 for cell in cells]) for word in (b"GET", b"i64", b"#%d" % cell)]
    wanted = len(cells) + 1
    fits = lambda reply: _is_list(reply, wanted) and all(type(stamp) is int for stamp in reply)  # noqa: E731
    return Question((b"BITFIELD_RO", table, *words), fits, FOREIGN, is_blank=True)


def changes(log: bytes, position: int, most: int, wait: float = 0.0) -> Question:
    """Ask for so many events after a position at most, and wait for one; the reply is `None` where there is none."""
    block = (b"BLOCK", max(1, int(wait * 1000))) if wait else ()
    words = (b"XREAD", b"COUNT", most, *block, b"STREAMS", log, b"%d-0" % position)
    return Question(words, _is_log, FOREIGN, may_wait=bool(block), is_blank=True)


def _echo() -> Question:
    nonce = token_urlsafe(6).encode()
    return Question((b"ECHO", nonce), lambda reply: reply == nonce, _NO_ECHO)


def wire_milliseconds(ttl: float) -> int:
    """Give a lifetime as the server takes it."""
    return milliseconds(min(ttl, _LONGEST / 1000))


def _is_value(reply: Any) -> bool:
    return reply is None or type(reply) is bytes


def _is_list(reply: Any, length: int) -> bool:
    return type(reply) is list and len(reply) == length


def _is_log(reply: Any) -> bool:
    match reply:
        case None:
            return True
        case [[bytes(), list() as events]]:
            return all(map(_is_event, events))
    return False


def _is_event(event: Any) -> bool:
    match event:
        case [bytes() as name, list() as fields]:
            return name[:-2].isdigit() and len(fields) > 3 and fields[0] == b"p" and fields[1].isdigit()
    return False
