"""Redis Cluster: each key's slot is served by one master, which may change at any time.

An operation asks the master that the map of slots names, follows where it is sent (nothing was done there, so this is
no retry), and keeps to one deadline over all of it. An outage of one master concerns its slots only.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot

from asynccache.backends.outage import Due
from asynccache.backends.redis_place import Nodes, Place
from asynccache.backends.redis_questions import Question, Refusal
from asynccache.backends.redis_survey import Survey, Witnesses
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.outage import OutageGuard
    from asynccache.backends.redis_clients import RedisNode
    from asynccache.backends.redis_parts import Part
    from asynccache.backends.servers import Server
    from asynccache.plan.io import IO

_HOPS = 6
_NOT_HERE = frozenset({"MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN"})
_ASKING = Question((b"ASKING",), lambda reply: reply == b"OK")


class Cluster(Place):
    """The masters of a cluster.

    Args:
        nodes: makes nodes.
        servers: some that belong to it; the first one's scheme and credentials are everybody's.
    """

    is_one: ClassVar[bool] = False

    def __init__(self, nodes: Nodes, servers: Sequence[Server]) -> None:
        self._make = nodes
        self._like = servers[0]
        self._deadline = nodes.deadline
        self._named = {(server.host, server.port) for server in servers}
        self._nodes = {(server.host, server.port): nodes.node(server) for server in servers}
        self._survey = Survey(self._look, next(iter(self._nodes.values())).guard.unavailable)
        self._witnesses = Witnesses()

    async def read(
        self, io: IO, tried: str, questions: Sequence[Question], keys: Sequence[str], wait: float = 0.0
    ) -> list[Any]:
        del keys, wait
        return await self._ask(io, tried, questions)

    async def write(self, io: IO, tried: str, questions: Sequence[Question], keys: Sequence[str]) -> list[Any]:
        del keys
        return await self._ask(io, tried, questions)

    def node_of(self, part: Part) -> RedisNode | None:
        chart = self._survey.settled
        return None if chart is None else chart.get(_slot_of(part.notebook))

    def lost(self, node: RedisNode, tried: str, failure: Exception) -> BackendUnavailableError:
        self._survey.doubt()
        return node.lost(tried, failure)

    def guard_of(self, question: Question) -> OutageGuard:
        node = (self._survey.found or {}).get(key_slot(question.key))
        return (node or next(iter(self._nodes.values()))).guard

    async def distrust(self, io: IO) -> None:
        for node in list(self._nodes.values()):
            await node.distrust(io)

    async def shut(self, io: IO) -> None:
        for node in list(self._nodes.values()):
            await node.shut(io)

    async def _ask(self, io: IO, tried: str, questions: Sequence[Question]) -> list[Any]:
        due = Due(monotonic() + self._deadline)
        chart = await self._survey.current(io, due)
        trips = [_Trip(question.taking(_NOT_HERE), chart.get(key_slot(question.key))) for question in questions]
        for _ in range(_HOPS):
            if not (under_way := [trip for trip in trips if trip.reply is _NONE]):
                break
            await self._visit_all(io, tried, under_way, due)
            for trip in under_way:
                self._follow(trip, chart, tried)
        replies = [self._lost(trip, tried) if trip.reply is _NONE else trip.reply for trip in trips]
        if len(replies) == 1 and isinstance(replies[0], BackendUnavailableError):
            raise replies[0]
        return replies

    async def _visit_all(self, io: IO, tried: str, trips: Sequence[_Trip], due: Due) -> None:
        groups: dict[RedisNode, list[_Trip]] = defaultdict(list)
        for trip in trips:
            if trip.node is not None:
                groups[trip.node].append(trip)
        if len(groups) > 1 and io.pick(blocking=False, on_loop=True):
            async with asyncio.TaskGroup() as visits:
                for node, group in groups.items():
                    visits.create_task(self._visit(io, tried, node, group, due))
            return
        for node in sorted(groups, key=lambda node: node.guard.breaker.failures):  # those who answer go first
            await self._visit(io, tried, node, groups[node], due)

    async def _visit(self, io: IO, tried: str, node: RedisNode, group: Sequence[_Trip], due: Due) -> None:
        words = [question for trip in group for question in trip.questions()]
        try:
            replies = iter(await node.ask(io, tried, *words, due=due))
        except BackendUnavailableError as error:
            self._survey.doubt()
            for trip in group:
                trip.reply = error
            return
        for trip in group:
            trip.reply = [next(replies) for _ in trip.questions()][-1]

    def _follow(self, trip: _Trip, chart: dict[int, RedisNode], tried: str) -> None:
        """Send a trip on to where its reply points, or end it."""
        reply = trip.reply
        if trip.node is None:
            trip.reply = self._lost(trip, tried)
        if trip.node is None or not isinstance(reply, Refusal) or reply.code not in _NOT_HERE:
            return
        if reply.code not in {"MOVED", "ASK"}:
            self._survey.doubt()
            trip.reply = trip.node.guard.unavailable(f"{tried}: {reply.said}")
            return
        trip.asking = reply.code == "ASK"
        trip.reply, trip.node = _NONE, self._pointed_to(reply, trip.node)
        if not trip.asking:
            self._survey.doubt()
            chart[key_slot(trip.question.key)] = trip.node

    def _pointed_to(self, reply: Refusal, by: RedisNode) -> RedisNode:
        host, _, port = reply.said.split()[2].rpartition(":")
        return self._node(host, int(port), by)

    def _node(self, host: str, port: int, told_by: RedisNode) -> RedisNode:
        """Give the node of an address; a node that does not know its own host is where it was reached."""
        host = told_by.server.host if host in {"", "?"} else host
        node = self._nodes.get((host, port))
        if node is None:
            server = replace(self._like, host=host, port=port)
            node = self._nodes.setdefault((host, port), self._make.node(server))
        return node

    def _lost(self, trip: _Trip, tried: str) -> BackendUnavailableError:
        self._survey.doubt()
        guard = self.guard_of(trip.question)
        return guard.unavailable(f"{tried}: no server keeps slot {key_slot(trip.question.key)} for long enough")

    # The map of slots

    async def _look(self, io: IO, due: Due) -> dict[int, RedisNode]:
        known = list(self._nodes.values())
        [(witness, [told])] = await self._witnesses.ask(io, known, due, "find the slots", _SLOTS, enough=1)
        chart: dict[int, RedisNode] = {}
        for first, last, (host, port, *_), *_ in told:
            node = self._node((host or b"").decode(), port, witness)
            chart.update(dict.fromkeys(range(first, last + 1), node))
        self._leave_behind(set(chart.values()))
        return chart

    def _leave_behind(self, masters: set[RedisNode]) -> None:
        before = set((self._survey.found or {}).values())
        for node in before - masters:
            node.guard.dismiss()
        for address, node in list(self._nodes.items()):
            if node not in masters and address not in self._named:
                self._nodes.pop(address, None)
                node.retire()


_NONE = object()
_slot_of = lru_cache(1024)(key_slot)


@dataclass(eq=False, slots=True)
class _Trip:
    """A question on its way: the node to ask, whether that one has to be told that it was sent, and the reply."""

    question: Question
    node: RedisNode | None
    asking: bool = False
    reply: Any = _NONE

    def questions(self) -> tuple[Question, ...]:
        return (_ASKING, self.question) if self.asking else (self.question,)


def _is_map(reply: Any) -> bool:
    return type(reply) is list and bool(reply) and all(map(_is_range, reply))


def _is_range(part: Any) -> bool:
    match part:
        case [int(first), int(last), [bytes() | None, int(), *_], *_]:
            return 0 <= first <= last < REDIS_CLUSTER_HASH_SLOTS
    return False


_SLOTS = Question((b"CLUSTER", b"SLOTS"), _is_map)
