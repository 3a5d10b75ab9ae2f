"""A Redis server's connections of one loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.redis_questions import answered, told_apart
from asynccache.wire.faults import OutOfStepError
from asynccache.wire.lane import Lane, closed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from asynccache.backends.outage import Due
    from asynccache.backends.redis_connections import SharedLine
    from asynccache.backends.redis_questions import Question

_GIVEN_UP = "the connection was given up"


class LoopLanes:
    """The connections of one loop: one for all that is answered at once, others for what a server may wait with."""

    def __init__(self, make: Callable[[], Lane[SharedLine]]) -> None:
        self._make = make
        self._shared = make()
        self._waiting: list[Lane[SharedLine]] = []
        self._idle: list[Lane[SharedLine]] = []
        self._is_closed = False

    @property
    def open_line(self) -> SharedLine | None:
        """The connection that all share, if it is open and has room."""
        return self._shared.open_wire

    def exchange(self, questions: Sequence[Question], due: Due) -> Coroutine[Any, Any, list[Any]]:
        """Ask; raises what `OutageGuard.attempt` knows."""
        for question in questions:
            if question.may_wait:
                return self._exchange_apart(questions, due)
        return _exchange(self._shared, questions, due)

    def drop(self) -> None:
        """Close all at once; who waits for replies gets an error."""
        self._shared.abort(ConnectionAbortedError, _GIVEN_UP)
        self.drop_waiting()

    def drop_waiting(self) -> None:
        """Close those that may be silent for long, and so do not find out by themselves that a server is gone."""
        for lane in (*self._waiting, *self._idle):
            lane.abort(ConnectionAbortedError, _GIVEN_UP)

    async def aclose(self) -> None:
        """Close all for good."""
        self._is_closed = True
        for lane in (self._shared, *self._waiting, *self._idle):
            lane.close()
        await closed()

    async def _exchange_apart(self, questions: Sequence[Question], due: Due) -> list[Any]:
        lane = self._idle.pop() if self._idle else self._make()
        if self._is_closed:
            lane.close()
        self._waiting.append(lane)
        try:
            replies = await _exchange(lane, questions, due)
        except BaseException:
            await lane.aclose()
            raise
        finally:
            self._waiting.remove(lane)
        self._idle.append(lane)
        return replies


async def _exchange(lane: Lane[SharedLine], questions: Sequence[Question], due: Due) -> list[Any]:
    line = lane.open_wire or await lane.wire(due.at)
    asked = told_apart(questions)
    try:
        return line.signed(questions, answered(asked, await line.exchange(asked, due)))
    except (OutOfStepError, ConnectionRefusedError) as failure:
        line.lose(type(failure), str(failure))
        raise
