"""What is found in Redis, and whether it is valid: by the notebook, read with it, and by the marks of its tags."""

from __future__ import annotations

import struct
from abc import ABC
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from asynccache.backends import redis_questions as ask
from asynccache.backends.followed import At, FollowedBackend, Seen
from asynccache.backends.near import Near, is_near
from asynccache.backends.redis_questions import NOBODY
from asynccache.backends.redis_scripting import TABLE
from asynccache.core import codec
from asynccache.core.fence import Birth, Marks, Notebook, View, is_valid, read_notebook
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import BLOCKING, LOOP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from asynccache.backends.redis_parts import Part, Parts
    from asynccache.backends.redis_place import Place
    from asynccache.backends.redis_scripting import Scripting
    from asynccache.plan.io import IO

_BATCH_COUNT = 500
_BATCH_BYTES = 256 * 1024
_NOWHERE = At(View(b"", b""), 0)
_CELLS_AT = codec.HEAD_SIZE + 8
"""Where an entry has the number of its cells (`core/codec.py`)."""


_Stamps = dict[str, tuple[View, dict[int, int]]]
"""By part: a generation, and the stamps of cells."""


class Looked(NamedTuple):
    """What was found under a key, and by which notebook and process."""

    part: Part
    raw: bytes | None
    book: Notebook | None
    keeper: bytes


class RedisSights(Near, FollowedBackend, ABC):
    """The drivers that read."""

    _place: Place
    _parts_of: Parts
    _scripting: Scripting

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        return (await self._fetch_many(io, [key])).get(key)

    async def _fetch_many(self, io: IO, stored_keys: list[str]) -> dict[str, bytes]:
        seen = await self._fetch_at(io, stored_keys)
        return {key: found.raw for key, found in seen.items() if found.raw is not None}

    async def _fetch_at(self, io: IO, stored_keys: list[str]) -> dict[str, Seen]:
        seen: dict[str, Seen] = {}
        for batch in batches(stored_keys):
            seen |= await self._seen(io, await self._look(io, batch))
        return seen

    async def _seen(self, io: IO, looked: Mapping[str, Looked]) -> dict[str, Seen]:
        """Leave out what is not valid."""
        marks = await self._marks(io, looked.values())
        seen: dict[str, Seen] = {}
        for key, found in looked.items():
            at = _NOWHERE if found.book is None else At(found.book.view, found.book.seq)
            seen[key] = Seen(found.raw if _is_usable(found, marks) else None, at)
        return seen

    async def _look(self, io: IO, stored_keys: Sequence[str]) -> dict[str, Looked]:
        by_part = self._by_part(stored_keys)
        questions = [
            ask.look(part.notebook, [self._parts_of.spot(key).entry for key in some]) for part, some in by_part.items()
        ]
        tried = "get" if len(stored_keys) == 1 else "get_many"
        replies = self._there(await self._place.read(io, tried, questions, stored_keys))
        looked: dict[str, Looked] = {}
        unsure: list[str] = []
        for (part, some), reply in zip(by_part.items(), replies, strict=True):
            if reply is None:
                continue
            (raw_book, *raws), keeper = reply
            book = read_notebook(raw_book)
            if book is not None and not await self._is_sure(io, part, book, keeper):
                unsure += some
                continue
            if book is not None and (is_near(io) or keeper == NOBODY):
                keeper = book.keeper
            looked.update((key, Looked(part, raw, book, keeper)) for key, raw in zip(some, raws, strict=True))
        if unsure:
            looked |= await self._look(io.pick(BLOCKING, LOOP), unsure)
        return looked

    async def _is_sure(self, io: IO, part: Part, book: Notebook, keeper: bytes) -> bool:
        """Tell whether to believe what was found: a replica may be behind, and a new leader's was just cleaned."""
        if keeper in {book.keeper, NOBODY}:
            return not await self._scripting.note(io.pick(BLOCKING, LOOP), part, book)
        known = self._scripting.known.get(part.name)
        return not is_near(io) or known is None or (known.view == book.view and book.seq >= known.position)

    async def _marks(self, io: IO, looked: Iterable[Looked]) -> _Stamps:
        """Give the stamps of all cells of these entries, by part, and of what generation and process they are."""
        wanted: dict[Part, set[int]] = {}
        for found in looked:
            birth = None if found.raw is None else birth_of(found.raw)
            if birth is not None and birth.cells:
                wanted.setdefault(found.part, set()).update(birth.cells)
        if not wanted:
            return {}
        told = [self._scripting.told.get(part.name) for part in wanted]
        questions = [ask.marks(part.table, sorted(cells)) for part, cells in wanted.items()]
        questions += [ask.look(part.notebook) for part in wanted]
        try:
            replies = self._there(await self._place.read(io.pick(BLOCKING, LOOP), "look at tags", questions, []))
        except BackendUnavailableError:
            if not is_near(io) or self.on_error == "raise":
                raise
            return {}  # the leader is away, and a replica has answered for what has no tags
        marks: _Stamps = {}
        for (part, cells), before, stamps, signed in zip(
            wanted.items(), told, replies, replies[len(wanted) :], strict=False
        ):
            if isinstance(stamps, list) and (view := _view(signed)) is not None:
                known = dict(zip((TABLE, *sorted(cells)), stamps, strict=True))
                marks[part.name] = view, known
                if before is not None:
                    before.note(known, signed)
        return marks

    # What reads and writes share

    def _by_part(self, stored_keys: Sequence[str]) -> dict[Part, list[str]]:
        by_part: dict[Part, list[str]] = {}
        for key in stored_keys:
            by_part.setdefault(self._parts_of.spot(key).part, []).append(key)
        return by_part

    def _there(self, replies: list[Any]) -> list[Any]:
        """Give the replies, `None` for those of a server that is away; or raise, as `on_error` says."""
        if self.on_error == "raise":
            all_of(replies)
        return [None if isinstance(reply, BackendUnavailableError) else reply for reply in replies]


