"""Many keys of one server on a loop, the short way, as in `redis_quick.py`: with a few batches under way at once."""

from __future__ import annotations

from abc import ABC
from collections import deque
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

from asynccache.backends import redis_questions as ask
from asynccache.backends.redis_quick import RedisQuick, tagged
from asynccache.backends.redis_sights import Looked
from asynccache.core.codec import DamagedEntryError, common
from asynccache.core.keys import checked, hash_of
from asynccache.errors import SerializationError
from asynccache.plan.io import LOOP
from asynccache.wire.faults import ErrorReply

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator

    from asynccache.backends.redis_connections import SharedLine
    from asynccache.model import Version

_BATCH_COUNT = 250
_UNDER_WAY = 4
"""Batches that are asked for before the first is read: the server is at one of them while another is decoded."""


class _Batch(NamedTuple):
    """Keys as users and as the server know them, and the future of what is there."""

    keys: list[str]
    names: list[bytes]
    replies: asyncio.Future[list[Any]]


class _Found:
    """What was found until now: values, entries that take the long way, and keys that do from the beginning."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.missing = 0
        self.odd: dict[str, Looked] = {}
        self.unheard: list[str] = []


class RedisQuickMany(RedisQuick, ABC):
    """`get_many_async` with a short way where there is one server for all keys."""

    async def get_many_async(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        is_short = self._place.is_one and version is None and self._loop is LOOP
        node = self._place.node_of(self._own_parts[0]) if is_short else None
        line = None if node is None else node.open_line()
        if node is None or line is None:
            return await super().get_many_async(keys, version)
        wanted = list(dict.fromkeys(map(checked, keys)))
        batches = self._asked(line, wanted)
        under_way = deque(islice(batches, _UNDER_WAY))
        found = _Found()
        try:
            while under_way:
                batch = under_way.popleft()
                (reply,) = await batch.replies
                under_way.extend(islice(batches, 1))
                self._take(line, batch, reply, found)
        except Exception as failure:  # noqa: BLE001  # what does not come from there is raised
            self._tolerated(self._place.lost(node, "get_many", failure), misses=len(wanted))
            return {}
        finally:
            for batch in under_way:
                batch.replies.cancel()
        self._counts["hits"] += len(found.values)
        self._counts["misses"] += found.missing
        return await self._completed(found, wanted) if found.odd or found.unheard else found.values

    def _asked(self, line: SharedLine, keys: list[str]) -> Iterator[_Batch]:
        """Ask for one batch after the other, each when it is wanted."""
        for first in range(0, len(keys), _BATCH_COUNT):
            some = keys[first : first + _BATCH_COUNT]
            names = [(self._namespace + key).encode("utf-8", "surrogatepass") for key in some]
            look = ask.look(self._own_parts[0].notebook, names)
            yield _Batch(some, names, line.command((look.words,), monotonic() + self.deadline, (look.fits,)))

    def _take(self, line: SharedLine, batch: _Batch, reply: Any, found: _Found) -> None:
        part = self._own_parts[0]
        told = None if type(reply) is ErrorReply else self._scripting.told_by(part, reply[0], line.keeper)
        if told is None:
            found.unheard += batch.keys
            return
        bound, values, (gen, floor) = self.serializer.bound, found.values, (told.gen, told.floor)
        for key, name, raw in zip(batch.keys, batch.names, islice(reply, 1, None), strict=True):
            if raw is None:
                found.missing += 1
                continue
            owner = hash_of(name)
            entry = common(raw, owner) or tagged(raw, owner, told)
            if entry is not None and entry[1] == gen and entry[2] >= floor:
                try:
                    values[key] = bound(owner).loads(entry[0])
                    continue
                except (DamagedEntryError, SerializationError):
                    pass  # who should hear of it does so on the long way
            found.odd[key] = Looked(part, raw, told.book, told.book.keeper)

    async def _completed(self, found: _Found, wanted: list[str]) -> dict[str, Any]:
        entries = await self._read_on({self.stored_key(key): looked for key, looked in found.odd.items()})
        values = found.values | {key[len(self._namespace) :]: entry.value for key, entry in entries.items()}
        if found.unheard:
            values |= await super().get_many_async(found.unheard)
        return {key: values[key] for key in wanted if key in values}
