"""Questions to a store that are seen through in a task of their own, whatever becomes of who asked."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from asynccache.loading.loops import required_loop
from asynccache.loading.outcomes import GONE, Failed, Landed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from asynccache.loading.loops import Launched
    from asynccache.loading.outcomes import Outcome

_under_way: set[Launched] = set()
"""Held here, since a loop does not hold its tasks."""


class Errand:
    """A plan that runs on this loop, to its end.

    Args:
        name: of the task.
        plan: what is to be done.
        undo: given the result where nobody waits for it any more, makes what is to be done about it.
    """

    def __init__(
        self, name: str, plan: Coroutine[Any, Any, Any], undo: Callable[[Any], Coroutine[Any, Any, Any]] | None = None
    ) -> None:
        loop = required_loop()
        self._name = name
        self._plan = plan
        self._undo = undo
        self._has_left = False
        self._outcome: Outcome = GONE
        self._waiter = loop.waiter()
        self._launched = loop.launch(self._run(), name, self._land)
        _under_way.add(self._launched)

    async def result(self) -> Any:
        """Wait for the result; a caller who is cancelled leaves it to be undone."""
        try:
            await self._waiter.wait(inf)
        except BaseException:
            self._has_left = True
            if self._undo is not None and isinstance(self._outcome, Landed):  # it came in the very moment
                Errand(self._name, self._undo(self._outcome.value))
            raise
        return self._outcome.for_leader()

    async def _run(self) -> Outcome:
        try:
            value = await self._plan
            if self._has_left and self._undo is not None:
                await self._undo(value)
                return GONE
        except Exception as error:  # noqa: BLE001  # it is for whoever waits
            return Failed(error)
        self._outcome = Landed(value, lambda: value)  # at once: the caller may leave before the task is over
        return self._outcome

    def _land(self, outcome: Outcome) -> None:
        _under_way.discard(self._launched)
        self._outcome = outcome
        self._waiter.tell()
