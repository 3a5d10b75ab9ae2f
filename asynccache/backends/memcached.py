"""memcached over connections of our own, each shared by all callers of a loop: see `wire/memcached.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.memcached_entries import checked_options, chosen, each_once
from asynccache.backends.memcached_greeting import TLS, Connecting
from asynccache.backends.memcached_quick import MemcachedQuick
from asynccache.backends.memcached_wires import MemcachedWires, Way
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.rendezvous import Rendezvous
from asynccache.backends.servers import parse
from asynccache.errors import ConfigurationError
from asynccache.plan.clients import LoopClients

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.memcached_sights import Sight
    from asynccache.backends.servers import Server, Servers
    from asynccache.plan.io import IO


class MemcachedCacheBackend(MemcachedQuick):
    """Keeps entries in one memcached, or in several by rendezvous hashing. It needs no client library.

    Each running loop has one connection to each server, for any number of callers: what they ask in one turn of the
    loop goes out together. Servers of 1.6 are asked by meta commands, others in the classic text.

    Lifetimes are whole seconds, rounded up. A value above the server's limit (1 MiB, or what its `-I` says) is not
    stored: `set` is False. Of several servers, one that is down makes its own keys misses and touches no others.

    Args:
        servers: a URL (`memcached://a:11211,b`, with TLS `memcacheds://`), `host:port`, a unix socket's path, an IPv6
            address, or several of these, as a list or separated by commas or semicolons. User and password are those
            of memcached's authentication file (`-Y`).
        hosts: another name for `servers`.
        host: the server, where neither names one.
        port: its port.
        deadline: seconds for one command, after which the server counts as not answering.
        options: for asyncio's `create_connection`, such as `ssl` (an `ssl.SSLContext`) or `local_addr`.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` for what is no server, and for options that there are not.
    """

    def __init__(
        self,
        servers: Servers | None = None,
        *,
        hosts: Servers | None = None,
        host: str = "localhost",
        port: int = 11211,
        deadline: float = 0.15,
        options: Mapping[str, Any] | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.deadline = checked_deadline(deadline)
        self.servers = _checked(chosen(servers, hosts, host, port))
        self._rendezvous = Rendezvous([server.name for server in self.servers])
        guards = {
            server.name: OutageGuard(self, server.name, self.deadline, (), self._counts) for server in self.servers
        }
        passed = checked_options(options, self.servers)
        connects = {server.name: Connecting(server, passed, self.deadline) for server in self.servers}

        def make() -> MemcachedWires:
            return MemcachedWires({name: Way(connects[name], guard) for name, guard in guards.items()})

        self._clients = LoopClients(make, MemcachedWires.aclose)

    async def _given_up(self, io: IO, sight: Sight) -> bool:
        del io, sight
        return True  # `land` has seen to it


def _checked(given: Servers) -> tuple[Server, ...]:
    """Read memcached servers, each once; `ConfigurationError` for what cannot be one."""
    servers = each_once(parse(given, schemes=("memcached", TLS), port=11211))
    for server in servers:
        if server.password is not None and not server.username:
            raise ConfigurationError(f"{server.name}: memcached knows users: give user and password, or neither")
        if any(ord(char) <= ord(" ") or char == ":" for char in server.username or ""):
            raise ConfigurationError(f"{server.name}: a user's name in memcached has no blank and no colon")
        if any(ord(char) < ord(" ") for char in server.password or ""):
            raise ConfigurationError(f"{server.name}: a password in memcached is one line of text")
    return servers
