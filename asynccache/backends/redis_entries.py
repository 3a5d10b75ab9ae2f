"""Entries in Redis: each write takes a new position in the order of its part, and reads give only what is valid."""

from __future__ import annotations

from abc import ABC
from typing import TYPE_CHECKING, Any

from asynccache.backends import redis_scripts as scripts
from asynccache.backends.redis_questions import BY, KEEPER, Refusal
from asynccache.backends.redis_scripts import PATCHED, lifetime
from asynccache.backends.redis_sights import RedisSights, all_of, batches
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.fence import KEYS, Change, Notebook, read_notebook
from asynccache.core.keys import to_bytes
from asynccache.errors import BackendUnavailableError, NotAnIntegerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asynccache.backends.redis_parts import Part
    from asynccache.backends.redis_questions import Word
    from asynccache.backends.redis_scripts import Call, Script
    from asynccache.plan.io import IO

LARGEST = 512 * 1024 * 1024
"""Bytes that a string of Redis can have (`proto-max-bulk-len`)."""
_TOO_BIG = frozenset({"OOM"})
_NO_BOOK = Notebook(b"", 0, 0, b"")
_AT = 16
"""Where an entry says when it was written (`core/codec.py`)."""


class RedisEntries(RedisSights, ABC):
    """The drivers that write values."""

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return not await self._store_many(io, {key: raw}, ttl)

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        refused = [key for key, raw in raws.items() if len(raw) > LARGEST]
        lost: list[str] = []
        for batch in batches([key for key in raws if key not in refused], raws):
            groups = self._by_part(batch)
            calls = [self._storing(part, some, raws, ttl) for part, some in groups.items()]
            replies = await self._scripting.run(io, "set", calls, batch, _TOO_BIG)
            for (part, some), call, reply in zip(groups.items(), calls, self._there(replies), strict=True):
                if isinstance(reply, Refusal):
                    self._place.guard_of(call.by_digest()).note_refusal("set", reply.said)
                    refused += some
                elif reply is None:
                    lost += some
                else:
                    self._tell(part, reply[1], KEYS, tuple(some), recalled=True)
        if refused:
            await self._drop_many(io, refused)
        return refused + lost

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return len(raw) <= LARGEST and await self._done(io, "add", self._writing(scripts.ADD, key, raw, ttl), key)

    async def _swap(self, io: IO, key: str, seen: bytes, raw: bytes, ttl: float) -> bool:
        written = b"%d" % int.from_bytes(raw[_AT:PATCHED])
        call = self._writing(scripts.SWAP, key, raw, ttl, seen, written)
        return len(raw) <= LARGEST and await self._done(io, "set", call, key)

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        spot = self._parts_of.spot(key)
        call = scripts.TOUCH(spot.part, (spot.entry,), KEEPER, lifetime(ttl), to_bytes(key))
        ((word, book),) = all_of(await self._scripting.run(io, "touch", [call], [key]))
        if word == scripts.OK:
            self._tell(spot.part, book, KEYS, (key,))
        return bool(word == scripts.OK)

    async def _drop(self, io: IO, key: str) -> bool:
        return bool(await self._drop_many(io, [key]))

    async def _drop_many(self, io: IO, stored_keys: list[str]) -> int:
        dropped = 0
        for batch in batches(stored_keys):
            by_part = self._by_part(batch)
            calls = []
            for part, some in by_part.items():
                spots = [self._parts_of.spot(key) for key in some]
                wires = [*[spot.entry for spot in spots], *[spot.lease for spot in spots]]
                calls.append(scripts.DROP(part, wires, KEEPER, *map(to_bytes, some)))
            replies = await self._scripting.run(io, "delete", calls, batch)
            for (part, some), reply in zip(by_part.items(), replies, strict=True):
                if not isinstance(reply, BackendUnavailableError):
                    self._tell(part, reply[1], KEYS, tuple(some), recalled=True)
                    dropped += reply[2]
            all_of(replies)
        return dropped

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        if delta not in codec.INT64:
            raise NotAnIntegerError(f"{delta} does not fit into 64 bits; the counter stays as it was")
        spot = self._parts_of.spot(key)
        call = scripts.BUMP(spot.part, (spot.entry, spot.lease), KEEPER, *self._counting(key, delta, ttl))
        ((word, book, number),) = all_of(await self._scripting.run(io, "incr", [call], [key]))
        if word != scripts.OK:
            raise NotAnIntegerError(
                f"{int(number) + delta} does not fit into 64 bits; the counter stays as it was"
                if word == scripts.OUT_OF_RANGE
                else "incr and decr need an int of 64 bits, and something else is stored there"
            )
        self._tell(spot.part, book, KEYS, (key,))
        return int(number)

    async def _mixed_up(self, io: IO) -> None:
        await self._place.distrust(io)

    # What they share

    def _counting(self, key: str, delta: int, ttl: float) -> tuple[Word, ...]:
        frame = self._stamped(Frame(b"", flags=codec.INTEGER), key, ttl)
        return delta, lifetime(ttl), frame[PATCHED:], to_bytes(key)

    def _storing(self, part: Part, keys: Sequence[str], raws: Mapping[str, bytes], ttl: float) -> Call:
        if len(keys) == 1:
            return self._writing(scripts.STORE, keys[0], raws[keys[0]], ttl)
        spots = [self._parts_of.spot(key) for key in keys]
        wires = [*[spot.entry for spot in spots], *[spot.lease for spot in spots]]
        told = [word for key in keys for word in (raws[key][PATCHED:], to_bytes(key))]
        return scripts.STORE_MANY(part, wires, KEEPER, BY, lifetime(ttl), *told)

    def _writing(self, script: Script, key: str, raw: bytes, ttl: float, *more: bytes) -> Call:
        spot = self._parts_of.spot(key)
        return script(
            spot.part, (spot.entry, spot.lease), KEEPER, BY, lifetime(ttl), raw[PATCHED:], to_bytes(key), *more
        )

    async def _done(self, io: IO, tried: str, call: Call, key: str) -> bool:
        """Run what writes under a key; tell whether it did."""
        (reply,) = all_of(await self._scripting.run(io, tried, [call], [key]))
        if reply[0] != scripts.OK:
            return False
        self._changed(key, reply)
        return True

    def _changed(self, key: str, reply: Sequence[Any]) -> None:
        self._tell(self._parts_of.spot(key).part, reply[1], KEYS, (key,), recalled=True)

    def _tell(
        self,
        part: Part,
        raw: bytes,
        kind: str,
        what: tuple[str, ...] | tuple[int, ...] = (),
        *,
        recalled: bool = False,
    ) -> None:
        self._tell_at(part, read_notebook(raw) or _NO_BOOK, kind, what, recalled=recalled)

    def _tell_at(
        self, part: Part, book: Notebook, kind: str, what: tuple[str, ...] | tuple[int, ...], *, recalled: bool
    ) -> None:
        """Tell those who hold copies what this process has just changed."""
        change = Change(book.seq, 0, kind, what)
        if recalled:
            self._scripting.recall.note(part, book.gen, change)
        for changed in self.changed:
            changed(part.name, book.view, change)
