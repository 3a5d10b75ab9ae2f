"""What is known of servers that change their places, found out by whichever operation needs it, one at a time.

Nothing runs in the background: whoever finds something in doubt says so, and the next operation looks again first, at
most ten times a second (four where nobody answers); the others go on with what is known.
"""

from __future__ import annotations

import asyncio
import random
import time
from time import monotonic
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asynccache.backends.outage import Due
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from asynccache.backends.redis_clients import RedisNode
    from asynccache.backends.redis_questions import Question
    from asynccache.plan.io import IO

T = TypeVar("T")
_PAUSE = 0.1
_PAUSE_IN_VAIN = 0.25
"""Seconds from a look that found out nothing, which may have taken an operation's whole time, to the next."""
_TURN = 0.002


class Survey(Generic[T]):
    """The last thing found out, and when to look again.

    Args:
        look: finds out until the moment it is given; raises `BackendUnavailableError`.
        unavailable: makes the error for who could not even look.
    """

    def __init__(
        self, look: Callable[[IO, Due], Awaitable[T]], unavailable: Callable[[str], BackendUnavailableError]
    ) -> None:
        self._look = look
        self._unavailable = unavailable
        self.found: T | None = None
        self._failure: BackendUnavailableError | None = None
        self._doubted = False
        self._news = 0
        self._next_look = 0.0

    @property
    def settled(self) -> T | None:
        """What is known, where nothing is in doubt."""
        return None if self._doubted else self.found

    def doubt(self) -> None:
        """Have the next operation look again, unless somebody has just done so."""
        self._doubted = True

    def doubt_at_once(self) -> None:
        """Have the next operation look again in any case."""
        self._news += 1
        self._doubted, self._next_look = True, 0.0

    async def current(self, io: IO, due: Due) -> T:
        """Give what is known, after a look where it is in doubt or there is nothing."""
        while True:
            if self.found is not None and not (self._doubted and monotonic() >= self._next_look):
                return self.found
            if monotonic() >= self._next_look:
                return await self._look_again(io, due)
            if self._failure is not None or monotonic() >= due.at:
                raise self._unavailable(f"nobody has told where the entries are: {self._failure or 'not yet'}")
            await io.twin(time.sleep, asyncio.sleep, _TURN)  # somebody else has begun to look

    async def _look_again(self, io: IO, due: Due) -> T:
        news, self._next_look = self._news, monotonic() + _PAUSE
        self._doubted = False  # before the look: a doubt that comes up meanwhile is another's
        try:
            self.found, self._failure = await self._look(io, due), None
        except BaseException as failure:
            self._doubted = True
            if not isinstance(failure, BackendUnavailableError):  # cancelled, which tells nothing
                self._next_look = 0.0
                raise
            self._failure = failure
            if self._news == news:  # what has come since is to be looked at now
                self._next_look = monotonic() + _PAUSE_IN_VAIN
            if self.found is None:
                raise
        return self.found


class Witnesses:
    """Asks servers of whom any may know; those that were silent lately come last, so that they hold up nobody."""

    def __init__(self) -> None:
        self._silent_at: dict[str, float] = {}

    async def ask(
        self, io: IO, nodes: Iterable[RedisNode], due: Due, tried: str, *questions: Question, enough: int
    ) -> list[tuple[RedisNode, list[Any]]]:
        """Ask until so many have answered, each for half of the time that is left.

        Raises `BackendUnavailableError` where nobody did.
        """
        answers: list[tuple[RedisNode, list[Any]]] = []
        failure = BackendUnavailableError(f"{tried}: there is nobody to ask")
        for node in sorted(nodes, key=self._rank):
            share = Due(monotonic() + (due.at - monotonic()) / 2)
            try:
                answers.append((node, await node.ask(io, tried, *questions, due=share)))
            except BackendUnavailableError as error:
                failure = error
                self._silent_at[node.guard.server] = monotonic()
                continue
            self._silent_at.pop(node.guard.server, None)
            if len(answers) == enough:
                break
        if not answers:
            raise failure
        return answers

    def _rank(self, node: RedisNode) -> tuple[bool, float, float]:
        return (
            bool(node.guard.breaker.failures),
            self._silent_at.get(node.guard.server, 0.0),
            random.random(),
        )
