"""A single server, or a leader with replicas that do not change."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from asynccache.backends.near import RecentWrites, chosen, is_near
from asynccache.backends.outage import Due
from asynccache.backends.redis_place import Nodes, Place
from asynccache.core.breaker import Breaker
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.backends.outage import OutageGuard
    from asynccache.backends.redis_clients import RedisNode
    from asynccache.backends.redis_parts import Part
    from asynccache.backends.redis_questions import Question
    from asynccache.backends.servers import Server
    from asynccache.plan.io import IO

_REPLICAS_PAUSE = 1.0


class LeaderAndReplicas(Place):
    """All writes go to the first server; plain reads to one of the others, where there are any."""

    def __init__(self, nodes: Nodes, servers: Sequence[Server]) -> None:
        self._leader = nodes.node(servers[0])
        self._replicas = [
            nodes.node(server, nodes.guard(server.name, Breaker(pause=_REPLICAS_PAUSE))) for server in servers[1:]
        ]
        self._recent = RecentWrites()

    async def read(
        self, io: IO, tried: str, questions: Sequence[Question], keys: Sequence[str], wait: float = 0.0
    ) -> list[Any]:
        """Ask a replica, where this read may and one is up; else the leader."""
        replica = self._replica_for(keys) if is_near(io) else None
        if replica is not None:
            try:
                return await replica.ask(io, tried, *questions)
            except BackendUnavailableError:
                pass
        due = Due(monotonic() + self._leader.guard.deadline + wait) if wait else None
        return await self._leader.ask(io, tried, *questions, due=due)

    async def write(self, io: IO, tried: str, questions: Sequence[Question], keys: Sequence[str]) -> list[Any]:
        """Have the leader do something, and remember what it may have written."""
        try:
            return await self._leader.ask(io, tried, *questions)
        finally:
            if self._replicas:
                self._recent.note(keys)

    def node_of(self, part: Part) -> RedisNode | None:
        del part
        return self._leader

    def lost(self, node: RedisNode, tried: str, failure: Exception) -> BackendUnavailableError:
        return node.lost(tried, failure)

    def near_node_of(self, key: str) -> RedisNode | None:
        return self._replica_for((key,))

    def wrote(self, key: str) -> None:
        if self._replicas:
            self._recent.note((key,))

    def guard_of(self, question: Question) -> OutageGuard:
        del question
        return self._leader.guard

    def _replica_for(self, keys: Sequence[str]) -> RedisNode | None:
        up = [node for node in self._replicas if node.guard.lets_through]
        return chosen(up) if up and not self._recent.has_any(keys) else None

    async def distrust(self, io: IO) -> None:
        for node in (self._leader, *self._replicas):
            await node.distrust(io)

    async def shut(self, io: IO) -> None:
        for node in (self._leader, *self._replicas):
            await node.shut(io)