def all_of(replies: list[Any]) -> list[Any]:
    """Give the replies; raise where one is missing."""
    for reply in replies:
        if isinstance(reply, BackendUnavailableError):
            raise reply
    return replies


def birth_of(raw: bytes) -> Birth | None:
    """Read where an entry comes from; None where these bytes are no entry of the present format."""
    if len(raw) < codec.PAYLOAD_OFFSET or raw[codec.HEAD_SIZE] != codec.FORMAT:
        return None
    gen, born = struct.unpack_from(">8sQ", raw)
    (count,) = struct.unpack_from(">H", raw, _CELLS_AT)
    if len(raw) < codec.PAYLOAD_OFFSET + 2 * count:
        return None
    return Birth(gen, born, struct.unpack_from(f">{count}H", raw, codec.PAYLOAD_OFFSET))


def _view(signed: Any) -> View | None:
    """Give the generation of a notebook, and the process that told it; nothing where there is none."""
    book = None if signed is None else read_notebook(signed.reply[0])
    return None if book is None else View(book.gen, book.keeper if signed.keeper == NOBODY else signed.keeper)


def _is_usable(found: Looked, marks: _Stamps) -> bool:
    """Tell whether it is valid, or damaged, of which somebody should hear.

    Its tags are compared with marks of its own generation that were told by the process that it was accepted for: one
    that has just taken over may have older ones.
    """
    birth = None if found.raw is None else birth_of(found.raw)
    if birth is None:
        return found.raw is not None
    stamps = None
    if birth.cells and found.book is not None and found.part.name in marks:
        view, known = marks[found.part.name]
        if view == found.book.view:
            stamps = Marks(known[TABLE], tuple(known[cell] for cell in birth.cells))
    return is_valid(birth, found.book, found.keeper, stamps)


def batches(stored_keys: Sequence[str], raws: Mapping[str, bytes] = MappingProxyType({})) -> Iterator[list[str]]:
    """Cut into what one round trip carries."""
    batch: list[str] = []
    size = 0
    for key in stored_keys:
        batch.append(key)
        size += len(raws.get(key, b""))
        if len(batch) >= _BATCH_COUNT or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
