"""memcached over aiomcache, which works behind a guard: see `memcached_link.py` and `memcached_client.py`.

Entries are framed (`core/codec.py`) and changed by `gets` and `cas`, never by memcached's own `incr` and `touch`: a
frame says when it ends, so a counter that is rewritten keeps its lifetime, and each reply shows whose entry it carries.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.base import StoreBackend
from asynccache.backends.framing import added
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.servers import UNIX, Server, Servers, parse
from asynccache.core import codec
from asynccache.core.codec import Frame
from asynccache.core.keys import memcached_key
from asynccache.core.lifetime import memcached_exptime
from asynccache.errors import BackendUnavailableError, ConfigurationError
from asynccache.model import Capability
from asynccache.plan.clients import LoopClients
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asynccache.backends.memcached_client import Answers
    from asynccache.plan.io import IO

PATIENCE = 10
"""Deadlines for which a contended entry is tried again."""
JITTER = 0.002


class AioMemCacheBackend(StoreBackend):
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

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.ATOMIC_COUNTERS, Capability.KEEPS_ENTRIES, Capability.SHARED}
    )
    expires_entries: ClassVar[bool] = True

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
        self.servers = _checked([(host, port)] if named is None else named)
        pool = Pool(_checked_size(pool_size), options or {})
        guards = [OutageGuard(self, server.name, self.deadline, (), self._counts) for server in self.servers]
        watched = list(zip(self.servers, guards, strict=True))
        self._clients = LoopClients(lambda: MemcachedClient(watched, pool), MemcachedClient.aclose)

    def __repr__(self) -> str:
        names = ",".join(server.name for server in self.servers)
        return f"<{type(self).__name__} {names} key_prefix={self.key_prefix!r} version={self.version!r}>"

    async def shut(self, io: IO) -> None:
        await io.twin(self._clients.close, self._clients.aclose)

    # Drivers

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        return await io.call(self._ask, "get", key)  # type: ignore[no-any-return]

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return await io.call(self._ask, "store", key, raw, _exptime(ttl))  # type: ignore[no-any-return]

    async def _drop(self, io: IO, key: str) -> bool:
        return await io.call(self._ask, "delete", key)  # type: ignore[no-any-return]

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        wires = {memcached_key(key): key for key in keys}
        answers = await io.call(self._get_many, list(wires))
        if answers.failure is not None and self.on_error == "raise":
            raise answers.failure
        return {wires[wire]: raw for wire, raw in answers.by_key.items() if raw is not None}

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        exptime = _exptime(ttl)
        wires = {key: memcached_key(key) for key in raws}
        answers = await io.call(self._ask_each, "store", {wires[key]: (raw, exptime) for key, raw in raws.items()})
        if answers.failure is not None and self.on_error == "raise":
            raise answers.failure
        return [key for key, wire in wires.items() if not answers.by_key.get(wire)]

    async def _drop_many(self, io: IO, keys: list[str]) -> int:
        answers = await io.call(self._ask_each, "delete", {memcached_key(key): () for key in keys})
        if answers.failure is not None:
            raise answers.failure
        return sum(answers.by_key.values())

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        if await io.call(self._ask, "insert", key, raw, _exptime(ttl)):
            return True
        in_the_way = await self._living(io, key) is not None  # what is there may be damaged, and is then removed
        return not in_the_way and await io.call(self._ask, "insert", key, raw, _exptime(ttl))

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        def touched(frame: Frame | None) -> tuple[Frame, float] | None:
            return None if frame is None else (frame, ttl)

        return await io.call(self._rewritten, key, touched) is not None

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        def bumped(frame: Frame | None) -> tuple[Frame, float]:
            left = ttl if frame is None else _left(frame, self.clock())
            if left <= 0:  # the server rounds up and keeps it for a moment more
                frame, left = None, ttl
            number = codec.integer_payload(added(frame, delta))
            return replace(frame or Frame(b"", flags=codec.INTEGER), payload=number), left

        return codec.integer_of((await io.call(self._rewritten, key, bumped)).payload)

    async def _mixed_up(self, io: IO) -> None:
        await io.call(self._distrust)

    # What runs on a loop: the caller's, or for sync callers the portal's

    async def _ask(self, command: str, key: str, *args: Any) -> Any:
        return await self._clients.current().ask(command, memcached_key(key), *args)

    async def _ask_each(self, command: str, calls: Mapping[bytes, tuple[Any, ...]]) -> Answers:
        return await self._clients.current().ask_each(command, calls)

    async def _get_many(self, wires: list[bytes]) -> Answers:
        return await self._clients.current().get_many(wires)

    async def _distrust(self) -> None:
        self._clients.current().drop()

    async def _rewritten(self, key: str, change: Callable[[Frame | None], tuple[Frame, float] | None]) -> Frame | None:
        """Change an entry until nobody else did meanwhile; `change` gives the new frame and its seconds, or None."""
        async with self._clients.current().rewriting(key):
            give_up_at = time.monotonic() + PATIENCE * self.deadline
            while time.monotonic() < give_up_at:
                raw, token = await self._ask("gets", key)
                frame = None if raw is None else await self._framed(LOOP, key, raw)
                changed = change(frame)
                if changed is None:
                    return None
                if await self._swapped(key, *changed, None if frame is None else token):
                    return changed[0]
                await asyncio.sleep(random.uniform(0, JITTER))
        self._counts["errors"] += 1
        raise BackendUnavailableError(f"{key!r} was changed by others all the time; try again")

    async def _swapped(self, key: str, frame: Frame, ttl: float, token: int | None) -> bool:
        raw = self._stamped(frame, key, ttl)
        if token is None:
            return await self._ask("add", key, raw, _exptime(ttl))  # type: ignore[no-any-return]
        return await self._ask("cas", key, raw, token, _exptime(ttl))  # type: ignore[no-any-return]


def _checked(given: Servers) -> tuple[Server, ...]:
    servers = parse(given, schemes=("memcached",), port=11211)
    for server in servers:
        if server.username or server.password:
            raise ConfigurationError(
                f"{server.name}: aiomcache knows no passwords; leave user and password out, and protect memcached by "
                "a private network or a unix socket"
            )
        if server.query or (server.scheme != UNIX and server.path.strip("/")):
            raise ConfigurationError(f"{server.name}: a server is host and port; give options as arguments")
    return tuple({server.name: server for server in servers}.values())


def _checked_size(pool_size: Any) -> int:
    if isinstance(pool_size, bool) or not isinstance(pool_size, int) or pool_size < 1:
        raise ConfigurationError(f"pool_size={pool_size!r}: give a number of connections, such as 10")
    return pool_size


def _exptime(ttl: float) -> int:
    return memcached_exptime(ttl, time.time())


def _left(frame: Frame, now: float) -> float:
    """Give the seconds a counter has left, never more than it ever had, whatever the clock of its writer said."""
    return min(frame.remaining(now), frame.lifetime_ms / 1000) if frame.lifetime_ms else frame.remaining(now)
