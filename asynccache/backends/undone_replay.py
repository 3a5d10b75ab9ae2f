"""Has the store do what is in the journal: before it is asked for the same keys, and in the background."""

from __future__ import annotations

import asyncio
import logging
import threading
from itertools import groupby
from time import monotonic
from typing import TYPE_CHECKING

from asynccache.errors import BackendUnavailableError
from asynccache.plan.forks import anew_in_child
from asynccache.plan.io import LOOP
from asynccache.plan.portal import portal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from asynccache.backends.undone import Item, Undone
    from asynccache.model import BaseCacheBackend
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
PAUSE_SECONDS = 0.1
"""How often a store that is away is tried."""
_LAST_SECONDS = 0.5
_BATCH = 500


class Replay:
    """Does what is in a journal.

    Args:
        journal: what is to be done.
        store: where; it raises where it is away.
    """

    def __init__(self, journal: Undone, store: BaseCacheBackend) -> None:
        self._journal = journal
        self._store = store
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Leave what goes on in the background to the parent, in a forked child."""
        self._lock = threading.Lock()
        self._runs = False
        self._background: Future[None] | None = None

    async def do(self, io: IO, items: dict[Item, int], *, forgets: bool = True) -> None:
        """Invalidate these, and forget them as they are done; `BackendUnavailableError` where that fails."""
        for batch in _batches(items):
            await self._do(io, batch, forgets=forgets)

    async def do_last(self, io: IO) -> None:
        """Invalidate what there is, for half a second at most, since nobody else knows of it."""
        until = monotonic() + _LAST_SECONDS
        for batch in _batches(self._journal.all()):
            try:
                await self._do(io, batch)
            except BackendUnavailableError:
                break
            if monotonic() > until:
                break
        if left := len(self._journal):
            logger.warning("%s: %d invalidations did not reach it before it was closed", self._store.name, left)

    def begin(self) -> None:
        """Try in the background until all is done."""
        with self._lock:
            if self._runs or not len(self._journal):
                return
            self._runs = True
            self._background = asyncio.run_coroutine_threadsafe(self._go_on(), portal.loop())

    def stop(self) -> None:
        """Try no more."""
        if self._background is not None:
            self._background.cancel()
        with self._lock:
            self._runs = False

    async def _go_on(self) -> None:
        if (task := asyncio.current_task()) is not None:
            task.set_name("asynccache replay of a tier's journal")
        while not self._is_over():
            try:
                await self.do(LOOP, self._journal.all())
            except BackendUnavailableError:
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:
                logger.exception("%s: what is to be invalidated there could not be", self._store.name)
                await asyncio.sleep(PAUSE_SECONDS)

    def _is_over(self) -> bool:
        with self._lock:
            self._runs = self._runs and len(self._journal) > 0
            return not self._runs

    async def _do(self, io: IO, batch: dict[Item, int], *, forgets: bool = True) -> None:
        version = next(iter(batch)).version
        if keys := [item.key for item in batch if item.key is not None]:
            await self._store.remove_many(io, keys, version)
        if tags := [item.tag for item in batch if item.tag is not None]:
            await self._store.void(io, tags, version)
        if any(item.key is None and item.tag is None for item in batch):
            await self._store.empty(io, version)
        if forgets:
            self._journal.done(batch)


def _batches(items: dict[Item, int]) -> Iterator[dict[Item, int]]:
    """Cut into what is of one version, and not too much at once."""
    ordered = sorted(items.items(), key=lambda item: item[0].version)
    for _, of_version in groupby(ordered, key=lambda item: item[0].version):
        listed = list(of_version)
        for start in range(0, len(listed), _BATCH):
            yield dict(listed[start : start + _BATCH])
