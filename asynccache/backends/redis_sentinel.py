"""Redis Sentinel: one master, whose place the sentinels know and change.

All reads and writes go to the master. A planned failover leaves the old one a master for many seconds, in which it
says OK to writes that are lost; so the sentinels are listened to (`redis_sentinel_news.py`), and from the moment that
a failover begins until the new master says that it is one, no write is said to have been done. When the news do not
come, the sentinels are asked: whenever an operation fails, or is refused by a server that is no master any more.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.outage import Due
from asynccache.backends.redis_place import Nodes, Place
from asynccache.backends.redis_questions import Question, Refusal
from asynccache.backends.redis_sentinel_news import News
from asynccache.backends.redis_servers import as_data_server, as_sentinel
from asynccache.backends.redis_survey import Survey, Witnesses
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.outage import OutageGuard
    from asynccache.backends.redis_clients import RedisNode
    from asynccache.backends.redis_parts import Part
    from asynccache.backends.servers import Server
    from asynccache.plan.io import IO

_DEMOTED = frozenset({"READONLY"})
_LAG = 10.0
"""Seconds within which all sentinels have heard of a new master."""
_FAILS_OVER = b"failover_in_progress"
_STATED = frozenset({b"config-epoch", b"flags", b"ip", b"port"})


class SentinelService(Place):
    """The master of a service.

    Args:
        nodes: makes nodes.
        servers: the sentinels as they were named, with the path, credentials and options for the master.
        service: what the sentinels call the master.
    """

    def __init__(self, nodes: Nodes, servers: Sequence[Server], service: str) -> None:
        self._like, rest = as_data_server(servers[0], nodes.options)
        self._make = nodes.with_options(rest)
        self._guard = nodes.guard(service)
        self._service = service
        self._deadline = nodes.deadline
        sentinels = [as_sentinel(server, nodes.options) for server in servers]
        self._sentinels = [nodes.with_options(options).node(server) for server, options in sentinels]
        self._make.node(self._like, self._guard)  # tries the options
        self._questions = _state_of(service), _where_is(service)
        self._masters: dict[tuple[str, int], RedisNode] = {}
        self._current: RedisNode | None = None
        self._epoch = 0
        self._taken_at = 0.0
        self._witnesses = Witnesses()
        self._survey = Survey(self._look, self._guard.unavailable)
        self._news = News(sentinels, service, self._survey.doubt_at_once)

    async def read(
        self, io: IO, tried: str, questions: Sequence[Question], keys: Sequence[str], wait: float = 0.0
    ) -> list[Any]:
        del keys
        due = Due(monotonic() + self._deadline + wait)
        return await self._ask(io, tried, questions, await self._master(io, due), due)

    async def write(self, io: IO, tried: str, questions: Sequence[Question], keys: Sequence[str]) -> list[Any]:
        del keys
        due = Due(monotonic() + self._deadline)
        asked = [question.taking(_DEMOTED) for question in questions]
        replies = await self._write(io, tried, asked, due)
        if any(map(_is_demoted, replies)):
            self._survey.doubt()
            replies = await self._write(io, tried, asked, due)  # which is no retry: nothing was done
        if any(map(_is_demoted, replies)):
            raise self._guard.unavailable(f"{tried}: READONLY, and the sentinels know of no other master")
        return replies

    def node_of(self, part: Part) -> RedisNode | None:
        del part
        self._news.listen()
        return None if self._news.is_changing or self._survey.settled is None else self._current

    def lost(self, node: RedisNode, tried: str, failure: Exception) -> BackendUnavailableError:
        self._survey.doubt()
        return node.lost(tried, failure)

    @property
    def turn(self) -> int:
        return self._news.turn

    def expect(self, turn: int, tried: str) -> None:
        if turn != self._news.turn:
            raise self._guard.unavailable(f"{tried}: the master was changed meanwhile, what it did may be lost")

    def guard_of(self, question: Question) -> OutageGuard:
        del question
        return self._guard

    async def distrust(self, io: IO) -> None:
        if self._current is not None:
            await self._current.distrust(io)

    async def shut(self, io: IO) -> None:
        try:
            for node in (*self._masters.values(), *self._sentinels):
                await node.shut(io)
        finally:
            self._news.stop()  # last, since whoever still asks meanwhile begins to listen again

    async def _master(self, io: IO, due: Due) -> RedisNode:
        self._news.listen()
        if self._news.is_changing:
            self._survey.doubt()
        found = await self._survey.current(io, due)
        return self._current or found  # which another thread may have changed since

    async def _master_in_turn(self, io: IO, due: Due) -> tuple[RedisNode, int]:
        """Give the master, and the turn in which it is that: what it is told in another one may be lost."""
        while True:
            turn, master = self._news.turn, await self._master(io, due)
            if turn == self._news.turn:
                return master, turn

    async def _ask(self, io: IO, tried: str, questions: Sequence[Question], master: RedisNode, due: Due) -> list[Any]:
        try:
            return await master.ask(io, tried, *questions, due=due)
        except BackendUnavailableError:
            self._survey.doubt()
            raise

    async def _write(self, io: IO, tried: str, questions: Sequence[Question], due: Due) -> list[Any]:
        master, turn = await self._master_in_turn(io, due)
        if self._news.is_changing:
            raise self._guard.unavailable(f"{tried}: not asked, the sentinels are changing the master")
        replies = await self._ask(io, tried, questions, master, due)
        if not any(map(_is_demoted, replies)):
            self.expect(turn, tried)
        return replies

    # The sentinels

    async def _look(self, io: IO, due: Due) -> RedisNode:
        answers = await self._witnesses.ask(
            io, self._sentinels, due, "find the master", *self._questions, enough=len(self._sentinels)
        )
        told = [(node.guard.server, address, _named(state)) for node, (state, address) in answers]
        for sentinel, address, state in told:
            if _FAILS_OVER in state[b"flags"] and address == [state[b"ip"], state[b"port"]]:
                self._news.begin(sentinel)  # its news may have come before we listened
        epoch, (host, port) = max((int(state[b"config-epoch"]), address) for _, address, state in told)
        node = self._node_at(host.decode(), int(port))
        if node is not self._current:
            self._guard.try_now()
        await self._expect_a_master(io, node, due)
        return self._taken(node, epoch)

    def _is_outdated(self, epoch: int) -> bool:
        """Tell whether the sentinels that answered have not yet heard of a change that we know of.

        After a while they are believed: somebody has told them to begin anew.
        """
        return epoch < self._epoch and monotonic() < self._taken_at + _LAG

    def _node_at(self, host: str, port: int) -> RedisNode:
        node = self._masters.get((host, port))
        if node is None:
            server = replace(self._like, host=host, port=port)
            node = self._masters.setdefault((host, port), self._make.node(server, self._guard))
        return node

    def _taken(self, node: RedisNode, epoch: int) -> RedisNode:
        """Make it the master, unless there is one whom somebody knows to be newer; give the master."""
        if self._current is not None and (node is self._current or self._is_outdated(epoch)):
            self._epoch = max(self._epoch, epoch)
            return self._current
        before, self._current, self._epoch = self._current, node, epoch
        self._taken_at = monotonic()
        self._guard.server = f"{self._service} ({node.server.name})"
        if before is not None:
            self._news.settle()
        for address, other in list(self._masters.items()):
            if other is not node:
                self._masters.pop(address, None)
                other.retire()
        return node

    async def _expect_a_master(self, io: IO, node: RedisNode, due: Due) -> None:
        ((role, *_),) = await node.ask(io, "ask for its role", _ROLE, due=due)
        if role != b"master":
            raise self._guard.unavailable(f"{node.server.name} is to be the master, and still says {role.decode()}")


def _is_demoted(reply: Any) -> bool:
    return isinstance(reply, Refusal) and reply.code in _DEMOTED


def _where_is(service: str) -> Question:
    def fits(reply: Any) -> bool:
        match reply:
            case [bytes(), bytes() as port]:
                return port.isdigit()
        return False

    return Question((b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", service.encode()), fits)


def _state_of(service: str) -> Question:
    return Question(
        (b"SENTINEL", b"MASTER", service.encode()),
        lambda reply: type(reply) is list and len(reply) % 2 == 0 and set(reply[::2]) >= _STATED,
    )


def _named(state: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(state[::2], state[1::2], strict=True))


_ROLE = Question((b"ROLE",), lambda reply: type(reply) is list and bool(reply) and type(reply[0]) is bytes)
