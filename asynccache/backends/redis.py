"""Redis and Valkey: a single server, a leader with replicas, a cluster, or what sentinels watch over.

An entry is one string under `prefix:version:key`, whose lifetime is the server's own, exact to the millisecond.
Each command and script names keys of entries only, and one of them wherever keys are spread over servers.
Keys that begin with `~prefix:version:` are kept free for auxiliary data: give an ACL user `~shop:*` and `~~shop:*`.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends import redis_questions as ask
from asynccache.backends.near import Near
from asynccache.backends.outage import checked_deadline
from asynccache.backends.redis_questions import Refusal
from asynccache.backends.redis_scripts import BUMP, OK, OUT_OF_RANGE, SWAP, bump_arguments, swap_arguments
from asynccache.backends.redis_servers import Form, Where, where
from asynccache.core import codec, keys
from asynccache.core.codec import Frame
from asynccache.errors import (
    BackendUnavailableError,
    ConfigurationError,
    MissingDependencyError,
    NotAnIntegerError,
)
from asynccache.model import ALL_BUT_FENCES, Capability

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asynccache.backends.redis_place import Place
    from asynccache.backends.redis_scripts import Script
    from asynccache.backends.servers import Servers
    from asynccache.plan.io import IO

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
            the leader where that one is down or this process has just written the key. `redis+cluster://a:7000,b:7001`
            (`rediss+cluster://`) names some nodes of a cluster, `redis+sentinel://h1,h2,h3/service/0`
            (`rediss+sentinel://`) sentinels and what they call the master; user and password are the master's.
        host: instead of `servers`, with `port`.
        port: 6379 unless given (26379 for sentinels).
        deadline: seconds for one operation, waiting for a connection included (for each batch of a `*_many`).
        pool_size: connections that each loop, and all threads together, may have to each server.
        options: for redis-py's connections, such as `client_name` or `ssl_ca_certs`; `sentinel_username` and
            `sentinel_password` are for those to sentinels.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` for options that cannot work, `MissingDependencyError` where redis-py is missing.
    """

    capabilities: ClassVar[frozenset[Capability]] = ALL_BUT_FENCES
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
        meant = where(servers, host, port, options or {})
        self.servers = meant.servers
        self._place = self._placed(meant, _checked_size(pool_size), options or {})
        self._reads_near(meant.form is Form.LEADER and len(meant.servers) > 1)

    def __repr__(self) -> str:
        places = ", ".join(server.name for server in self.servers)
        return f"<RedisCacheBackend {places} key_prefix={self.key_prefix!r} version={self.version!r}>"

    async def shut(self, io: IO) -> None:
        await self._place.shut(io)

    # Drivers

    async def _fetch(self, io: IO, key: str) -> bytes | None:
        (raw,) = await self._place.read(io, "get", [ask.get(keys.to_bytes(key))], [key])
        return None if raw is None else _raw(raw)

    async def _fetch_many(self, io: IO, stored_keys: list[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for batch in _batches(stored_keys):
            wires = [keys.to_bytes(key) for key in batch]
            if self._place.is_one:
                (raws,) = await self._place.read(io, "get_many", [ask.get_many(wires)], batch)
            else:
                raws = await self._place.read(io, "get_many", [ask.get(wire) for wire in wires], batch)
            found.update((key, _raw(raw)) for key, raw in zip(batch, self._there(raws), strict=True) if raw is not None)
        return found

    async def _store(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        return not await self._store_many(io, {key: raw}, ttl)

    async def _store_many(self, io: IO, raws: Mapping[str, bytes], ttl: float) -> list[str]:
        refused = [key for key, raw in raws.items() if len(raw) > _LARGEST]
        lost: list[str] = []
        for batch in _batches([key for key in raws if key not in refused], raws):
            puts = [ask.put(keys.to_bytes(key), raws[key], ttl) for key in batch]
            replies = await self._place.write(io, "set", puts, batch)
            for key, put, reply in zip(batch, puts, self._there(replies), strict=True):
                if isinstance(reply, Refusal):
                    self._place.guard_of(put).note_refusal("set", reply.said)
                    refused.append(key)
                elif reply is None:
                    lost.append(key)
        if refused:
            await self._drop_many(io, refused)
        return refused + lost

    async def _add(self, io: IO, key: str, raw: bytes, ttl: float) -> bool:
        if len(raw) > _LARGEST:
            return False
        (reply,) = await self._place.write(io, "add", [ask.put_new(keys.to_bytes(key), raw, ttl)], [key])
        return reply is not None

    async def _touch(self, io: IO, key: str, ttl: float) -> bool:
        wire = keys.to_bytes(key)
        head, *_, touched = _all(await self._place.write(io, "touch", (ask.head(wire), *ask.touch(wire, ttl)), [key]))
        return bool(touched) and not codec.is_kept(_raw(head))

    async def _swap(self, io: IO, key: str, seen: bytes, raw: bytes, ttl: float) -> bool:
        if len(raw) > _LARGEST:
            return False
        _, word, _ = await self._scripted(io, "set", SWAP, key, swap_arguments(seen, raw, ttl))
        return bool(word == OK)

    async def _drop(self, io: IO, key: str) -> bool:
        return bool(await self._drop_many(io, [key]))

    async def _drop_many(self, io: IO, stored_keys: list[str]) -> int:
        dropped = 0
        for batch in _batches(stored_keys):
            wires = [keys.to_bytes(key) for key in batch]
            removes = [ask.remove(*wires)] if self._place.is_one else [ask.remove(wire) for wire in wires]
            dropped += sum(_all(await self._place.write(io, "delete", removes, batch)))
        return dropped

    async def _bump(self, io: IO, key: str, delta: int, ttl: float) -> int:
        if delta not in codec.INT64:
            raise NotAnIntegerError(f"{delta} does not fit into 64 bits; the counter stays as it was")
        frame = self._stamped(Frame(b"", flags=codec.INTEGER), key, ttl)
        _, word, number = await self._scripted(io, "incr", BUMP, key, bump_arguments(frame, delta, ttl))
        if word != OK:
            raise NotAnIntegerError(
                f"{int(number) + delta} does not fit into 64 bits; the counter stays as it was"
                if word == OUT_OF_RANGE
                else "incr and decr need an int of 64 bits, and something else is stored there"
            )
        return int(number)

    async def _scripted(self, io: IO, tried: str, script: Script, key: str, arguments: tuple[bytes | int, ...]) -> Any:
        wires = (keys.to_bytes(key),)
        (reply,) = await self._place.write(io, tried, [script.by_digest(wires, arguments)], [key])
        if isinstance(reply, Refusal):
            (reply,) = await self._place.write(io, tried, [script.by_text(wires, arguments)], [key])
        return reply

    async def _mixed_up(self, io: IO) -> None:
        await self._place.distrust(io)

    def _there(self, replies: list[Any]) -> list[Any]:
        """Give the replies, `None` for those of a server that is away; or raise, as `on_error` says."""
        if self.on_error == "raise":
            _all(replies)
        return [None if isinstance(reply, BackendUnavailableError) else reply for reply in replies]

    def _placed(self, meant: Where, pool_size: int, options: Mapping[str, Any]) -> Place:
        try:
            from asynccache.backends.redis_cluster import Cluster
            from asynccache.backends.redis_leader import LeaderAndReplicas
            from asynccache.backends.redis_place import Nodes
            from asynccache.backends.redis_sentinel import SentinelService
        except ModuleNotFoundError as missing:
            raise MissingDependencyError.of("RedisCacheBackend", "redis", "redis") from missing
        nodes = Nodes(self, self.deadline, self._counts, pool_size, options)
        match meant.form:
            case Form.LEADER:
                return LeaderAndReplicas(nodes, meant.servers)
            case Form.CLUSTER:
                return Cluster(nodes, meant.servers)
            case Form.SENTINEL:
                return SentinelService(nodes, meant.servers, meant.service)


def _checked_size(pool_size: object) -> int:
    if isinstance(pool_size, bool) or not isinstance(pool_size, int) or pool_size < 1:
        raise ConfigurationError(f"pool_size={pool_size!r}: give a number of connections, such as 20")
    return pool_size


def _all(replies: list[Any]) -> list[Any]:
    """Give the replies; raise where one is missing."""
    for reply in replies:
        if isinstance(reply, BackendUnavailableError):
            raise reply
    return replies


def _raw(reply: bytes | Refusal) -> bytes:
    """Give the bytes; another type of data is damaged, as far as we are concerned."""
    return b"" if isinstance(reply, Refusal) else reply


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
