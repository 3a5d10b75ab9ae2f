"""Redis and Valkey: a single server, or a leader with replicas.

An entry is one string under `prefix:version:key`, whose lifetime is the server's own, exact to the millisecond.
Auxiliary keys begin with `~prefix:version:`: an ACL user needs both patterns, `~shop:*` and `~~shop:*`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends import redis_questions as ask
from asynccache.backends.near import Near, RecentWrites
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.redis_questions import Refusal
from asynccache.backends.redis_scripts import BUMP, OK, OUT_OF_RANGE, bump_arguments
from asynccache.backends.servers import Server, parse
from asynccache.core import codec, keys
from asynccache.core.breaker import Breaker
from asynccache.core.codec import Frame
from asynccache.errors import (
    BackendUnavailableError,
    ConfigurationError,
    MissingDependencyError,
    NotAnIntegerError,
)
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asynccache.backends.redis_clients import RedisNode
    from asynccache.backends.redis_questions import Question
    from asynccache.backends.servers import Servers
    from asynccache.plan.io import IO

DEFAULT_PORT = 6379
_LARGEST = 512 * 1024 * 1024
"""Bytes that a string of Redis can have (`proto-max-bulk-len`)."""
_BATCH_COUNT = 500
_BATCH_BYTES = 256 * 1024


class RedisCacheBackend(Near):
    """Entries in Redis (6.2 or later) or Valkey; needs the extra `redis`.

    Args:
        servers: a URL (`redis://`, `rediss://` for TLS, `unix://`; with user, password and database), a list, or a
            string with `,` or `;` between. The first is the leader: all writes go there, and the reads of a
            read-through. The others are its replicas: `get`, `get_many` and `has_key` ask one of them at random, and
            the leader where that one is down or this process has just written the key.
        host: instead of `servers`, with `port`.
        port: 6379 unless given.
        deadline: seconds for one operation, waiting for a connection included (for each batch of a `*_many`).
        pool_size: connections that each loop, and all threads together, may have to each server.
        options: for redis-py's connections, such as `client_name` or `ssl_ca_certs`.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` for options that cannot work, `MissingDependencyError` where redis-py is missing.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)
    expires_entries: ClassVar[bool] = True

    def __init__(
        self,
        servers: Servers | None = None,
        *,
        host: str | None = None,
        port: int | None = None,
        deadline: float = 0.15,
        pool_size: int = 20,
        options: Mapping[str, Any] | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.deadline = checked_deadline(deadline)
        self.servers = _servers(servers, host, port)
        self._pool_size = _checked_size(pool_size)
        self._leader = self._node(self.servers[0], options or {}, Breaker())
        self._replicas = [self._node(server, options or {}, Breaker(pause=1.0)) for server in self.servers[1:]]
        self._recent = RecentWrites()
        self._reads_near(bool(self._replicas))

    def __repr__(self) -> str:
        places = ", ".join(server.name for server in self.servers)
        return f"<RedisCacheBackend {places} key_prefix={self.key_prefix!r} version={self.version!r}>"

    async def shut(self, io: IO) -> None:
        for node in (self._leader, *self._replicas):
            await node.shut(io)

    # Drivers

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        raw = await self._found(io, "get", ask.get(keys.to_bytes(key)), key)
        return b"" if isinstance(raw, Refusal) else raw  # another type of data: damaged, as far as we are concerned

    async def _fetch_many(self, io: IO, stored_keys: list[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for batch in _batches(stored_keys):
            raws = await self._found(io, "get_many", ask.get_many([keys.to_bytes(key) for key in batch]), *batch)
            found.update((key, raw) for key, raw in zip(batch, raws, strict=True) if raw is not None)
        return found

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return not await self._store_many(io, {key: raw}, ttl)

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        refused = [key for key, raw in raws.items() if len(raw) > _LARGEST]
        for batch in _batches([key for key in raws if key not in refused], raws):
            puts = [ask.put(keys.to_bytes(key), raws[key], ttl) for key in batch]
            replies = await self._told(io, "set", puts, batch)
            for key, reply in zip(batch, replies, strict=True):
                if isinstance(reply, Refusal):
                    self._leader.guard.note_refusal("set", reply.said)
                    refused.append(key)
        if refused:
            await self._drop_many(io, refused)
        return refused

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        if len(raw) > _LARGEST:
            return False
        (reply,) = await self._told(io, "add", [ask.put_new(keys.to_bytes(key), raw, ttl)], [key])
        return reply is not None

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        replies = await self._told(io, "touch", ask.touch(keys.to_bytes(key), ttl), [key])
        return bool(replies[-1])

    async def _drop(self, io: IO, key: str) -> bool:
        return bool(await self._drop_many(io, [key]))

    async def _drop_many(self, io: IO, stored_keys: list[str]) -> int:
        dropped = 0
        for batch in _batches(stored_keys):
            (count,) = await self._told(io, "delete", [ask.remove(*map(keys.to_bytes, batch))], batch)
            dropped += count
        return dropped

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        if delta not in codec.INT64:
            raise NotAnIntegerError(f"{delta} does not fit into 64 bits; the counter stays as it was")
        frame = self._stamped(Frame(b"", flags=codec.INTEGER), key, ttl)
        where = keys.to_bytes(key), keys.to_bytes(_scratch(key))
        arguments = bump_arguments(frame, delta, ttl)
        (reply,) = await self._told(io, "incr", [BUMP.by_digest(where, arguments)], [key])
        if isinstance(reply, Refusal):
            (reply,) = await self._told(io, "incr", [BUMP.by_text(where, arguments)], [key])
        _, word, number = reply
        if word != OK:
            raise NotAnIntegerError(
                f"{int(number) + delta} does not fit into 64 bits; the counter stays as it was"
                if word == OUT_OF_RANGE
                else "incr and decr need an int of 64 bits, and something else is stored there"
            )
        return int(number)

    async def _mixed_up(self, io: IO) -> None:
        for node in (self._leader, *self._replicas):
            await node.distrust(io)

    # Servers

    async def _found(self, io: IO, tried: str, question: Question, *asked: str) -> Any:
        """Ask a replica, where this read may and one is up; else the leader."""
        up = [node for node in self._replicas if node.guard.lets_through] if self._is_near(io) else []
        if up and not self._recent.has_any(asked):
            try:
                (reply,) = await self._chosen(up).ask(io, tried, question)
            except BackendUnavailableError:
                pass
            else:
                return reply
        (reply,) = await self._leader.ask(io, tried, question)
        return reply

    async def _told(self, io: IO, tried: str, questions: Sequence[Question], written: Sequence[str]) -> list[Any]:
        """Have the leader do something, and remember what it may have written."""
        try:
            return await self._leader.ask(io, tried, *questions)
        finally:
            if self._replicas:
                self._recent.note(written)

    def _node(self, server: Server, options: Mapping[str, Any], breaker: Breaker) -> RedisNode:
        try:
            from asynccache.backends.redis_clients import RedisNode
            from asynccache.backends.redis_connections import FOREIGN_ERRORS
        except ModuleNotFoundError as missing:
            raise MissingDependencyError.of("RedisCacheBackend", "redis", "redis") from missing
        guard = OutageGuard(self, server.name, self.deadline, FOREIGN_ERRORS, self._counts, breaker)
        return RedisNode(server, guard, self._pool_size, options)


def _checked_size(pool_size: object) -> int:
    if isinstance(pool_size, bool) or not isinstance(pool_size, int) or pool_size < 1:
        raise ConfigurationError(f"pool_size={pool_size!r}: give a number of connections, such as 20")
    return pool_size


def _servers(servers: Servers | None, host: str | None, port: int | None) -> tuple[Server, ...]:
    if servers is not None and (host is not None or port is not None):
        raise ConfigurationError("give either servers=... or host=... and port=..., not both")
    if servers is None:
        servers = [(host or "localhost", port or DEFAULT_PORT)]
    return parse(servers, schemes=("redis", "rediss"), port=DEFAULT_PORT)


def _scratch(key: str) -> str:
    prefix, version, name = key.split(":", 2)
    return f"~{prefix}:{version}:s:{name}"


def _batches(stored_keys: Sequence[str], raws: Mapping[str, bytes] = MappingProxyType({})) -> Iterator[list[str]]:
    """Cut into what one round trip carries."""
    batch: list[str] = []
    size = 0
    for key in stored_keys:
        batch.append(key)
        size += len(raws.get(key, b""))
        if len(batch) >= _BATCH_COUNT or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
