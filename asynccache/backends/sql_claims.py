"""What a database grants to those who load, and what it invalidates: each in one transaction.

Changes of one namespace happen one after the other (`sql_order.py`), so what a transaction finds holds until its end.
"""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING

from asynccache.backends import sql_entries as entries
from asynccache.backends import sql_rights as rights
from asynccache.backends.granting import Found, Granted, Taken
from asynccache.backends.sql_asking import KEEPER, Planned, written
from asynccache.backends.sql_following import BATCH_COUNT, FollowingBackend
from asynccache.backends.sql_rights import wire_key
from asynccache.backends.sql_rows import AT, Row, framed
from asynccache.core.fence import CLEAR, NOTHING, TAGS, WAKE, View, cells_of
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asynccache.backends.granting import Landing, Want
    from asynccache.backends.sql_asking import Made
    from asynccache.backends.sql_order import Order
    from asynccache.backends.sql_replies import Statement
    from asynccache.core.claims import Ticket
    from asynccache.plan.io import IO

_ROUNDS = 5
_REMOVED = 1_000


class ClaimingBackend(FollowingBackend):
    """A database that grants rights to load."""

    @abstractmethod
    async def _too_big(self, io: IO, raws: Mapping[str, bytes]) -> list[str]:
        """Give the keys whose entries the database does not take."""

    @abstractmethod
    async def _cull(self, io: IO, rows: int) -> None:
        """Note that rows were written, and keep the tables small."""

    async def _claim_many(self, io: IO, wants: Sequence[Want], lease: float) -> list[Found | Granted | Taken]:
        found: dict[str, Found | Granted | Taken] = {}
        for _ in range(_ROUNDS):
            missing = {want.key: want for want in wants if want.key not in found}
            for namespace, keys in self._by_namespace(list(missing)).items():
                for start in range(0, len(keys), BATCH_COUNT):
                    batch = [missing[key] for key in keys[start : start + BATCH_COUNT]]
                    found |= await self._claimed_of(io, namespace, batch, lease)
            if len(found) == len({want.key for want in wants}):
                return [found[want.key] for want in wants]
        raise BackendUnavailableError(f"{self._place.name}: claim: what is stored there ends all the time")

    async def _claimed_of(
        self, io: IO, namespace: str, wants: Sequence[Want], lease: float
    ) -> dict[str, Found | Granted | Taken]:
        order, wires = self._order(namespace), [wire_key(want.key) for want in wants]
        stamped = any(want.stamped for want in wants)
        statements = (
            order.enter(),
            order.complete_cells(),
            *((order.stamp(), order.write_down(written(NOTHING, ()))) if stamped else ()),
            rights.grant(order, wants, lease),
            rights.withdraw(order, wants),
            rights.held(order, wires),
            entries.fetch(order, wires, entered=True),
        )
        *_, (held, _), (rows, _) = await self._asked(io, "claim", *statements, atomic=True)
        raws = {wire: framed(entry, number) for *_, wire, entry, number, _ in rows if wire is not None}
        holders = {wire: rest for _, wire, *rest in held}
        gen = rows[0][1]
        found: dict[str, Found | Granted | Taken] = {}
        for want, wire in zip(wants, wires, strict=True):
            raw = raws.get(wire)
            if raw is not None and want.seen >= 0 and int.from_bytes(raw[AT]) != want.seen:
                found[want.key] = Found(raw)
            elif wire in holders:
                token, born, left = holders[wire]
                granted = token == want.token
                found[want.key] = Granted(born, View(gen, KEEPER), raw) if granted else Taken(max(0, left) / 1000, raw)
        return found

    async def _land_many(self, io: IO, landings: Sequence[Landing]) -> list[bool]:
        stood: set[bytes] = set()
        by_key = {landing.ticket.key: landing for landing in landings}
        for namespace, keys in self._by_namespace(list(by_key)).items():
            for start in range(0, len(keys), BATCH_COUNT):
                batch = [by_key[key] for key in keys[start : start + BATCH_COUNT]]
                stood |= await self._landed_of(io, namespace, batch)
        return [landing.ticket.token in stood for landing in landings]

    async def _landed_of(self, io: IO, namespace: str, landings: Sequence[Landing]) -> set[bytes]:
        order, tickets = self._order(namespace), [landing.ticket for landing in landings]
        raws = {landing.ticket.key: landing.raw for landing in landings if landing.raw is not None}
        refused = await self._too_big(io, raws)
        rows = {key: Row.of(key, raw) for key, raw in raws.items() if key not in refused}
        awaited, parameters = rights.mine(self._sql, tickets, rights.AWAITED)
        keys = tuple(ticket.key for ticket in tickets)
        checked = [
            order.complete_cells(),
            *[statement for landing in landings for statement in self._land_one(order, landing, rows)],
            rights.landed(order, [wire_key(key) for key in keys]),
        ]
        plan = Planned(order, WAKE, keys, [rights.end(self._sql, tickets)], checked, awaited, parameters, late=True)
        made = await self._changed(io, "land", namespace, plan)
        stood = {token for _, _, token in made.replies[len(checked)][0]}
        if gone := [ticket.key for ticket in tickets if ticket.token in stood and ticket.key in refused]:
            await self._drop_many(io, gone)
        await self._cull(io, len(rows))
        return stood

    def _land_one(self, order: Order, landing: Landing, rows: Mapping[str, Row]) -> list[Statement]:
        ticket, row = landing.ticket, rows.get(landing.ticket.key)
        gen = getattr(ticket.view, "gen", b"")
        statements = [rights.approve(order, landing, gen)]
        if row is not None:
            source = rights.landed_source(order)
            more = {"gen": gen, "born": ticket.born, "t0": ticket.token, "nonce": order.nonce}
            statements.append(entries.put(order, row, landing.ttl, source, self._sql.number("born"), **more))
        return statements

    async def _hold(self, io: IO, ticket: Ticket, lease: float) -> bool:
        ((_, count),) = await self._asked(io, "hold", rights.renew(self._sql, ticket, lease, self.clock()))
        return bool(count)

    async def _release(self, io: IO, ticket: Ticket) -> bool:
        awaited, parameters = rights.mine(self._sql, [ticket], rights.AWAITED)
        steps = [rights.end(self._sql, [ticket])]
        order = self._order(self.namespace_of(ticket.key))
        before = [rights.held(order, [wire_key(ticket.key)])]
        plan = Planned(order, WAKE, (ticket.key,), steps, before, awaited, parameters, late=True)
        made = await self._changed(io, "release", self.namespace_of(ticket.key), plan)
        return any(token == ticket.token and left > 0 for _, _, token, _, left in made.replies[1][0])

    async def _attend(self, io: IO, key: str, seconds: float) -> None:
        async def left() -> float:
            held = rights.held(self._order(self.namespace_of(key)), [wire_key(key)])
            ((rows, _),) = await self._asked(io, "attend", held)
            if not rows:
                return 0.0
            _, wire, token, _, milliseconds = rows[0]
            mark = rights.mark(self._sql, wire, token, self.clock())  # it may be another one than was asked for
            ((_, count),) = await self._asked(io, "attend", mark)
            return milliseconds / 1000 if count else 0.0

        await self.follower.wait(io, key, seconds, left)

    async def _void(self, io: IO, namespace: str, tags: tuple[str, ...]) -> None:
        order, cells = self._order(namespace), cells_of(tags)
        plan = Planned(order, TAGS, cells, [order.void(cells)], [order.complete_cells()], late=True)
        await self._changed(io, "invalidate_tags", namespace, plan)

    async def _empty(self, io: IO, namespace: str) -> None:
        order = self._order(namespace)
        steps = [order.clear(), rights.end_all(self._sql, *_range(order.namespace))]
        made = await self._changed(io, "clear", namespace, Planned(order, CLEAR, (), steps, late=True))
        with suppress(BackendUnavailableError):  # it is done: nobody sees these any more
            for first, end in (_range(order.namespace), _range(b"~" + order.namespace)):
                await self._remove_cleared(io, first, end, made)

    async def _remove_cleared(self, io: IO, first: bytes, end: bytes, made: Made) -> None:
        until = monotonic() + self.deadline
        while monotonic() < until:
            remove = entries.remove_cleared(self._sql, first, end, made.gen, made.stamp, _REMOVED)
            ((_, count),) = await self._asked(io, "clear", remove)
            if count < _REMOVED:
                return


def _range(namespace: bytes) -> tuple[bytes, bytes]:
    """Give the first key of a namespace, and what comes after the last: its colon is followed by a semicolon."""
    return namespace, namespace[:-1] + b";"
