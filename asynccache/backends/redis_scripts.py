"""The scripts (`redis_lua.py`) as questions, and what they answer."""

from __future__ import annotations

from binascii import b2a_base64
from dataclasses import dataclass
from hashlib import sha1
from os import urandom
from typing import TYPE_CHECKING, Any

from asynccache.backends import redis_lua as values
from asynccache.backends import redis_lua_rights as rights
from asynccache.backends.redis_questions import KEEPER, NO_SCRIPT, Question, wire_milliseconds
from asynccache.core.lifetime import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from asynccache.backends.redis_parts import Part, Spot
    from asynccache.backends.redis_questions import Word

OK, NO, LATE, VIEW = b"OK", b"NO", b"LATE", b"VIEW"
FOUND, GRANTED, TAKEN, FULL = b"FOUND", b"GRANTED", b"TAKEN", b"FULL"
OUT_OF_RANGE = b"RANGE"


@dataclass(frozen=True, slots=True)
class Script:
    """A script by its text, asked for by its digest; connections make it known to their server."""

    text: bytes
    digest: bytes

    @classmethod
    def of(cls, text: str) -> Script:
        """Make one."""
        lean = "\n".join(filter(None, map(str.strip, text.splitlines()))).encode()
        return cls(lean, sha1(lean, usedforsecurity=False).hexdigest().encode())

    def __call__(self, part: Part, keys: Iterable[bytes], *arguments: Word) -> Call:
        """Give a call of it, which names the part's own keys before these; its answer is known by a nonce."""
        return Call(self, part, (*part.own, *keys), (new_nonce(), *arguments))

    def on_lease(self, spot: Spot, *arguments: Word) -> Call:
        """Give a call of it that has to do with a lease alone."""
        return Call(self, None, (spot.lease,), (new_nonce(), *arguments))


@dataclass(frozen=True, slots=True)
class Call:
    """A script, the part whose notebook it answers with, the keys it names, and its arguments, the nonce first."""

    script: Script
    part: Part | None
    keys: tuple[bytes, ...]
    arguments: tuple[Word, ...]

    def by_digest(self) -> Question:
        """Run it; a server that does not know it answers by a `Refusal`."""
        words = (b"EVALSHA", self.script.digest, len(self.keys), *self.keys, *self.arguments)
        return Question(words, answers_to(self.arguments[0]), NO_SCRIPT, is_personal=True)

    def by_text(self) -> Question:
        """Run it on a server that has forgotten it."""
        words = (b"EVAL", self.script.text, len(self.keys), *self.keys, *self.arguments)
        return Question(words, answers_to(self.arguments[0]), is_personal=True)


STORE, ADD, SWAP, TOUCH, BUMP = map(Script.of, (values.STORE, values.ADD, values.SWAP, values.TOUCH, values.BUMP))
STORE_MANY = Script.of(values.STORE_MANY)
DROP, VOID, CLEAR = map(Script.of, (values.DROP, rights.VOID, rights.CLEAR))
ADOPT, DROP_OLDER = map(Script.of, (rights.ADOPT, values.DROP_OLDER))
OPEN, LAND, QUIT, RENEW, MARK = map(Script.of, (rights.OPEN, rights.LAND, rights.QUIT, rights.RENEW, rights.MARK))
ALL = (STORE, STORE_MANY, ADD, SWAP, TOUCH, BUMP, DROP, VOID, CLEAR, OPEN, LAND, QUIT, RENEW, MARK)
"""Those that each connection makes known; the others are for once in a while."""
PATCHED = 24
"""Bytes of an entry that scripts write: generation, born, at."""


_CELLS_AT_ONCE = 1_000


def answers_to(nonce: Word) -> Callable[[Any], bool]:
    """Give the test that the answer to the call of this nonce passes."""

    def fits(reply: Any) -> bool:
        return type(reply) is list and len(reply) > 1 and reply[0] == nonce and type(reply[1]) is bytes

    return fits


def new_nonce() -> bytes:
    """Give 8 characters that no other call has: a notebook that has to be made anew is known by them, too."""
    return b2a_base64(urandom(6), newline=False)


def voids(part: Part, cells: Sequence[int]) -> list[Call]:
    """Give the calls that invalidate what has one of these cells: a script has room for so many."""
    chunks = [cells[first : first + _CELLS_AT_ONCE] for first in range(0, len(cells), _CELLS_AT_ONCE)]
    return [VOID(part, (), KEEPER, *chunk) for chunk in chunks]


def lifetime(ttl: float) -> int:
    """Give the milliseconds, 0 for ever."""
    return 0 if ttl == FOREVER else wire_milliseconds(ttl)
