"""Keys on a loop, the short way: what is asked over an open connection, and goes as it mostly does.

Written out here once, since a get by the plans costs five times as much. It decides nothing by itself: whatever is not
as usual (no connection, a server that was down, an entry that is tagged, kept or damaged) goes the way of all others,
from its beginning.
"""

from __future__ import annotations

from abc import ABC
from asyncio import gather, get_running_loop
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.memcached_entries import exptime
from asynccache.backends.memcached_loops import LoopMemcachedBackend
from asynccache.backends.memcached_notebook import birth_of, born_at, gen_of, gen_written, notebook_wire, number_of
from asynccache.backends.memcached_order import Replies
from asynccache.core.codec import DamagedEntryError, common
from asynccache.core.entry import Kind
from asynccache.core.keys import checked, hash_of, memcached_key
from asynccache.errors import BackendUnavailableError, SerializationError
from asynccache.plan.forks import anew_in_child
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asynccache.backends.memcached_wires import MemcachedWires, Way
    from asynccache.model import Version
    from asynccache.plan.clients import LoopClients
    from asynccache.plan.io import IO
    from asynccache.wire.memcached import MemcachedWire

_UNUSUAL = object()
_NOBODY = (None, None, None)
_SHARE = 250
"""Keys of a get_many that one question is about."""
_UNDER_WAY = 4
"""Questions of a get_many that are under way."""


