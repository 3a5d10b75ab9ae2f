"""memcached over aiomcache, which works behind a guard: see `memcached_link.py` and `memcached_client.py`."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from asynccache.backends.memcached_entries import checked_servers, checked_size
from asynccache.backends.memcached_fenced import FencedMemcachedBackend
from asynccache.backends.memcached_rewriting import JITTER, PATIENCE
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.rendezvous import Rendezvous
from asynccache.errors import ConfigurationError
from asynccache.plan.clients import LoopClients
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping

    from asynccache.backends.memcached_order import Replies
    from asynccache.backends.memcached_rewriting import Change
    from asynccache.backends.servers import Servers
    from asynccache.core.codec import Frame
    from asynccache.plan.io import IO


class AioMemCacheBackend(FencedMemcachedBackend):
    """Keeps entries in one memcached, or in several by rendezvous hashing.

    Lifetimes are whole seconds, rounded up. A value above the server's limit (1 MiB, or what its `-I` says) is not
    stored: `set` is False. Of several servers, one that is down makes its own keys misses and touches no others.

    Args:
        host: the server, where `servers` names none.
        port: its port.
        pool_size: how many connections each running loop opens to each server, at most.
        servers: a URL (`memcached://a:11211,b`), `host:port`, a unix socket's path, an IPv6 address, or several of
            these, as a list or separated by commas or semicolons.
        hosts: another name for `servers`.
        deadline: seconds for one command, after which the server counts as not answering.
        options: for asyncio's `create_connection`, such as `ssl` or `local_addr`.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` for what is no server or has a password, and `MissingDependencyError` without aiomcache.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 11211,
        pool_size: int = 10,
        *,
        servers: Servers | None = None,
        hosts: Servers | None = None,
        deadline: float = 0.15,
        options: Mapping[str, Any] | None = None,
        **base: Any,
    ) -> None:
        from asynccache.backends.memcached_client import MemcachedClient, Pool

        super().__init__(**base)
        if servers is not None and hosts is not None:
            raise ConfigurationError("servers and hosts: give one of them, they mean the same")
        self.deadline = checked_deadline(deadline)
        named = hosts if servers is None else servers
        self.servers = checked_servers([(host, port)] if named is None else named, "aiomcache")
        self._rendezvous = Rendezvous([server.name for server in self.servers])
        pool = Pool(checked_size(pool_size), options or {})
        guards = [OutageGuard(self, server.name, self.deadline, (), self._counts) for server in self.servers]
        watched = list(zip(self.servers, guards, strict=True))
        self._clients = LoopClients(lambda: MemcachedClient(watched, pool), MemcachedClient.aclose)

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

    async def _asked(self, place: str, command: str, *args: Any) -> Any:
        return await self._clients.current().ask(place, command, *args)

    async def _asked_each(self, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        return await self._clients.current().ask_each(command, calls)

    async def _asked_many(self, command: str, wires: Mapping[str, Collection[bytes]]) -> Replies:
        return await self._clients.current().ask_many(command, wires)

    async def _distrust(self) -> None:
        self._clients.current().drop()

    async def _rewritten_in_turn(self, key: str, change: Change) -> Frame | None:
        async with self._clients.current().rewriting(key):
            give_up_at = time.monotonic() + PATIENCE * self.deadline
            while time.monotonic() < give_up_at:
                done, frame = await self._rewritten_once(LOOP, key, change)
                if done:
                    return frame
                await asyncio.sleep(random.uniform(0, JITTER))
        raise self._contended(key)
