"""Redis and Valkey: a single server, a leader with replicas, a cluster, or what sentinels watch over.

An entry is one string under `prefix:version:key`, whose lifetime is the server's own, exact to the millisecond.
Each command and script names keys of entries only, and one of them wherever keys are spread over servers.
What is kept beside entries lies under `~prefix:version:`: give an ACL user `~shop:*` and `~~shop:*`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from asynccache.backends.outage import checked_deadline
from asynccache.backends.redis_parts import Parts
from asynccache.backends.redis_peer import ServerClock
from asynccache.backends.redis_quick_many import RedisQuickMany
from asynccache.backends.redis_scripting import Scripting
from asynccache.backends.redis_servers import Form, Where, where
from asynccache.core.keys import to_bytes
from asynccache.errors import ConfigurationError, MissingDependencyError
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.redis_place import Place
    from asynccache.backends.servers import Servers
    from asynccache.plan.io import IO


class RedisCacheBackend(RedisQuickMany):
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
        pool_size: connections that all threads together may have to each server; the tasks of a loop share one.
        partitions: of a cluster only: into how many parts, each in one slot, the keys of a prefix and version are
            spread. All processes name the same number.
        on_failover: what becomes of the entries that a replica has which takes over: `"replay"` keeps them, and each
            process says again what it invalidated in the last ten seconds; `"clear"` begins with none. What a server
            has read from its disk is not used in any case.
        options: for redis-py's connections, such as `client_name` or `ssl_ca_certs`; `sentinel_username` and
            `sentinel_password` are for those to sentinels.
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
        partitions: int = 16,
        on_failover: Literal["replay", "clear"] = "replay",
        options: Mapping[str, Any] | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        time = ServerClock()
        if base.get("clock") is None:
            self.clock = time
        self.deadline = checked_deadline(deadline)
        meant = where(servers, host, port, options or {})
        self.servers = meant.servers
        self._parts_of = Parts(_checked_number("partitions", partitions) if meant.form is Form.CLUSTER else 0)
        self._head = to_bytes(self._namespace)
        self._own_parts = self._parts_of.of(self._namespace)
        self._place = self._placed(meant, _checked_number("pool_size", pool_size), options or {}, time)
        self._scripting = Scripting(self._place, self._parts_of, keeps=_keeps(on_failover))
        self._reads_near(meant.form is Form.LEADER and len(meant.servers) > 1)

    def __repr__(self) -> str:
        places = ", ".join(server.name for server in self.servers)
        return f"<RedisCacheBackend {places} key_prefix={self.key_prefix!r} version={self.version!r}>"

    async def shut(self, io: IO) -> None:
        if self._follower is not None:
            self._follower.stop()
        await self._place.shut(io)

    def _placed(self, meant: Where, pool_size: int, options: Mapping[str, Any], time: ServerClock) -> Place:
        try:
            _check_release()
            from asynccache.backends.redis_cluster import Cluster
            from asynccache.backends.redis_leader import LeaderAndReplicas
            from asynccache.backends.redis_place import Nodes
            from asynccache.backends.redis_sentinel import SentinelService
        except ModuleNotFoundError as missing:
            package = (missing.name or "redis").partition(".")[0]  # redis, or hiredis
            raise MissingDependencyError.of("RedisCacheBackend", package, "redis") from missing
        nodes = Nodes(self, self.deadline, self._counts, pool_size, options, time)
        match meant.form:
            case Form.LEADER:
                return LeaderAndReplicas(nodes, meant.servers)
            case Form.CLUSTER:
                return Cluster(nodes, meant.servers)
            case Form.SENTINEL:
                return SentinelService(nodes, meant.servers, meant.service)


def _check_release() -> None:
    """Refuse a redis-py that came with something else, and is too old: its own errors name what nobody has given."""
    from redis import __version__

    if int(__version__.partition(".")[0]) < 8:
        raise MissingDependencyError(
            f"RedisCacheBackend needs redis-py 8 or later, and this is {__version__}: pip install 'asynccache[redis]'"
        )


def _checked_number(name: str, number: object) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise ConfigurationError(f"{name}={number!r}: give a number, such as 16")
    return number


def _keeps(on_failover: object) -> bool:
    if on_failover not in ("replay", "clear"):
        raise ConfigurationError(f"on_failover={on_failover!r}: give 'replay' or 'clear'")
    return on_failover == "replay"