class MemcachedQuick(LoopMemcachedBackend, ABC):
    """What is called most, with a short way."""

    _clients: LoopClients[MemcachedWires]

    def __init__(self, **base: Any) -> None:
        super().__init__(**base)
        self._notebook = notebook_wire(self._namespace)
        self._near: tuple[Any, Any, Any] = _NOBODY
        """Where there is one server: the loop that asked last, its way, and its connection."""
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave the connection to the parent, in a forked child."""
        self._near = _NOBODY

    async def shut(self, io: IO) -> None:
        self._near = _NOBODY
        await super().shut(io)

    async def get_async(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        name = memcached_key(self._namespace + checked(key))
        way, wire = self._open_way(name)
        if wire is None or version is not None:
            return await super().get_async(key, version, default=default)
        try:
            notebook, raw = await wire.look(self._notebook, name, monotonic() + self.deadline)
        except Exception as failure:  # noqa: BLE001  # what does not come from there is raised
            self._tolerated(way.guard.lost("get_many", failure), misses=1)
            return default
        if raw is None:
            self._counts["misses"] += 1
            return default
        value = self._usual(name, raw, gen_written(notebook))
        if value is not _UNUSUAL:
            self._counts["hits"] += 1
            return value
        replies = Replies({way.guard.server: {self._notebook: notebook, name: raw}})
        return (await self._read_on([key], replies)).get(key, default)

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        name = memcached_key(key)
        way, wire = self._open_way(name) if io is LOOP else (None, None)
        if way is None or wire is None or not key.startswith(self._namespace):
            return await super()._fetch(io, key)
        try:
            notebook, raw = await wire.look(self._notebook, name, monotonic() + self.deadline)
        except Exception as failure:
            raise way.guard.lost("get_many", failure) from failure
        if raw is None:
            return None
        birth = birth_of(raw)
        if birth is not None and not birth.cells and birth.gen == gen_written(notebook):
            return raw  # type: ignore[no-any-return]  # the wire is ours
        replies = Replies({way.guard.server: {self._notebook: notebook, name: raw}})
        return (await self._seen(io, [self._spot(key)], replies)).all()[key].raw

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        name, birth = memcached_key(key), birth_of(raw)
        way, wire = self._open_way(name) if io is LOOP else (None, None)
        if way is None or wire is None or birth is None or birth.cells or not key.startswith(self._namespace):
            return await super()._store(io, key, raw, ttl)
        due = monotonic() + self.deadline
        try:
            notebook, _ = await wire.look(self._notebook, self._notebook, due)
            number, stored = number_of(notebook), False
            if number is not None:
                entry = born_at(raw, gen_of(number), number)
                (stored,) = await wire.run("set", [(name, (entry, exptime(ttl)))], due)
        except Exception as failure:
            raise way.guard.lost("store", failure) from failure
        return stored is True or await super()._store(io, key, raw, ttl)  # the notebook is lost, or this is refused

    async def get_many_async(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        asked = list(keys)
        if version is not None:
            return await super().get_many_async(asked, version)
        wanted = {memcached_key(self._namespace + checked(key)): key for key in asked}
        values: dict[str, Any] = {}
        unusual: dict[str, None] = {}
        replies = Replies()
        shares = self._shares(wanted)
        for at in range(0, len(shares), _UNDER_WAY):
            for way, names, items in await self._answered(shares[at : at + _UNDER_WAY]):
                gen = gen_written(items[0])
                self._counts["misses"] += len(names)
                for name, raw in zip(names, items[1:], strict=True):
                    if raw is None:
                        continue
                    if (value := self._usual(name, raw, gen)) is _UNUSUAL:
                        unusual[wanted[name]] = None
                        replies.by_place.setdefault(way.guard.server, {self._notebook: items[0]})[name] = raw
                    else:
                        values[wanted[name]] = value
        self._counts["hits"] += len(values)
        self._counts["misses"] -= len(values) + len(unusual)
        return values | await self._read_on(unusual, replies) if unusual else values

    async def _read_on(self, keys: Iterable[str], replies: Replies) -> dict[str, Any]:
        """Go on as plain reads do after a look."""
        by_stored = {self._namespace + key: key for key in keys}
        sights = await self._seen(LOOP, [self._spot(stored_key) for stored_key in by_stored], replies)
        if sights.failure is not None:
            self._tolerated(sights.failure)
        values = {}
        for stored_key, key in by_stored.items():
            raw = sights.by_key[stored_key].raw if stored_key in sights.by_key else None
            entry = None if raw is None else await self._opened(LOOP, stored_key, raw, Kind.VALUE)
            self._counted(entry)
            if entry is not None:
                values[key] = entry.value
        return values

    def _shares(self, names: Iterable[bytes]) -> list[tuple[Way, list[bytes]]]:
        """Tell what to ask of whom."""
        places: dict[str, list[bytes]] = {}
        for name in names:
            places.setdefault(self._rendezvous.place(name), []).append(name)
        ways = self._clients.current().ways
        return [
            (ways[place], own[at : at + _SHARE]) for place, own in places.items() for at in range(0, len(own), _SHARE)
        ]

    async def _answered(self, shares: list[tuple[Way, list[bytes]]]) -> list[tuple[Way, list[bytes], Sequence[Any]]]:
        """Ask for these shares at once: names, and what is at the notebook and at each; the rest are misses."""
        asked = [_outcome(way, [self._notebook, *names]) for way, names in shares]
        outcomes = [await asked[0]] if len(asked) == 1 else await gather(*asked)
        answers = []
        for (way, names), outcome in zip(shares, outcomes, strict=True):
            if isinstance(outcome, BackendUnavailableError):
                self._tolerated(outcome, misses=len(names))
            else:
                answers.append((way, names, outcome))
        return answers

    def _usual(self, name: bytes, raw: bytes, gen: bytes | None) -> Any:
        """Read the commonest entry; `_UNUSUAL` where it is another."""
        owner = hash_of(name)  # which is not the key's where the name is a digest of it
        found = common(raw, owner)
        if found is None or found[1] != gen:
            return _UNUSUAL
        try:
            return self.serializer.bound(owner).loads(found[0])
        except (DamagedEntryError, SerializationError):
            return _UNUSUAL

    def _open_way(self, name: bytes) -> tuple[Way, MemcachedWire | None]:
        """Give the way to the server of a key, and its connection if that can be used at once."""
        try:
            loop = get_running_loop()
        except RuntimeError:  # under trio, say, of which the clients tell
            loop = None
        near, way, wire = self._near
        if near is not loop or wire is None or not wire.is_open or wire.is_full or way.guard.breaker.failures:
            way = self._clients.current().ways[self._rendezvous.place(name)]
            wire = way.open_wire
            if wire is not None and len(self.servers) == 1:
                self._near = (loop, way, wire)
        return way, wire


async def _outcome(way: Way, names: Sequence[bytes]) -> Sequence[Any] | BackendUnavailableError:
    try:
        return await way.items(names)
    except BackendUnavailableError as failure:
        return failure
