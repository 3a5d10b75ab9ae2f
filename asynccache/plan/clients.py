"""One client per running loop: connections of one loop are of no use to another.

A client lives as long as its loop: an asynchronous generator that the loop ends when it shuts down (as `asyncio.run`,
anyio and uvloop do) closes it there, so that an application which never closes its backends leaks nothing.
"""

from __future__ import annotations

import asyncio
import threading
from asyncio import get_running_loop
from concurrent import futures
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asynccache.errors import ConfigurationError
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

C = TypeVar("C")
CLOSE_SECONDS = 1.0
_inherited: list[Any] = []
"""What a forked child got from its parent: kept, since to finalize it would touch sockets that are the parent's."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[C]):
    """A client, and the generator whose end closes it."""

    client: C
    life: AsyncGenerator[None, None]

    async def end(self) -> None:
        await self.life.aclose()


class LoopClients(Generic[C]):
    """Makes a client for each loop that asks, and closes them.

    Args:
        make: called on the loop that the client is for.
        close: awaited on the client's own loop.
    """

    def __init__(self, make: Callable[[], C], close: Callable[[C], Awaitable[None]]) -> None:
        self._make = make
        self._close = close
        self._kept: dict[asyncio.AbstractEventLoop, _Kept[C]] = {}
        self._lock = threading.Lock()
        anew_in_child(self)

    def current(self) -> C:
        """Return the client of the running loop; `ConfigurationError` where that is not asyncio's."""
        try:
            loop = get_running_loop()
        except RuntimeError:
            raise ConfigurationError(
                "this backend needs a running event loop of asyncio: under trio use local memory, or the sync calls"
            ) from None
        kept = self._kept.get(loop)
        return (self._begin(loop) if kept is None else kept).client

    def begin_anew(self) -> None:
        """Leave its clients to the parent, in a forked child: a loop that was not running may run on in both."""
        _inherited.append(self._kept)
        self._kept, self._lock = {}, threading.Lock()

    async def aclose(self) -> None:
        """Close the clients of this loop, and of the other loops that still run; wait at most a second for those."""
        here = _running_loop()
        if here is None:  # under trio none is of this loop
            self.close()
            return
        kept = self._taken()
        others = [asyncio.wrap_future(ending) for ending in _endings(kept, but=here)]
        if here in kept:
            await kept[here].end()
        if others:
            await asyncio.wait(others, timeout=CLOSE_SECONDS)

    def close(self, patience: float = CLOSE_SECONDS) -> None:
        """Close the clients of all loops; wait so many seconds at most for those that run in other threads."""
        here = _running_loop()
        kept = self._taken()
        others = _endings(kept, but=here)
        if here in kept:
            _ = asyncio.run_coroutine_threadsafe(kept[here].end(), here)
        futures.wait(others, timeout=patience)

    def _begin(self, loop: asyncio.AbstractEventLoop) -> _Kept[C]:
        client = self._make()
        kept = _Kept(client, self._life(loop, client))
        with suppress(StopIteration):
            kept.life.__anext__().send(None)  # up to its yield; from now on the loop knows it
        with self._lock:
            self._kept = {known: other for known, other in self._kept.items() if not known.is_closed()} | {loop: kept}
        return kept

    async def _life(self, loop: asyncio.AbstractEventLoop, client: C) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            with self._lock:
                if (kept := self._kept.get(loop)) is not None and kept.client is client:
                    del self._kept[loop]
            await self._close(client)

    def _taken(self) -> dict[asyncio.AbstractEventLoop, _Kept[C]]:
        with self._lock:
            kept, self._kept = self._kept, {}
        return kept


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _endings(
    kept: dict[asyncio.AbstractEventLoop, _Kept[C]], *, but: asyncio.AbstractEventLoop | None
) -> list[futures.Future[None]]:
    return [
        asyncio.run_coroutine_threadsafe(one.end(), loop)
        for loop, one in kept.items()
        if loop is not but and loop.is_running()
    ]
