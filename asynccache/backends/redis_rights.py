"""Rights to load, tags, clearing and the log in Redis."""

from __future__ import annotations

import asyncio
import time
from abc import ABC
from typing import TYPE_CHECKING, cast

from asynccache.backends import redis_questions as ask
from asynccache.backends import redis_scripts as scripts
from asynccache.backends.granting import Found, Granted, Taken, Unheard
from asynccache.backends.redis_entries import LARGEST, RedisEntries
from asynccache.backends.redis_log import step_of
from asynccache.backends.redis_questions import KEEPER, NOBODY
from asynccache.backends.redis_scripts import PATCHED, lifetime
from asynccache.backends.redis_sights import all_of
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.fence import CLEAR, TAGS, View, cells_of, read_notebook
from asynccache.core.keys import to_bytes
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asynccache.backends.followed import At, Batch, Hole
    from asynccache.backends.granting import Answer, Landing, Want
    from asynccache.backends.redis_parts import Part
    from asynccache.backends.redis_questions import Signed, Word
    from asynccache.core.claims import Ticket
    from asynccache.core.fence import Notebook
    from asynccache.plan.io import IO

_CLAIMS_AT_ONCE = 100
_LANDED_BYTES = 4 * 1024 * 1024
_EVENTS_AT_ONCE = 500
_PAUSE = 0.1
"""Seconds between two looks at logs that cannot be waited for."""


