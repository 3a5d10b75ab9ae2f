"""What is at keys of memcached, and whether it may be used: one question for an entry and the notebook of its server.

Marks of tags are asked for afterwards, where an entry has any: what is read later is only stricter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from asynccache.backends.memcached_notebook import (
    Right,
    birth_of,
    is_current,
    lease_wire,
    mark_wire,
    marks_of,
    namespace_of,
    notebook_wire,
    number_of,
)
from asynccache.backends.memcached_order import MemcachedOrder
from asynccache.core.keys import memcached_key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from typing import Any

    from asynccache.backends.memcached_order import Replies
    from asynccache.core.fence import Birth
    from asynccache.errors import BackendUnavailableError
    from asynccache.plan.io import IO

_NOTHING = (None, 0)


class Spot(NamedTuple):
    """Where a key is."""

    key: str
    place: str
    wire: bytes
    namespace: str


class Sight(NamedTuple):
    """What is at a spot, with its cas id: an entry, a right to load, or bytes that are neither; and what is beside it.

    `raw` are the bytes of an entry that may be used, or of something that is no entry at all. Cas ids are 0 where
    nobody asked for them.
    """

    spot: Spot
    there: bytes | None
    token: int
    number: int | None
    raw: bytes | None = None
    right: Right | None = None
    lease: Right | None = None
    lease_token: int = 0


class Sights(NamedTuple):
    """What is at keys; those of servers that did not answer are missing, and `failure` is why."""

    by_key: dict[str, Sight]
    failure: BackendUnavailableError | None

    def all(self) -> dict[str, Sight]:
        """Give them, or raise."""
        if self.failure is not None:
            raise self.failure
        return self.by_key


class MemcachedSights(MemcachedOrder):
    """A backend that looks before it writes."""

    def _spot(self, key: str) -> Spot:
        return Spot(key, self._place(key), memcached_key(key), namespace_of(key))

    async def _sight(self, io: IO, key: str, *, leases: bool = False) -> Sight:
        """Look at a key, to change what is there."""
        return (await self._sights(io, [key], ids=True, leases=leases)).all()[key]

    async def _sights(self, io: IO, keys: Iterable[str], *, ids: bool = False, leases: bool = False) -> Sights:
        """Look at keys."""
        spots = [self._spot(key) for key in keys]
        wires = _wires(spots, leases=leases, entries_first=ids)
        return await self._seen(io, spots, await self._ask_many(io, "gets_many" if ids else "get_many", wires), ids=ids)

    async def _seen(self, io: IO, spots: list[Spot], replies: Replies, *, ids: bool = False) -> Sights:
        """Judge what was found; the marks of tags are asked for."""
        sights, tagged = [], []
        for spot in spots:
            found = replies.by_place.get(spot.place, {})
            if spot.wire in found or spot.place not in replies.failures:
                sight, birth = _judged(_sighted(spot, found, ids=ids))
                sights.append(sight)
                tagged += [(sight, birth)] if birth is not None else []
        failures = replies.failures
        if tagged:
            valid, failures_of_marks = await self._clean(io, tagged)
            sights = [valid.get(sight.spot.key, sight) for sight in sights]
            failures = {**failures, **failures_of_marks}
            sights = [sight for sight in sights if sight.spot.place not in failures_of_marks]
        return Sights({sight.spot.key: sight for sight in sights}, next(iter(failures.values()), None))

    async def _clean(
        self, io: IO, tagged: list[tuple[Sight, Birth]]
    ) -> tuple[dict[str, Sight], dict[str, BackendUnavailableError]]:
        """Find those entries none of whose tags was invalidated."""
        wires: dict[str, dict[bytes, None]] = {}
        for sight, birth in tagged:
            marks = [mark_wire(sight.spot.namespace, cell) for cell in birth.cells]
            wires.setdefault(sight.spot.place, {}).update(dict.fromkeys(marks))
        replies = await self._ask_many(io, "get_many", wires)
        valid = {}
        for sight, birth in tagged:
            found = replies.by_place.get(sight.spot.place, {})
            raws = [found.get(mark_wire(sight.spot.namespace, cell)) for cell in birth.cells]
            if sight.number is not None and is_current(birth, sight.number, marks_of(raws, sight.number)):
                valid[sight.spot.key] = sight._replace(raw=sight.there)
        return valid, replies.failures


def _wires(spots: list[Spot], *, leases: bool, entries_first: bool) -> dict[str, Collection[bytes]]:
    """Give what to ask each server, in this order.

    Who will change an entry asks for it first: by a notebook read later it is rightly held to be invalid. Whoever
    only reads it may ask for it last, which spares pylibmc a question.
    """
    notebooks: dict[str, dict[bytes, None]] = {}
    entries: dict[str, dict[bytes, None]] = {}
    for spot in spots:
        beside = notebooks.setdefault(spot.place, {})
        beside[notebook_wire(spot.namespace)] = None
        if leases:
            beside[lease_wire(spot.key)] = None
        entries.setdefault(spot.place, {})[spot.wire] = None
    if entries_first:
        return {place: [*entries[place], *beside] for place, beside in notebooks.items()}
    return {place: [*beside, *entries[place]] for place, beside in notebooks.items()}


def _sighted(spot: Spot, found: dict[bytes, Any], *, ids: bool) -> Sight:
    beside = lease_wire(spot.key)
    (there, token), (notebook, _), (lease, lease_token) = [
        found.get(wire, _NOTHING) if ids else (found.get(wire), 0)
        for wire in (spot.wire, notebook_wire(spot.namespace), beside)
    ]
    right = Right.read(there, spot.wire)
    return Sight(spot, there, token, number_of(notebook), None, right, Right.read(lease, beside), lease_token)


def _judged(sight: Sight) -> tuple[Sight, Birth | None]:
    """Decide whether what is there may be used; where that is up to its tags, give its birth."""
    if sight.there is None or sight.right is not None:
        return sight, None
    birth = birth_of(sight.there)
    if birth is None:
        return sight._replace(raw=sight.there), None
    if not is_current(birth._replace(cells=()), sight.number):
        return sight, None
    return (sight, birth) if birth.cells else (sight._replace(raw=sight.there), None)
