"""memcached by clients that live on a loop: the caller's own, or for sync calls that of the portal."""

from __future__ import annotations

import asyncio
import random
import time
from abc import ABC
from typing import TYPE_CHECKING, Any, Protocol

from asynccache.backends.memcached_fenced import FencedMemcachedBackend
from asynccache.backends.memcached_rewriting import JITTER, PATIENCE
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping

    from asynccache.backends.memcached_order import Replies
    from asynccache.backends.memcached_rewriting import Change
    from asynccache.core.codec import Frame
    from asynccache.plan.clients import LoopClients
    from asynccache.plan.io import IO


class LoopClient(Protocol):
    """What asks the servers from one loop."""

    async def ask(self, place: str, command: str, *args: Any) -> Any:
        """Run a command at a server."""

    async def ask_each(self, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        """Run a command for each key, with arguments of its own, at all servers at once."""

    async def ask_many(self, command: str, keys: Mapping[str, Collection[bytes]]) -> Replies:
        """Get what is at all keys, from all servers at once."""

    def rewriting(self, key: str) -> asyncio.Semaphore:
        """Give what to hold while an entry is changed by `gets` and `cas`, so that a crowd is no quarrel."""

    def drop(self) -> None:
        """Drop all connections; new ones are made when needed."""


class LoopMemcachedBackend(FencedMemcachedBackend, ABC):
    """A memcached backend with a client for each loop."""

    _clients: LoopClients[Any]

    async def shut(self, io: IO) -> None:
        await io.twin(self._clients.close, self._clients.aclose)

    async def _at_once(self, io: IO, plan: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        return await io.call(plan, LOOP, *args)

    async def _ask(self, io: IO, place: str, command: str, *args: Any) -> Any:
        return await io.call(self._asked, place, command, *args)

    async def _ask_each(self, io: IO, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        return await io.call(self._asked_each, command, calls)  # type: ignore[no-any-return]

    async def _ask_many(self, io: IO, command: str, wires: Mapping[str, Collection[bytes]]) -> Replies:
        return await io.call(self._asked_many, command, wires)  # type: ignore[no-any-return]

    async def _rewritten(self, io: IO, key: str, change: Change) -> Frame | None:
        return await io.call(self._rewritten_in_turn, key, change)  # type: ignore[no-any-return]

    async def _mixed_up(self, io: IO) -> None:
        await io.call(self._distrust)

    # What runs on a loop: the caller's, or for sync callers the portal's

    def _client(self) -> LoopClient:
        return self._clients.current()  # type: ignore[no-any-return]  # each class has its own

    async def _asked(self, place: str, command: str, *args: Any) -> Any:
        return await self._client().ask(place, command, *args)

    async def _asked_each(self, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        return await self._client().ask_each(command, calls)

    async def _asked_many(self, command: str, wires: Mapping[str, Collection[bytes]]) -> Replies:
        return await self._client().ask_many(command, wires)

    async def _distrust(self) -> None:
        self._client().drop()

    async def _rewritten_in_turn(self, key: str, change: Change) -> Frame | None:
        async with self._client().rewriting(key):
            give_up_at = time.monotonic() + PATIENCE * self.deadline
            while time.monotonic() < give_up_at:
                done, frame = await self._rewritten_once(LOOP, key, change)
                if done:
                    return frame
                await asyncio.sleep(random.uniform(0, JITTER))
        raise self._contended(key)
