"""Who is asked: the first store of a chain that answers, and none for a key that is outdated there.

Every operation goes to the first store, and to the next where that one is away. What is changed further down is
remembered, by key (`fallback_journal.py`): a store above is not asked for such a key until it has been answering for a
second, and the entry that it still has was removed. The key is then outdated in the stores below, and is removed there
in the same way. So within a process each key lives in one store at a time, and what was deleted stays deleted.

What concerns more than one key, tags and clearing, all stores do; one that was away is asked for nothing before it has
done that.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from asynccache.backends.fallback_journal import Journal
from asynccache.backends.undone import Undone
from asynccache.backends.undone_replay import Replay
from asynccache.errors import BackendUnavailableError
from asynccache.model import BaseCacheBackend, Capability

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from asynccache.backends.fallback_journal import Marks, Name
    from asynccache.backends.fallback_link import Link
    from asynccache.backends.undone import Item
    from asynccache.plan.io import IO

T = TypeVar("T")
Ask = Callable[[BaseCacheBackend, list[str], str], Awaitable[T]]
"""Ask a store about keys of a version."""
_BATCH = 500
_LAST_SWEEP_SECONDS = 0.5


class Chain:
    """Stores in the order in which they are preferred.

    Args:
        links: the stores.
        counts: where `fallbacks` and `errors` are counted.
    """

    def __init__(self, links: Sequence[Link], counts: Counter[str]) -> None:
        self._links = links
        self._counts = counts
        self._journal = Journal(len(links))
        can_clear = all(Capability.CLEARS in link.backend.capabilities for link in links)
        self._wide = [Undone(can_clear=can_clear) for _ in links]
        self._redoing: set[tuple[int, int]] = set()
        self._replays = [Replay(wide, link.backend) for wide, link in zip(self._wide, links, strict=True)]

    @property
    def away(self) -> int:
        """Tell how many stores are away."""
        return sum(link.is_away for link in self._links)

    @property
    def outdated(self) -> int:
        """Tell how many keys are outdated somewhere."""
        return sum(map(self._journal.count, range(len(self._links))))

    async def ask(self, io: IO, names: list[Name], ask: Ask[T], *, changes: bool = False) -> list[T]:
        """Ask the first store that answers; give what was said, one after the other where keys are in several stores.

        Raises the last store's `BackendUnavailableError` where for some name there is none.
        """
        answers: list[T] = []
        failure: BackendUnavailableError | None = None
        for place, link in enumerate(self._links):
            mine = await self._usable(io, place, names) if names else []
            if not mine:
                continue
            if changes:
                self._journal.mark(place, mine)
            try:
                answers.append(await self._asked(place, mine, ask, changes=changes))
            except BackendUnavailableError as error:
                failure = error
                self._failed(place, error)
                continue
            link.answered()
            self._counts["fallbacks"] += place > 0
            names = [] if mine is names else list(dict.fromkeys(names).keys() - set(mine))
        await self._sweep(io)
        if names:
            self._counts["errors"] += 1
            raise failure or self._unasked()
        return answers

    async def change(self, io: IO, names: list[Name], ask: Ask[T]) -> list[T]:
        """Like `ask`, for what changes entries: they are outdated then in all other stores."""
        return await self.ask(io, names, ask, changes=True)

    async def everywhere(self, io: IO, items: list[Item], do: Callable[[BaseCacheBackend], Awaitable[None]]) -> None:
        """Have all stores do this, which is what `items` say; one that is away will do it before it is asked again.

        Raises the last store's `BackendUnavailableError` where none did it, and where that cannot be remembered.
        """
        failure: BackendUnavailableError | None = None
        done = 0
        for place, link in enumerate(self._links):
            try:
                await do(link.backend)
            except BackendUnavailableError as error:
                failure = error
                self._failed(place, error)
                if not self._wide[place].add(items):
                    raise
                error.queued = True
                continue
            link.answered()
            done += 1
        if failure is not None and not done:
            self._counts["errors"] += 1
            raise failure

    async def open(self, io: IO) -> None:
        """Get all ready that are not away."""
        for place, link in enumerate(self._links):
            try:
                await link.backend.open(io)
            except BackendUnavailableError as error:
                self._failed(place, error)

    async def shut(self, io: IO) -> None:
        """Remove what is outdated, for half a second at most, since nobody else knows of it; and close all."""
        async with AsyncExitStack() as closing:
            for link in self._links:
                closing.push_async_callback(link.backend.shut, io)
            until = monotonic() + _LAST_SWEEP_SECONDS
            for place, replay in enumerate(self._replays):
                await replay.do_last(io)
                for marks in self._journal.all(place, _BATCH):
                    if monotonic() > until or not await self._removed(io, place, marks):
                        break

    async def _asked(self, place: int, names: list[Name], ask: Ask[T], *, changes: bool) -> T:
        try:
            return await ask(self._links[place].backend, [key for _, key in names], names[0][0])
        finally:
            if changes and place:
                self._journal.settle(place, names)

    async def _usable(self, io: IO, place: int, names: list[Name]) -> list[Name]:
        """Give the names for which this store can be asked; what is outdated there is removed first."""
        if len(self._wide[place]) and not await self._redone(io, place):
            return []
        marks = self._journal.marked(place, names)
        if not marks:
            return names
        if self._links[place].is_worth_a_try() and not await self._removed(io, place, marks):
            return []
        marks = self._journal.marked(place, names)
        return [name for name in names if name not in marks]

    async def _removed(self, io: IO, place: int, marks: Marks) -> bool:
        """Remove what is outdated at a store, which counts where it has settled; False where it is away."""
        link = self._links[place]
        version = next(iter(marks))[0]
        settled = link.is_settled
        try:
            await link.backend.remove_many(io, [key for _, key in marks], version)
        except BackendUnavailableError as error:
            self._failed(place, error)
            return False
        link.answered()
        if settled and link.is_settled:
            self._journal.unmark(place, marks)
        return True

    async def _redone(self, io: IO, place: int) -> bool:
        """Have a store do what it missed, which counts where it has settled; tell whether there is nothing left."""
        link = self._links[place]
        mine = os.getpid(), place  # what a parent was at when it forked is not being done in the child
        if mine in self._redoing or not link.is_worth_a_try():
            return False
        settled = link.is_settled
        self._redoing.add(mine)
        try:
            await self._replays[place].do(io, self._wide[place].all(), forgets=settled)
        except BackendUnavailableError as error:
            self._failed(place, error)
            return False
        finally:
            self._redoing.discard(mine)
        link.answered()
        return not len(self._wide[place])

    async def _sweep(self, io: IO) -> None:
        """Remove some of what is outdated, wherever nobody else does."""
        for place, link in enumerate(self._links):
            if len(self._wide[place]):
                await self._redone(io, place)
            elif self._journal.count(place) and link.is_worth_a_try():
                with self._journal.sweeping(place) as mine:
                    if mine and (marks := self._journal.some(place, _BATCH)):
                        await self._removed(io, place, marks)

    def _unasked(self) -> BackendUnavailableError:
        """Say why none could be asked: each has outdated keys that it does not let go of, or not for long enough."""
        if any(link.reason is None for link in self._links):
            return BackendUnavailableError("the stores answer again, but this key has not returned to any of them yet")
        return BackendUnavailableError(f"none of the stores answers: {self._links[-1].reason}")

    def _failed(self, place: int, error: BackendUnavailableError) -> None:
        behind = self._links[place + 1 :]
        self._links[place].failed(error, f"{behind[0].backend.name} does" if behind else "and nobody does")
