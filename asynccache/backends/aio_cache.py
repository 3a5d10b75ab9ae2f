"""memcached over aiomcache, which works behind a guard: see `memcached_link.py` and `memcached_client.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.memcached_entries import checked_options, checked_servers, checked_size, chosen
from asynccache.backends.memcached_loops import LoopMemcachedBackend
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.rendezvous import Rendezvous
from asynccache.plan.clients import LoopClients

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.servers import Servers


class AioMemCacheBackend(LoopMemcachedBackend):
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

    Raises `ConfigurationError` for what is no server or has a password and for options that there are not, and
    `MissingDependencyError` without aiomcache.
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
        self.deadline = checked_deadline(deadline)
        self.servers = checked_servers(chosen(servers, hosts, host, port), "aiomcache")
        self._rendezvous = Rendezvous([server.name for server in self.servers])
        pool = Pool(checked_size(pool_size), checked_options(options, self.servers))
        guards = [OutageGuard(self, server.name, self.deadline, (), self._counts) for server in self.servers]
        watched = list(zip(self.servers, guards, strict=True))
        self._clients = LoopClients(lambda: MemcachedClient(watched, pool), MemcachedClient.aclose)
