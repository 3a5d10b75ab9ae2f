"""Entries in memcached where it is asked key by key, and what all memcached backends are told.

Entries are framed (`core/codec.py`); how they are changed: `memcached_rewriting.py`.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.memcached_rewriting import RewritingBackend
from asynccache.backends.servers import UNIX, Server, Servers, parse
from asynccache.core.keys import memcached_key
from asynccache.core.lifetime import memcached_exptime
from asynccache.errors import BackendUnavailableError, ConfigurationError
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asynccache.backends.memcached_rewriting import Change
    from asynccache.core.codec import Frame
    from asynccache.plan.io import IO


@dataclass
class Answers:
    """What a many-operation was answered, by key; `failure` is why the other keys are missing."""

    by_key: dict[bytes, Any] = field(default_factory=dict)
    failure: BackendUnavailableError | None = None


class MemcachedBackend(RewritingBackend):
    """A backend over memcached's commands whose store grants no rights: App Engine's.

    A command is one of `get`, `gets`, `store` (which is False where the server refuses, and nothing is there then),
    `insert` (False where something is there, or the server refuses), `add`, `cas`, `delete`; keys are memcached's.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.ATOMIC_COUNTERS, Capability.KEEPS_ENTRIES, Capability.SHARED}
    )

    # What the clients do

    @abstractmethod
    async def _ask(self, io: IO, command: str, wire: bytes, *args: Any) -> Any:
        """Run a command at the server that has the key; `BackendUnavailableError` where it does not answer."""

    @abstractmethod
    async def _ask_each(self, io: IO, command: str, calls: Mapping[bytes, tuple[Any, ...]]) -> Answers:
        """Run a command for each key, with arguments of its own."""

    @abstractmethod
    async def _ask_many(self, io: IO, wires: list[bytes]) -> Answers:
        """Get the values of all keys."""

    # Drivers

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        return await self._ask(io, "get", memcached_key(key))  # type: ignore[no-any-return]

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return await self._ask(io, "store", memcached_key(key), raw, exptime(ttl))  # type: ignore[no-any-return]

    async def _drop(self, io: IO, key: str) -> bool:
        return await self._ask(io, "delete", memcached_key(key))  # type: ignore[no-any-return]

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        wires = {memcached_key(key): key for key in keys}
        answers = await self._ask_many(io, list(wires))
        if answers.failure is not None and self.on_error == "raise":
            raise answers.failure
        return {wires[wire]: raw for wire, raw in answers.by_key.items() if raw is not None}

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        until = exptime(ttl)
        wires = {key: memcached_key(key) for key in raws}
        answers = await self._ask_each(io, "store", {wires[key]: (raw, until) for key, raw in raws.items()})
        if answers.failure is not None and self.on_error == "raise":
            raise answers.failure
        return [key for key, wire in wires.items() if not answers.by_key.get(wire)]

    async def _drop_many(self, io: IO, keys: list[str]) -> int:
        answers = await self._ask_each(io, "delete", {memcached_key(key): () for key in keys})
        if answers.failure is not None:
            raise answers.failure
        return sum(answers.by_key.values())

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        if await self._ask(io, "insert", memcached_key(key), raw, exptime(ttl)):
            return True
        wire = memcached_key(key)
        found, token = await self._ask(io, "gets", wire)
        if found is not None:  # it may be damaged, or over
            frame = await self._framed(io, key, found)
            if frame is not None and not (frame.stale_ms and not self._lives(frame)):
                return False
            if await self._ask(io, "cas", wire, raw, token, exptime(ttl)):
                return True
        return await self._ask(io, "insert", wire, raw, exptime(ttl))  # type: ignore[no-any-return]

    async def _swap(self, io: IO, key: str, seen: bytes, raw: bytes, ttl: float) -> bool:
        wire = memcached_key(key)
        found, token = await self._ask(io, "gets", wire)
        return found == seen and bool(await self._ask(io, "cas", wire, raw, token, exptime(ttl)))

    async def _removed(self, io: IO, stored_key: str) -> bool:
        lives = await self._living(io, stored_key) is not None  # what is there may have a tag that was invalidated
        return await self._drop(io, stored_key) and lives

    # Changing an entry

    async def _rewritten_once(self, io: IO, key: str, change: Change) -> tuple[bool, Frame | None]:
        """Change an entry; tell whether nobody was faster, and what became of it (None where it stays as it is)."""
        raw, token = await self._ask(io, "gets", memcached_key(key))
        frame = None if raw is None else await self._framed(io, key, raw)
        over = frame is not None and frame.stale_ms > 0 and not self._lives(frame)
        changed = change(None if over else frame)
        if changed is None:
            return True, None
        return await self._swapped(io, key, *changed, None if raw is None else token), changed[0]

    async def _swapped(self, io: IO, key: str, frame: Frame, ttl: float, token: int | None) -> bool:
        wire, raw = memcached_key(key), self._stamped(frame, key, ttl)
        if token is None:
            return await self._ask(io, "add", wire, raw, exptime(ttl))  # type: ignore[no-any-return]
        return await self._ask(io, "cas", wire, raw, token, exptime(ttl))  # type: ignore[no-any-return]


def exptime(ttl: float) -> int:
    """Give memcached's own form of a lifetime that begins now."""
    return memcached_exptime(ttl, time.time())


def chosen(servers: Servers | None, hosts: Servers | None, host: str, port: int) -> Servers:
    """Give the servers that were named in one of three ways."""
    if servers is not None and hosts is not None:
        raise ConfigurationError("servers and hosts: give one of them, they mean the same")
    named = hosts if servers is None else servers
    return [(host, port)] if named is None else named


def checked_servers(given: Servers, client: str) -> tuple[Server, ...]:
    """Read memcached servers, each once; `ConfigurationError` for what this client cannot be told."""
    servers = each_once(parse(given, schemes=("memcached",), port=11211))
    for server in servers:
        if server.username or server.password:
            raise ConfigurationError(
                f"{server.name}: {client} knows no passwords in a server's address; leave user and password out, and "
                "protect memcached by a private network or a unix socket, or take MemcachedCacheBackend"
            )
    return servers


def checked_options(given: object, servers: Iterable[Server]) -> dict[str, Any]:
    """Give the options for asyncio's connections; `ConfigurationError` for what they do not take."""
    options = {} if given is None else given
    if not isinstance(options, Mapping):
        raise ConfigurationError(f"options is a mapping of options, not a {type(options).__name__}")
    loop = asyncio.AbstractEventLoop
    for is_unix in {server.scheme == UNIX for server in servers}:
        connect: Any = loop.create_unix_connection if is_unix else loop.create_connection
        known = {name for name, one in signature(connect).parameters.items() if one.kind is one.KEYWORD_ONLY}
        if unknown := sorted(map(str, options.keys() - known)):
            raise ConfigurationError(f"options={unknown}: asyncio's {connect.__name__} takes {sorted(known)}")
    return dict(options)


def each_once(servers: Iterable[Server]) -> tuple[Server, ...]:
    """Give servers, each once; `ConfigurationError` for what is more than a place."""
    for server in servers:
        if server.query or (server.scheme != UNIX and server.path.strip("/")):
            raise ConfigurationError(f"{server.name}: a server is host and port; give options as arguments")
    return tuple({server.name: server for server in servers}.values())


def checked_size(pool_size: Any) -> int:
    """Return a number of connections above 0; anything else is a `ConfigurationError`."""
    if isinstance(pool_size, bool) or not isinstance(pool_size, int) or pool_size < 1:
        raise ConfigurationError(f"pool_size={pool_size!r}: give a number of connections, such as 10")
    return pool_size
