"""How a database is asked: tables are made where there are none, and changes happen in one transaction each."""

from __future__ import annotations

import json
from secrets import randbits
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from asynccache.backends.followed import FollowedBackend
from asynccache.backends.sql_order import Order
from asynccache.backends.sql_replies import LateError, NoTableError, Statement, begin_with
from asynccache.backends.sql_rights import wire_key
from asynccache.backends.sql_tables import ddl
from asynccache.core.fence import Change, View
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asynccache.backends.sql_file import SqlFile
    from asynccache.backends.sql_place import Place
    from asynccache.backends.sql_replies import Reply
    from asynccache.backends.sql_server import SqlServer
    from asynccache.backends.sql_words import Words
    from asynccache.plan.io import IO

_DDL_SECONDS = 10.0
KEEPER = b""
"""A database accepts its data from nobody else: what was restored is not told from what was always there."""


class Planned(NamedTuple):
    """A change, in an order: its kind and its keys or cells, for the log; when it is one; and what makes it.

    `before` are statements that precede the decision; a change that is not `late` must not be made after its deadline,
    which its caller was told that it had failed at.
    """

    order: Order
    kind: str
    what: tuple[str, ...] | tuple[int, ...]
    steps: Sequence[Statement] = ()
    before: Sequence[Statement] = ()
    condition: str = ""
    parameters: Mapping[str, Any] = MappingProxyType({})
    counter: bytes | None = None
    late: bool = False


class Made(NamedTuple):
    """What became of a change: whether it was one, the counter's number, and the replies to all its statements."""

    is_made: bool
    gen: bytes
    stamp: int
    number: int | None
    replies: list[Reply]


class ServerTime:
    """The least that a server's clock can say now, as its last answer told; in milliseconds."""

    def __init__(self) -> None:
        self._told: tuple[int, float] | None = None

    def note(self, milliseconds: int) -> None:
        """Note what it said in an answer that has just come."""
        self._told = milliseconds, monotonic()

    def forget(self) -> None:
        """Do not rely on what it said."""
        self._told = None

    @property
    def at_least(self) -> int | None:
        """None where it never said anything."""
        told = self._told
        return None if told is None else told[0] + int((monotonic() - told[1]) * 1000)


class AskingBackend(FollowedBackend):
    """A backend over a database."""

    deadline: float
    _place: Place
    _sql: Words
    _database: SqlFile | SqlServer
    _time: ServerTime

    def ddl(self) -> str:
        """Give the statements that make the tables, for whoever wants to run them by other means."""
        return "".join(f"{statement};\n" for statement in ddl(self._sql))

    def _order(self, namespace: str) -> Order:
        return Order(self._sql, wire_key(namespace), randbits(62) | 1, self.clock())

    async def _asked(self, io: IO, tried: str, *statements: Statement, atomic: bool = False) -> list[Reply]:
        """Execute these, making the tables first where there are none; all or none of them if `atomic`."""
        try:
            return await self._database.ask(io, tried, statements, atomic=atomic)
        except NoTableError:
            self._database.guard.answered()  # or, after an outage, who makes the tables would not be let through
            await self._create(io)
        try:
            return await self._database.ask(io, tried, statements, atomic=atomic)
        except NoTableError as missing:
            raise BackendUnavailableError(f"{self._place.name}: {tried}: {missing}") from missing

    async def _changed(self, io: IO, tried: str, namespace: str, plan: Planned) -> Made:
        """Make a change, and tell those who listen."""
        order = plan.order
        try:
            *replies, (((_, mark, gen, prev, stamp, now, *number),), _) = await self._made(io, tried, plan)
        except BackendUnavailableError as error:
            if not isinstance(error.__cause__, LateError):
                raise
            self._time.forget()  # it was not too late if the server's clock was set
            *replies, (((_, mark, gen, prev, stamp, now, *number),), _) = await self._made(io, tried, plan)
        self._time.note(now)
        is_made = mark == order.nonce
        if is_made:
            self._tell_change(namespace, gen, Change(stamp, prev, plan.kind, plan.what))
        return Made(is_made, gen, stamp, number[0] if number else None, replies)

    async def _made(self, io: IO, tried: str, plan: Planned) -> list[Reply]:
        order = plan.order
        by = None if plan.late else await self._by(io, tried)
        statements = (
            order.enter(),
            *plan.before,
            order.stamp(plan.condition, by, **plan.parameters),
            order.write_down(written(plan.kind, plan.what)),
            *plan.steps,
            order.report(plan.counter),
        )
        return await self._asked(io, tried, *statements, atomic=True)

    async def _by(self, io: IO, tried: str) -> int | None:
        """Give the server's millisecond after which a change must not be made any more that begins now."""
        if not self._sql.by_server:
            return None
        if self._time.at_least is None:
            nonce = randbits(62)
            now = Statement(f"SELECT {self._sql.number('nonce')}, {self._sql.now}", {"nonce": nonce}, begin_with(nonce))
            (((_, milliseconds),), _), *_ = await self._database.ask(io, tried, [now])
            self._time.note(milliseconds)
        return (self._time.at_least or 0) + int(self.deadline * 1000)

    def _tell_change(self, part: str, gen: bytes, change: Change) -> None:
        for told in tuple(self.changed):
            told(part, View(gen, KEEPER), change)

    async def _create(self, io: IO) -> None:
        statements = [Statement(text) for text in ddl(self._sql)]
        await self._database.ask(io, "create the tables", statements, patience=_DDL_SECONDS)


def written(kind: str, what: tuple[str, ...] | tuple[int, ...]) -> bytes:
    """Give a change as the log has it."""
    return json.dumps([kind, *what]).encode()


def read(stamp: int, prev: int, raw: bytes) -> Change:
    """Read a change of the log."""
    kind, *what = json.loads(raw)
    return Change(stamp, prev, kind, tuple(what))
