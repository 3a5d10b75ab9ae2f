"""One key on a loop, the short way: what is asked of one server over an open connection, and goes as it mostly does.

Written out here once, since a get by the plans costs three times as much. It decides nothing by itself: whatever is not
as usual (several servers, no connection, a server that was down or refuses, a notebook that tells of another process,
an entry that is tagged, kept or damaged) goes the way of all others, from its beginning or with what was read.
"""

from __future__ import annotations

from abc import ABC
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.redis_entries import LARGEST
from asynccache.backends.redis_rights import RedisRights
from asynccache.backends.redis_scripting import book_of
from asynccache.backends.redis_scripts import OK, PATCHED, STORE, answers_to, lifetime, new_nonce
from asynccache.backends.redis_sights import Looked, birth_of
from asynccache.core.codec import DamagedEntryError, common
from asynccache.core.entry import Kind
from asynccache.core.fence import KEYS, is_valid
from asynccache.core.keys import checked, hash_of, to_bytes
from asynccache.errors import BackendUnavailableError, SerializationError
from asynccache.plan.io import LOOP
from asynccache.wire.faults import ErrorReply

if TYPE_CHECKING:
    from asynccache.backends.redis_parts import Part
    from asynccache.core.entry import Entry
    from asynccache.model import Version
    from asynccache.plan.io import IO


_STORE = (b"EVALSHA", STORE.digest, 5)
_NOTHING = (None, None)
"""Neither a notebook nor an entry."""


class RedisQuick(RedisRights, ABC):
    """What is called most, with a short way for a single server."""

    deadline: float
    _part: Part
    """The part of all keys of the usual version, where there is one server."""

    async def get_async(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        line = self._place.open_line() if version is None and self._loop is LOOP else None
        if line is None:
            return await super().get_async(key, version, default=default)
        part = self._part
        name = (self._namespace + checked(key)).encode("utf-8", "surrogatepass")
        try:
            reply = await line.look(part.notebook, name, monotonic() + self.deadline)
        except Exception as failure:  # noqa: BLE001  # what does not come from there is raised
            self._tolerated(self._place.lost("get", failure), misses=1)
            return default
        told = self._scripting.told_by(part, reply[0], line.keeper) if type(reply) is tuple else None
        if told is None and reply != _NOTHING:
            return await super().get_async(key, default=default)
        raw = reply[1]
        if told is None or raw is None:
            self._counts["misses"] += 1
            return default
        owner = hash_of(name)
        found = common(raw, owner) if type(raw) is bytes else None
        if found is not None and found[1] == told.gen and found[2] >= told.floor:
            try:
                value = self.serializer.bound(owner).loads(found[0])
            except (DamagedEntryError, SerializationError):
                pass  # which is seen to below
            else:
                self._counts["hits"] += 1
                return value
        stored_key = self.stored_key(key)
        entry = (await self._read_on({stored_key: Looked(part, raw, told.book, told.book.keeper)})).get(stored_key)
        return default if entry is None else entry.value

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
        line = self._place.open_line() if io is LOOP else None
        if line is None:
            return await super()._fetch(io, key)
        part, entry, _ = self._parts_of.spot(key)
        try:
            reply = await line.look(part.notebook, entry, monotonic() + self.deadline)
        except Exception as failure:
            raise self._place.lost("get", failure) from failure
        told = self._scripting.told_by(part, reply[0], line.keeper) if type(reply) is tuple else None
        if told is None and reply != _NOTHING:
            return await super()._fetch(io, key)
        if told is None or reply[1] is None:
            return None
        raw: bytes = reply[1]
        birth = birth_of(raw)
        if birth is None or not birth.cells:  # damaged ones are given, so that somebody hears of them
            return raw if birth is None or is_valid(birth, told.book, told.book.keeper) else None
        return (await self._seen(io, {key: Looked(part, raw, told.book, told.book.keeper)}))[key].raw

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        line = self._place.open_line() if io is LOOP and self._loop is LOOP else None
        by = None if line is None else line.until(self.deadline)
        if line is None or by is None or line.keeper is None or len(raw) > LARGEST:
            return await super()._store(io, key, raw, ttl)
        part, entry, lease = self._parts_of.spot(key)
        nonce = new_nonce()
        words = (*_STORE, *part.own, entry, lease, nonce, line.keeper, by, lifetime(ttl), raw[PATCHED:], to_bytes(key))
        try:
            (reply,) = await line.command((words,), monotonic() + self.deadline, (answers_to(nonce),))
        except Exception as failure:
            raise self._place.lost("set", failure) from failure
        if type(reply) is ErrorReply or reply[1] != OK:  # nothing was done, or more has to be done about it
            return await super()._store(io, key, raw, ttl)
        book = book_of(reply[2])
        if not self._scripting.noted(part, book):
            await self._scripting.note(io, part, book)
        self._tell_at(part, book, KEYS, (key,), recalled=True)
        return True
