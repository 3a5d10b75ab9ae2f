"""What is asked of Redis, and what an answer to it looks like.

A reply of another shape answers another question: the connection is out of step then, and nothing on it is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from asynccache.backends.outage import OutOfStepError, RefusedError
from asynccache.core.codec import HEAD_SIZE
from asynccache.core.lifetime import FOREVER, milliseconds

NONE: frozenset[str] = frozenset()
TOO_BIG = frozenset({"OOM"})
FOREIGN = frozenset({"WRONGTYPE"})
NO_SCRIPT = frozenset({"NOSCRIPT"})
DOWN = frozenset({"BUSY", "LOADING", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "NOAUTH", "WRONGPASS"})
"""Refusals of every command: a server that says so is as good as down."""
_LONGEST = 10**15
"""Milliseconds, 31,000 years: what a server can add to its clock without an overflow."""
_OK = b"OK"
_SCRIPTED = frozenset({b"EVAL", b"EVALSHA"})


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that the server answered: its first word, and what it said."""

    code: str
    said: str


@dataclass(frozen=True, slots=True)
class Question:
    """A command, the test that its reply passes, and the refusals that count as answers."""

    words: tuple[bytes | int, ...] = field(repr=False)
    fits: Callable[[Any], bool]
    answers: frozenset[str] = NONE

    @property
    def key(self) -> bytes:
        """The first key that it names."""
        return self.words[3 if self.words[0] in _SCRIPTED else 1]  # type: ignore[return-value]  # a key is bytes

    def taking(self, answers: frozenset[str]) -> Question:
        """Give the same question, to which these refusals are answers too."""
        return Question(self.words, self.fits, self.answers | answers)


def checked(questions: Sequence[Question], replies: list[Any]) -> list[Any]:
    """Give the replies if each is one to its question.

    Raises `RefusedError` for a refusal that is no answer, `ConnectionRefusedError` where it means that the server is
    as good as down, and `OutOfStepError` for what answers something else.
    """
    refused = None
    for question, reply in zip(questions, replies, strict=True):
        if isinstance(reply, Refusal):
            refused = refused if reply.code in question.answers else refused or reply
        elif refused is None and not question.fits(reply):
            command = bytes(question.words[0]).decode()
            raise OutOfStepError(f"a reply of type {type(reply).__name__} is none to {command}")
    if refused is None:
        return replies
    if refused.code in DOWN:
        raise ConnectionRefusedError(refused.said)
    raise RefusedError(refused.said)


def get(key: bytes) -> Question:
    """Ask for a value; where something foreign is stored, that is a `Refusal`."""
    return Question((b"GET", key), _is_value, FOREIGN)


def get_many(keys: Sequence[bytes]) -> Question:
    """Ask for values, `None` where there is none."""
    wanted = len(keys)
    return Question((b"MGET", *keys), lambda reply: _is_list(reply, wanted) and all(map(_is_value, reply)))


def put(key: bytes, raw: bytes, ttl: float) -> Question:
    """Store; a server whose memory is full answers by a `Refusal`."""
    return Question((b"SET", key, raw, *_expiry(ttl)), _is_ok, TOO_BIG)


def put_new(key: bytes, raw: bytes, ttl: float) -> Question:
    """Store unless there is something, then the reply is `None`."""
    return Question((b"SET", key, raw, b"NX", *_expiry(ttl)), lambda reply: reply is None or _is_ok(reply))


def remove(*keys: bytes) -> Question:
    """Remove; the reply counts those that were there."""
    most = len(keys)
    return Question((b"UNLINK", *keys), lambda reply: _is_count(reply, most))


def head(key: bytes) -> Question:
    """Ask for the first bytes of an entry."""
    last = HEAD_SIZE - 1
    return Question((b"GETRANGE", key, 0, last), lambda reply: type(reply) is bytes and len(reply) <= last + 1, FOREIGN)


def touch(key: bytes, ttl: float) -> tuple[Question, ...]:
    """Give a new lifetime; the last reply is 1 where there was something."""
    if ttl == FOREVER:
        return Question((b"PERSIST", key), _is_flag), Question((b"EXISTS", key), _is_flag)
    return (Question((b"PEXPIRE", key, wire_milliseconds(ttl)), _is_flag),)


def wire_milliseconds(ttl: float) -> int:
    """Give a lifetime as the server takes it."""
    return milliseconds(min(ttl, _LONGEST / 1000))


def _expiry(ttl: float) -> tuple[bytes | int, ...]:
    return () if ttl == FOREVER else (b"PX", wire_milliseconds(ttl))


def _is_ok(reply: Any) -> bool:
    return bool(reply == _OK)


def _is_value(reply: Any) -> bool:
    return reply is None or type(reply) is bytes


def _is_list(reply: Any, length: int) -> bool:
    return type(reply) is list and len(reply) == length


def _is_count(reply: Any, most: int) -> bool:
    return type(reply) is int and 0 <= reply <= most


def _is_flag(reply: Any) -> bool:
    return _is_count(reply, 1)
