"""The scripts (`redis_lua.py`) as questions, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any

from asynccache.backends import redis_lua as lua
from asynccache.backends.redis_questions import BY, KEEPER, NO_SCRIPT, SINCE, Question, wire_milliseconds
from asynccache.core.lifetime import FOREVER

if TYPE_CHECKING:
    from collections.abc import Callable

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

    def __call__(self, keys: tuple[bytes, ...], *arguments: Word) -> Call:
        """Give a call of it, whose answer is known by its nonce."""
        return Call(self, keys, (token_urlsafe(6).encode(), *arguments))


@dataclass(frozen=True, slots=True)
class Call:
    """A script, the keys it names, and its arguments, the nonce first."""

    script: Script
    keys: tuple[bytes, ...]
    arguments: tuple[Word, ...]

    def by_digest(self) -> Question:
        """Run it; a server that does not know it answers by a `Refusal`."""
        words = (b"EVALSHA", self.script.digest, len(self.keys), *self.keys, *self.arguments)
        return Question(words, self._fits(), NO_SCRIPT, is_personal=True)

    def by_text(self) -> Question:
        """Run it on a server that has forgotten it."""
        words = (b"EVAL", self.script.text, len(self.keys), *self.keys, *self.arguments)
        return Question(words, self._fits(), is_personal=True)

    def adoption(self) -> Question:
        """Have the data of its part accepted for the process that answers."""
        nonce = token_urlsafe(6).encode()
        return Call(ADOPT, self.keys[:3], (nonce, KEEPER, SINCE)).by_text()

    def _fits(self) -> Callable[[Any], bool]:
        nonce = self.arguments[0]

        def fits(reply: Any) -> bool:
            return type(reply) is list and len(reply) > 1 and reply[0] == nonce and type(reply[1]) is bytes

        return fits


STORE, ADD, SWAP, TOUCH, BUMP = map(Script.of, (lua.STORE, lua.ADD, lua.SWAP, lua.TOUCH, lua.BUMP))
DROP, VOID, CLEAR, ADOPT = map(Script.of, (lua.DROP, lua.VOID, lua.CLEAR, lua.ADOPT))
OPEN, LAND, QUIT, RENEW, MARK = map(Script.of, (lua.OPEN, lua.LAND, lua.QUIT, lua.RENEW, lua.MARK))
ALL = (STORE, ADD, SWAP, TOUCH, BUMP, DROP, VOID, CLEAR, OPEN, LAND, QUIT, RENEW, MARK)
"""Those that each connection makes known; `ADOPT` is for once in a while."""
PATCHED = 24
"""Bytes of an entry that scripts write: generation, born, at."""
WRITES = (KEEPER, BY)


def lifetime(ttl: float) -> int:
    """Give the milliseconds, 0 for ever."""
    return 0 if ttl == FOREVER else wire_milliseconds(ttl)
