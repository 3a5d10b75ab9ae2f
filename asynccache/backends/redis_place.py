"""Where the entries are, as the backend asks for them whatever stands behind it; and the nodes that this is made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.outage import OutageGuard, Owner
from asynccache.backends.redis_clients import RedisNode
from asynccache.backends.redis_connections import FOREIGN_ERRORS
from asynccache.core.breaker import Breaker

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping, Sequence

    from asynccache.backends.redis_parts import Part
    from asynccache.backends.redis_peer import ServerClock
    from asynccache.backends.redis_questions import Question
    from asynccache.backends.servers import Server
    from asynccache.errors import BackendUnavailableError
    from asynccache.plan.io import IO


class Place(ABC):
    """Where the entries are: one server or many, as one."""

    is_one: ClassVar[bool] = True
    """Whether one command may name several keys."""

    @abstractmethod
    async def read(
        self, io: IO, tried: str, questions: Sequence[Question], keys: Sequence[str], wait: float = 0.0
    ) -> list[Any]:
        """Ask about these keys; the replies in the order of the questions, for which servers may wait so many seconds.

        In the place of the reply of a server that is away there may be the `BackendUnavailableError`, but for a single
        question it is raised.
        """

    @abstractmethod
    async def write(self, io: IO, tried: str, questions: Sequence[Question], keys: Sequence[str]) -> list[Any]:
        """Have these keys changed; the replies are like those of `read`."""

    @abstractmethod
    def node_of(self, part: Part) -> RedisNode | None:
        """Give the server that answers for this part and takes its writes; None where that is in any doubt."""

    @abstractmethod
    def lost(self, node: RedisNode, tried: str, failure: Exception) -> BackendUnavailableError:
        """Give the error of what a `node_of` was asked on an open line; raise what does not come from there."""

    def near_node_of(self, key: str) -> RedisNode | None:
        """Give a replica that a plain read of this key may ask."""
        del key
        return None

    @property
    def turn(self) -> int:
        """A number that is another when what a `node_of` was told meanwhile may be lost; to be read before that."""
        return 0

    def expect(self, turn: int, tried: str) -> None:
        """Raise `BackendUnavailableError` where the turn is not this one any more."""

    def wrote(self, key: str) -> None:
        """Take note that a `node_of` was told to write this key, and may have."""

    @abstractmethod
    def guard_of(self, question: Question) -> OutageGuard:
        """Give the guard of the server that writes this."""

    @abstractmethod
    async def distrust(self, io: IO) -> None:
        """Use none of this flavour's connections for anything new."""

    @abstractmethod
    async def shut(self, io: IO) -> None:
        """Close all connections."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Makes nodes and their guards for one backend."""

    owner: Owner
    deadline: float
    counts: Counter[str]
    pool_size: int
    options: Mapping[str, Any]
    clock: ServerClock

    def guard(self, name: str, breaker: Breaker | None = None) -> OutageGuard:
        """Make a guard for the server of this name."""
        return OutageGuard(self.owner, name, self.deadline, FOREIGN_ERRORS, self.counts, breaker or Breaker())

    def node(self, server: Server, guard: OutageGuard | None = None) -> RedisNode:
        """Make a node, with a guard of its own unless one is given."""
        return RedisNode(server, guard or self.guard(server.name), self.pool_size, self.options, self.clock)

    def with_options(self, options: Mapping[str, Any]) -> Nodes:
        """Give one that tells connections something else."""
        return replace(self, options=options)
