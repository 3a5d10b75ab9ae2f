"""Writes of one key on a loop, the short way: a script that is run over an open connection.

Written out here once, since a set by the plans costs two to three times as much. What does not say at once that it is
done (no connection, a server that refuses, or that does not know the script, or who answers) is left to the way of all
others, from its beginning: nothing was done. Of a script that fails, too, since what must not be done twice is the last
thing that it does.
"""

from __future__ import annotations

from abc import ABC
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.redis_entries import LARGEST
from asynccache.backends.redis_rights import RedisRights
from asynccache.backends.redis_scripting import book_of
from asynccache.backends.redis_scripts import BUMP, DROP, OK, PATCHED, STORE, answers_to, lifetime, new_nonce
from asynccache.core.codec import INT64
from asynccache.core.fence import KEYS
from asynccache.core.keys import to_bytes
from asynccache.plan.io import LOOP
from asynccache.wire.faults import ErrorReply

if TYPE_CHECKING:
    from asynccache.backends.redis_scripts import Script
    from asynccache.plan.io import IO
    from asynccache.wire.redis import Word


class RedisQuickWrites(RedisRights, ABC):
    """The drivers that write, with a short way."""

    deadline: float

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        told = (lifetime(ttl), raw[PATCHED:], to_bytes(key))
        is_short = io is LOOP and len(raw) <= LARGEST
        if is_short and await self._told_quickly(io, "set", STORE, key, told, is_dated=True) is not None:
            return True
        return await super()._store(io, key, raw, ttl)

    async def _drop(self, io: IO, key: str) -> bool:
        reply = await self._told_quickly(io, "delete", DROP, key, (to_bytes(key),)) if io is LOOP else None
        return await super()._drop(io, key) if reply is None else bool(reply[3])

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        if io is LOOP and delta in INT64:
            told = self._counting(key, delta, ttl)
            reply = await self._told_quickly(io, "incr", BUMP, key, told, recalled=False)
            if reply is not None:
                return int(reply[3])
        return await super()._bump(io, key, delta, ttl)

    async def _told_quickly(
        self,
        io: IO,
        tried: str,
        script: Script,
        key: str,
        told: tuple[Word, ...],
        *,
        is_dated: bool = False,
        recalled: bool = True,
    ) -> list[Any] | None:
        """Run a script that changes a key, and tell of it; `is_dated`: not later than this operation lasts."""
        part, *names = self._parts_of.spot(key)
        turn, node = self._place.turn, self._place.node_of(part)
        line = None if node is None else node.open_line()
        by = None if line is None else line.until(self.deadline)
        if node is None or line is None or by is None or line.keeper is None:
            return None
        nonce = new_nonce()
        until = (by,) if is_dated else ()
        words = (b"EVALSHA", script.digest, 5, *part.own, *names, nonce, line.keeper, *until, *told)
        try:
            (reply,) = await line.command((words,), monotonic() + self.deadline, (answers_to(nonce),))
        except Exception as failure:
            raise self._place.lost(node, tried, failure) from failure
        finally:
            self._place.wrote(key)
        if type(reply) is ErrorReply or reply[1] != OK:
            return None
        self._place.expect(turn, tried)
        book = book_of(reply[2])
        if not self._scripting.noted(part, book):
            await self._scripting.note(io, part, book)
        self._tell_at(part, book, KEYS, (key,), recalled=recalled)
        found: list[Any] = reply
        return found
