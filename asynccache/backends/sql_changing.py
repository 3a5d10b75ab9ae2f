"""What is done to entries in a database: reads are one statement, changes one transaction each."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asynccache.backends import sql_entries as entries
from asynccache.backends import sql_rights as rights
from asynccache.backends.framing import added
from asynccache.backends.sql_asking import Planned
from asynccache.backends.sql_claims import ClaimingBackend
from asynccache.backends.sql_culling import SAMPLE, Culler
from asynccache.backends.sql_following import batches, sized_batches
from asynccache.backends.sql_order import trim
from asynccache.backends.sql_replies import FullError
from asynccache.backends.sql_rights import wire_key
from asynccache.backends.sql_rows import Row, framed
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.fence import KEYS
from asynccache.errors import BackendUnavailableError, NotAnIntegerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.sql_order import Order
    from asynccache.backends.sql_replies import Statement
    from asynccache.plan.io import IO

_ATTEMPTS = 10
_ALWAYS_FITS = 64 * 1024
"""Bytes of an entry that no server refuses."""


class ChangingBackend(ClaimingBackend):
    """A database that holds entries."""

    _culler: Culler

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        return (await self._fetch_many(io, [key])).get(key)

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for namespace, those in self._by_namespace(keys).items():
            for batch in batches(those):
                wires = {wire_key(key): key for key in batch}
                ((rows, _),) = await self._asked(io, "get", entries.fetch(self._order(namespace), list(wires)))
                found |= {wires[wire]: framed(raw, number) for *_, wire, raw, number, _ in rows if wire is not None}
        return found

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return not await self._store_many(io, {key: raw}, ttl)

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        refused = await self._too_big(io, raws)
        for namespace, keys in self._by_namespace([key for key in raws if key not in refused]).items():
            for batch in sized_batches({key: len(raws[key]) for key in keys}):
                try:
                    await self._stored(io, namespace, {key: raws[key] for key in batch}, ttl)
                except BackendUnavailableError as error:
                    if not isinstance(error.__cause__, FullError):
                        raise
                    refused.extend(batch)
        if refused:
            await self._drop_many(io, refused)
        await self._cull(io, len(raws) - len(refused))
        return refused

    async def _stored(self, io: IO, namespace: str, raws: Mapping[str, bytes], ttl: float) -> None:
        order, rows = self._order(namespace), [Row.of(key, raw) for key, raw in raws.items()]
        before = [order.complete_cells()] if any(row.cells for row in rows) else []
        steps = [entries.revoke(order, [row.cache_key for row in rows]), entries.store(order, rows, ttl)]
        await self._changed(io, "set", namespace, Planned(order, KEYS, tuple(raws), steps, before))

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        if await self._too_big(io, {key: raw}):
            return False
        order, row = self._order(self.namespace_of(key)), Row.of(key, raw)
        plan = _of_one(order, key, entries.insert(order, row, ttl), f"NOT {entries.exists(self._sql)}")
        made = await self._changed(io, "add", self.namespace_of(key), plan)
        await self._cull(io, int(made.is_made))
        return made.is_made

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        order = self._order(self.namespace_of(key))
        plain, touch = entries.exists(self._sql, entries.PLAIN), entries.touch(order, wire_key(key), ttl)
        return (await self._changed(io, "touch", self.namespace_of(key), _of_one(order, key, touch, plain))).is_made

    async def _swap(self, io: IO, key: str, seen: bytes, raw: bytes, ttl: float) -> bool:
        if await self._too_big(io, {key: raw}):
            return False
        order, row = self._order(self.namespace_of(key)), Row.of(key, raw)
        same, source = entries.exists(self._sql, entries.SAME), f"FROM {self._sql.notes} WHERE {order.marked()}"
        put = entries.put(order, row, ttl, source, "seq", nonce=order.nonce)
        plan = _of_one(order, key, put, same, seen=seen)
        return (await self._changed(io, "set", self.namespace_of(key), plan)).is_made

    async def _drop(self, io: IO, key: str) -> bool:
        return bool(await self._drop_many(io, [key]))

    async def _drop_many(self, io: IO, keys: list[str]) -> int:
        dropped = 0
        for namespace, those in self._by_namespace(keys).items():
            order = self._order(namespace)
            wires = [[wire_key(key) for key in batch] for batch in batches(those)]
            plan = Planned(
                order,
                KEYS,
                tuple(those),
                [*[entries.revoke(order, batch) for batch in wires], *[entries.drop(order, batch) for batch in wires]],
                [entries.sweep(order, batch) for batch in wires],
                late=True,
            )
            made = await self._changed(io, "delete", namespace, plan)
            dropped += sum(count for _, count in made.replies[-len(wires) :])
        return dropped

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        if delta not in codec.INT64:
            raise NotAnIntegerError(f"{delta} does not fit into 64 bits; the counter stays as it was")
        first = Row.of(key, self._stamped(Frame(codec.integer_payload(delta), flags=codec.INTEGER), key, ttl))
        there, fitting = entries.exists(self._sql), entries.exists(self._sql, entries.IN_RANGE)
        limits = {"low": codec.INT64[0] - min(delta, 0), "high": codec.INT64[-1] - max(delta, 0)}
        for _ in range(_ATTEMPTS):
            order = self._order(self.namespace_of(key))
            bump = entries.bump(order, first, delta, ttl)
            plan = _of_one(order, key, bump, f"(NOT {there} OR {fitting})", first.cache_key, **limits)
            made = await self._changed(io, "incr", self.namespace_of(key), plan)
            if made.is_made and made.number is not None:
                await self._cull(io, int(made.number == delta))
                return made.number
            raw = await self._fetch(io, key)
            frame = None if raw is None else await self._framed(io, key, raw)
            if frame is not None:
                added(frame, delta)  # says what is wrong with it; if nothing is, somebody made it just now
        self._counts["errors"] += 1
        raise BackendUnavailableError(f"{key!r} was changed by others all the time; try again")

    async def _too_big(self, io: IO, raws: Mapping[str, bytes]) -> list[str]:
        longest = max(map(len, raws.values()), default=0)
        if longest <= _ALWAYS_FITS or longest <= (largest := await self._database.largest(io)):
            return []
        return [key for key, raw in raws.items() if len(raw) > largest]

    async def _cull(self, io: IO, rows: int) -> None:
        """Remove a little of what is over or too much, now and then; a write that is done does not fail for it."""
        if not (limit := self._culler.due(rows)):
            return
        with suppress(BackendUnavailableError):
            now, start = self.clock(), self._culler.start()
            for statement in (entries.cull(self._sql, limit, now), trim(self._sql, now), rights.cull(self._sql, now)):
                await self._asked(io, "cull", statement)
            ((((count, last),), _),) = await self._asked(io, "cull", entries.sample(self._sql, start, SAMPLE))
            if excess := self._culler.excess(start, count, last):
                await self._asked(io, "cull", entries.cull(self._sql, min(excess, limit), now, living=True))


def _of_one(
    order: Order, key: str, step: Statement, condition: str, counter: bytes | None = None, **parameters: Any
) -> Planned:
    """Plan to change one entry, if a condition holds once what is over or invalid is gone."""
    wires = [wire_key(key)]
    steps, before = [entries.revoke(order, wires), step], [entries.sweep(order, wires)]
    return Planned(order, KEYS, (key,), steps, before, condition, {"k0": wires[0], **parameters}, counter)
