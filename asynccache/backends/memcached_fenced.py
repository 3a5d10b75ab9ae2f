"""What the backends over real memcached servers share: entries that know a position, and rights to load.

A write of an entry takes the place of whatever is there, also of a right to load, which is lost then. To all but
read-throughs a right is as good as nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from asynccache.backends.memcached_entries import exptime
from asynccache.backends.memcached_notebook import birth_of, born_as, born_at, gen_of
from asynccache.backends.memcached_rights import MemcachedRights
from asynccache.core.keys import memcached_key
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.memcached_rewriting import Change
    from asynccache.backends.memcached_sights import Sight, Spot
    from asynccache.core.codec import Frame
    from asynccache.plan.io import IO

_TRIES = 3
_SHARE = 500
"""Entries that are written in one go: each is copied, to say where it comes from."""


class FencedMemcachedBackend(MemcachedRights):
    """A backend over memcached servers."""

    # Drivers

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        sights = await self._at_once(io, self._sights, [key])
        return sights.all()[key].raw  # type: ignore[no-any-return]

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        sights = await self._at_once(io, self._sights, keys)
        if self.on_error == "raise":
            sights.all()
        return {key: sight.raw for key, sight in sights.by_key.items() if sight.raw is not None}

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return await self._at_once(io, self._put, key, raw, ttl)  # type: ignore[no-any-return]

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        keys, failed = list(raws), []
        for at in range(0, len(keys), _SHARE):
            failed += await self._at_once(io, self._put_many, {key: raws[key] for key in keys[at : at + _SHARE]}, ttl)
        return failed

    async def _drop(self, io: IO, key: str) -> bool:
        return await self._at_once(io, self._deleted, [key]) > 0  # type: ignore[no-any-return]

    async def _drop_many(self, io: IO, keys: list[str]) -> int:
        return await self._at_once(io, self._deleted, keys)  # type: ignore[no-any-return]

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return await self._at_once(io, self._put_first, key, raw, ttl)  # type: ignore[no-any-return]

    async def _swap(self, io: IO, key: str, seen: bytes, raw: bytes, ttl: float) -> bool:
        return await self._at_once(io, self._exchanged, key, seen, raw, ttl)  # type: ignore[no-any-return]

    # What they do, in one go

    async def _put(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        spot = self._spot(key)
        born = await self._born(io, spot, raw, None)
        return await self._ask(io, spot.place, "store", spot.wire, born, exptime(ttl))  # type: ignore[no-any-return]

    async def _put_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        failures: list[BackendUnavailableError] = []
        numbers: dict[str, int | None] = {}
        calls: dict[str, dict[bytes, tuple[Any, ...]]] = {}
        spots = [self._spot(key) for key in raws]
        for spot in spots:
            if spot.place not in numbers:
                numbers[spot.place] = await self._known(io, spot, failures)
            if (number := numbers[spot.place]) is not None:
                born = await self._born(io, spot, raws[spot.key], number)
                calls.setdefault(spot.place, {})[spot.wire] = (born, exptime(ttl))
        replies = await self._ask_each(io, "store", calls)
        failures += replies.failures.values()
        if failures and self.on_error == "raise":
            raise failures[0]
        return [spot.key for spot in spots if not replies.by_place.get(spot.place, {}).get(spot.wire)]

    async def _deleted(self, io: IO, keys: list[str]) -> int:
        """Delete what is there, a right included; tell how many entries there were."""
        sights = await self._sights(io, keys)
        calls: dict[str, dict[bytes, tuple[Any, ...]]] = {}
        for sight in sights.by_key.values():
            calls.setdefault(sight.spot.place, {})[sight.spot.wire] = ()
        replies = await self._ask_each(io, "delete", calls)
        replies.check()
        was_there = [sight.spot for sight in sights.all().values() if sight.raw is not None]
        return sum(bool(replies.by_place[spot.place][spot.wire]) for spot in was_there)

    async def _put_first(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        """Store where no entry is; a right to load is none, and lost then."""
        for _ in range(_TRIES):
            sight = await self._sight(io, key)
            if sight.raw is not None:
                if await self._living(io, key) is not None:
                    return False
                sight = await self._sight(io, key)  # it was damaged, and is removed; or it is kept, and stays
                if sight.raw is not None:
                    return False
            born = await self._born(io, sight.spot, raw, sight.number)
            stored = await self._taken_over(io, sight, "insert", born, exptime(ttl))
            if stored is not False:
                return bool(stored)
        return False

    async def _exchanged(self, io: IO, key: str, seen: bytes, raw: bytes, ttl: float) -> bool:
        wire, place = memcached_key(key), self._place(key)
        found = await self._ask(io, place, "gets_many", [wire])
        there, token = found.get(wire, (None, 0))
        return there == seen and bool(await self._ask(io, place, "cas", wire, born_as(raw, seen), token, exptime(ttl)))

    # Changing an entry

    async def _rewritten_once(self, io: IO, key: str, change: Change) -> tuple[bool, Frame | None]:
        """Change an entry; tell whether nobody was faster, and what became of it (None where it stays as it is)."""
        sight = await self._sight(io, key)
        frame = None if sight.raw is None else await self._framed(io, key, sight.raw)
        if frame is None and sight.raw is not None:  # it was damaged, and is removed
            sight = sight._replace(there=None)
        over = frame is not None and frame.stale_ms > 0 and not self._lives(frame)
        changed = change(None if over else frame)
        if changed is None:
            return True, None
        return await self._swapped(io, sight, *changed), changed[0]

    async def _swapped(self, io: IO, sight: Sight, frame: Frame, ttl: float) -> bool:
        """Store a frame where what was seen still is; one that is new is born now."""
        spot, number = sight.spot, sight.number
        if number is None:
            number = await self._number(io, spot.place, spot.namespace)
        if frame.gen != gen_of(number):
            frame = replace(frame, gen=gen_of(number), born=number)
        raw = self._stamped(frame, spot.key, ttl)
        if sight.there is None:
            return await self._ask(io, spot.place, "add", spot.wire, raw, exptime(ttl))  # type: ignore[no-any-return]
        return await self._ask(io, spot.place, "cas", spot.wire, raw, sight.token, exptime(ttl))  # type: ignore[no-any-return]

    # Births

    async def _born(self, io: IO, spot: Spot, raw: bytes, number: int | None) -> bytes:
        """Give an entry the position that is now, or that was known when this call had begun."""
        birth = birth_of(raw)
        if birth is None:
            return raw
        if number is None or birth.cells:
            number = await self._position(io, spot.place, spot.namespace, birth.cells)
        return born_at(raw, gen_of(number), number)

    async def _known(self, io: IO, spot: Spot, failures: list[BackendUnavailableError]) -> int | None:
        try:
            return await self._number(io, spot.place, spot.namespace)
        except BackendUnavailableError as failure:
            failures.append(failure)
            return None