class RedisRights(RedisEntries, ABC):
    """The drivers of rights, and of what invalidates more than keys."""

    async def _claim_many(self, io: IO, wants: Sequence[Want], lease: float) -> list[Answer | Unheard]:
        by_key = {want.key: want for want in wants}
        calls, chunks = [], []
        for part, keys in self._by_part(list(by_key)).items():
            for first in range(0, len(keys), _CLAIMS_AT_ONCE):
                chunk = [by_key[key] for key in keys[first : first + _CLAIMS_AT_ONCE]]
                chunks.append(chunk)
                spots = [self._parts_of.spot(want.key) for want in chunk]
                wires = [wire for spot in spots for wire in (spot.entry, spot.lease)]
                told = [word for want in chunk for word in (_wire(want.token), want.seen, int(want.stamped))]
                calls.append(scripts.OPEN(part, wires, KEEPER, lifetime(lease), *told))
        replies = await self._scripting.run(io, "claim", calls, list(by_key))
        answers: dict[str, Answer | Unheard] = {}
        for chunk, reply in zip(chunks, replies, strict=True):
            if isinstance(reply, BackendUnavailableError):
                answers |= {want.key: Unheard(reply) for want in chunk}
                continue
            _, book, found = reply
            view = _view(book)
            for want, (word, raw, *more) in zip(chunk, found, strict=True):
                match word:
                    case scripts.FOUND:
                        answers[want.key] = Found(raw)
                    case scripts.GRANTED:
                        answers[want.key] = Granted(int(more[0]), view, raw or None)
                    case _:
                        answers[want.key] = Taken(max(0, more[0]) / 1000, raw or None)
        return [answers[want.key] for want in wants]

    async def _land_many(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        return [stood for some in _at_once(landings) for stood in await self._landed(io, some)]

    async def _landed(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        calls = []
        for ticket, raw, ttl, cells in landings:
            spot = self._parts_of.spot(ticket.key)
            stored = raw is not None and len(raw) <= LARGEST
            rest = raw if raw is not None and stored else codec.encode(Frame(b"", cells=cells), bytes(16))
            gen, keeper = cast("View", ticket.view)
            what: tuple[Word, ...] = (
                _wire(ticket.token),
                lifetime(ttl) if stored else b"-",
                rest[PATCHED:],
                to_bytes(ticket.key),
            )
            what += (gen, keeper, b"%020d" % ticket.born)
            calls.append(scripts.LAND(spot.part, (spot.entry, spot.lease), KEEPER, *what))
        replies = await self._scripting.run(io, "land", calls, [landing.ticket.key for landing in landings])
        landed = []
        for call, (word, _, full) in zip(calls, all_of(replies), strict=True):
            if word == scripts.FULL:
                self._place.guard_of(call.by_digest()).note_refusal("land", full.decode())
            landed.append(word in {scripts.OK, scripts.FULL})
        return landed

    async def _hold(self, io: IO, ticket: Ticket, lease: float) -> bool:
        spot = self._parts_of.spot(ticket.key)
        call = scripts.RENEW.on_lease(spot, _wire(ticket.token), lifetime(lease))
        ((word,),) = all_of(await self._scripting.run(io, "hold", [call], [ticket.key]))
        return bool(word == scripts.OK)

    async def _release(self, io: IO, ticket: Ticket) -> bool:
        spot = self._parts_of.spot(ticket.key)
        call = scripts.QUIT(spot.part, (spot.lease,), KEEPER, _wire(ticket.token), 0, b"", to_bytes(ticket.key))
        ((word, _),) = all_of(await self._scripting.run(io, "release", [call], [ticket.key]))
        return bool(word == scripts.OK)

    async def _void(self, io: IO, namespace: str, tags: tuple[str, ...]) -> None:
        cells = cells_of(tags)
        calls = [call for part in self._parts_of.of(namespace) for call in scripts.voids(part, cells)]
        replies = await self._scripting.run(io, "invalidate tags", calls, [])
        for call, reply in zip(calls, replies, strict=True):
            if call.part is not None and isinstance(reply, list):
                self._tell(call.part, reply[1], TAGS, cells, recalled=True)
        all_of(replies)

    async def _empty(self, io: IO, namespace: str) -> None:
        parts = self._parts_of.of(namespace)
        calls = [scripts.CLEAR(part, (), KEEPER) for part in parts]
        replies = await self._scripting.run(io, "clear", calls, [])
        for part, reply in zip(parts, replies, strict=True):
            if isinstance(reply, list):
                self._tell(part, reply[1], CLEAR, recalled=True)
        all_of(replies)

    async def _attend(self, io: IO, key: str, seconds: float) -> None:
        async def left() -> float:
            call = scripts.MARK.on_lease(self._parts_of.spot(key))
            ((_, *milliseconds),) = all_of(await self._scripting.run(io, "attend", [call], [key]))
            return float(max(0, *milliseconds, 0)) / 1000

        await self.follower.wait(io, key, seconds, left)

    # The log

    def _parts(self, namespace: str) -> tuple[str, ...]:
        return tuple(part.name for part in self._parts_of.of(namespace))

    def _part_of(self, stored_key: str) -> str:
        return self._parts_of.spot(stored_key).part.name

    async def _follow(self, io: IO, places: Mapping[str, At | None], wait: float) -> dict[str, Batch | Hole]:
        if not self._place.is_one and all(places.values()):
            await io.twin(time.sleep, asyncio.sleep, min(wait, _PAUSE))
        block = wait if self._place.is_one and len(places) == 1 else 0.0
        parts = [self._parts_of.named(name) for name in places]
        questions = [ask.look(part.notebook) for part in parts]
        known = [(part, at) for part, at in zip(parts, places.values(), strict=True) if at is not None]
        questions += [ask.changes(part.log, at.position, _EVENTS_AT_ONCE, block) for part, at in known]
        replies = await self._place.read(io, "follow", questions, [], block)
        logs = {part.name: reply for (part, _), reply in zip(known, replies[len(parts) :], strict=True)}
        steps: dict[str, Batch | Hole] = {}
        failures = []
        for part, signed in zip(parts, replies, strict=False):
            try:
                book = await self._accepted(io, part, *all_of([signed]))
            except BackendUnavailableError as failure:  # other parts are on other servers
                failures.append(failure)
            else:
                steps[part.name] = step_of(book, places[part.name], logs.get(part.name))
        if failures and not steps:
            raise failures[0]
        return steps

    async def _accepted(self, io: IO, part: Part, signed: Signed) -> Notebook:
        """Give the notebook of a part that was read, once its data is accepted for the process that answered."""
        book = read_notebook(signed.reply[0])
        if book is None or signed.keeper not in {book.keeper, NOBODY}:
            book = await self._scripting.adopted(io, "follow", part)
        await self._scripting.note(io, part, book)
        return book


def _at_once(landings: Sequence[Landing]) -> Iterator[list[Landing]]:
    """Cut into what one round trip carries in time: as many as there are, unless they are large."""
    some: list[Landing] = []
    size = 0
    for landing in landings:
        some.append(landing)
        size += len(landing.raw or b"")
        if size >= _LANDED_BYTES:
            yield some
            some, size = [], 0
    if some:
        yield some


def _view(raw: bytes) -> View:
    book = read_notebook(raw)
    return View(b"", b"") if book is None else book.view


def _wire(token: bytes) -> bytes:
    """Give a token as a lease has it: without the sign by which one is marked."""
    return token.hex().encode()
