"""One key on a loop, the short way: what is asked of its server over an open connection, and goes as it mostly does.

Written out here once, since a get by the plans costs three times as much. It decides nothing by itself: whatever is not
as usual (no connection, a server that was down or refuses, places of which one is in doubt, a notebook that tells of
another process, an entry that is kept or damaged, or whose tags are not known) goes the way of all others, from its
beginning or with what was read.
"""

from __future__ import annotations

from abc import ABC
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.redis_parts import part_of
from asynccache.backends.redis_questions import NOBODY
from asynccache.backends.redis_quick_writes import RedisQuickWrites
from asynccache.backends.redis_sights import Looked, birth_of
from asynccache.core.codec import DamagedEntryError, common, decode
from asynccache.core.entry import Kind
from asynccache.core.keys import checked, hash_of, to_bytes
from asynccache.errors import BackendUnavailableError, SerializationError
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from asynccache.backends.redis_parts import Part
    from asynccache.backends.redis_scripting import Told
    from asynccache.core.entry import Entry
    from asynccache.model import Version
    from asynccache.plan.io import IO


_NOTHING = (None, None)
"""Neither a notebook nor an entry."""
_UNKNOWN = frozenset({None, NOBODY})
_UNUSUAL: Any = object()


class RedisQuick(RedisQuickWrites, ABC):
    """What is called most, with a short way."""

    _head: bytes
    """What all stored keys of the usual version begin with."""
    _own_parts: tuple[Part, ...]
    """The parts of that version."""

    async def get_async(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        if version is not None:
            return await super().get_async(key, version, default=default)
        wire = to_bytes(checked(key))
        part = part_of(self._own_parts, wire)
        if self._loop is not LOOP:
            return await self._got_near(part, wire, key, default)
        node = self._place.node_of(part)
        line = None if node is None else node.open_line()
        if node is None or line is None:
            return await super().get_async(key, default=default)
        try:
            reply = await line.look(part.notebook, part.entries + wire, monotonic() + self.deadline)
        except Exception as failure:  # noqa: BLE001  # what does not come from there is raised
            self._tolerated(self._place.lost(node, "get", failure), misses=1)
            return default
        told = self._scripting.told_by(part, reply[0], line.keeper) if type(reply) is tuple else None
        if told is None:
            return self._missed(default) if reply == _NOTHING else await super().get_async(key, default=default)
        value = self._usual(reply[1], wire, told, default)
        return value if value is not _UNUSUAL else await self._unusual(part, key, reply[1], told, default)

    async def _got_near(self, part: Part, wire: bytes, key: str, default: Any) -> Any:
        """Ask a replica; the leader where that one is away, or behind."""
        node = self._place.near_node_of(self.stored_key(key))
        line = None if node is None else node.open_line()
        if node is None or line is None or line.keeper in _UNKNOWN:
            return await super().get_async(key, default=default)
        try:
            reply = await line.look(part.notebook, part.entries + wire, monotonic() + self.deadline)
        except Exception as failure:  # noqa: BLE001  # what does not come from there is raised
            self._place.lost(node, "get", failure)
            return _value(await self.read(LOOP, key), default)
        if type(reply) is not tuple:
            return await super().get_async(key, default=default)
        told = self._scripting.told_near(part, reply[0])
        if told is None:
            return self._missed(default) if reply == _NOTHING else _value(await self.read(LOOP, key), default)
        value = self._usual(reply[1], wire, told, default)
        return value if value is not _UNUSUAL else await self._unusual(part, key, reply[1], told, default)

    def _missed(self, default: Any) -> Any:
        self._counts["misses"] += 1
        return default

    def _usual(self, raw: bytes | None, wire: bytes, told: Told, default: Any) -> Any:
        """Give what a get gives where that is known at once."""
        if raw is None:
            return self._missed(default)
        owner = hash_of(self._head + wire)
        found = common(raw, owner) or tagged(raw, owner, told)
        if found is None or found[1] != told.gen or found[2] < told.floor:
            return _UNUSUAL
        try:
            value = self.serializer.bound(owner).loads(found[0])
        except (DamagedEntryError, SerializationError):  # who should hear of it does so on the long way
            return _UNUSUAL
        self._counts["hits"] += 1
        return value

    async def _unusual(self, part: Part, key: str, raw: bytes, told: Told, default: Any) -> Any:
        stored_key = self.stored_key(key)
        entries = await self._read_on({stored_key: Looked(part, raw, told.book, told.book.keeper)})
        return _value(entries.get(stored_key), default)

    async def _read_on(self, looked: dict[str, Looked]) -> dict[str, Entry]:
        """Go on as plain reads do after a look."""
        try:
            seen = await self._seen(LOOP, looked) if looked else {}
        except BackendUnavailableError as error:
            self._tolerated(error, misses=len(looked))
            return {}
        entries = {}
        for stored_key, (raw, _) in seen.items():
            entry = self._counted(None if raw is None else await self._opened(LOOP, stored_key, raw, Kind.VALUE))
            if entry is not None:
                entries[stored_key] = entry
        return entries

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        part, entry, _ = self._parts_of.spot(key)
        node = self._place.node_of(part) if io is LOOP else None
        line = None if node is None else node.open_line()
        if node is None or line is None:
            return await super()._fetch(io, key)
        try:
            reply = await line.look(part.notebook, entry, monotonic() + self.deadline)
        except Exception as failure:
            raise self._place.lost(node, "get", failure) from failure
        told = self._scripting.told_by(part, reply[0], line.keeper) if type(reply) is tuple else None
        if told is None and reply != _NOTHING:
            return await super()._fetch(io, key)
        if told is None or reply[1] is None:
            return None
        raw: bytes = reply[1]
        birth = birth_of(raw)
        if birth is None or told.vouches_for(birth):  # damaged ones are given, so that somebody hears of them
            return raw
        if not birth.cells:
            return None
        return (await self._seen(io, {key: Looked(part, raw, told.book, told.book.keeper)}))[key].raw


def tagged(raw: bytes, owner: bytes, told: Told) -> tuple[bytes, bytes, int] | None:
    """Read an entry whose tags are known to be as they were, as `common` does one without."""
    birth = birth_of(raw)
    if birth is None or not birth.cells or not told.vouches_for(birth):
        return None
    try:
        frame = decode(raw, owner)
    except DamagedEntryError:
        return None
    return None if frame.flags or frame.stale_ms or frame.kind is not Kind.VALUE else (frame.payload, *birth[:2])


def _value(entry: Entry | None, default: Any) -> Any:
    return default if entry is None else entry.value
