"""memcached over pymemcache, for applications that have it already: see `pymemcache_line.py`."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.memcached_threads import ThreadedMemcachedBackend
from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asynccache.backends.memcached_lines import Line

logger = logging.getLogger(__name__)
_PASSED = frozenset({"no_delay", "socket_keepalive", "socket_module", "tls_context"})
_OURS = {
    "allow_unicode_keys": "any text is a key",
    "connect_timeout": "deadline=... decides",
    "dead_timeout": "a server that is down is asked again every 0.25 s",
    "default_noreply": "every reply is read, since results depend on it",
    "deserializer": "serializer=... decides",
    "encoding": "any text is a key",
    "hasher": "servers share the keys by rendezvous hashing",
    "ignore_exc": "on_error=... decides",
    "key_prefix": "the backend's own key_prefix=... decides",
    "lock_generator": "connections are pooled here",
    "max_pool_size": "pool_size=... decides",
    "pool_idle_timeout": "connections are pooled here",
    "retry_attempts": "a server that is down is asked again every 0.25 s",
    "retry_timeout": "a server that is down is asked again every 0.25 s",
    "serde": "serializer=... decides",
    "serializer": "the backend's own serializer=... decides",
    "timeout": "deadline=... decides",
    "use_pooling": "connections are pooled here",
}
"""pymemcache's options that have no meaning here, and why."""


class PyMemcacheCacheBackend(ThreadedMemcachedBackend):
    """Keeps entries in one memcached, or in several, by pymemcache (Ellar's and Django's `PyMemcacheCache`).

    `options` are pymemcache's: `no_delay`, `socket_keepalive`, `tls_context` and `socket_module` are passed on. Its
    others are accepted and do nothing, which one warning in the log says, with what decides instead.
    """

    client_name: ClassVar[str] = "pymemcache"

    def _openers(self, options: Mapping[str, Any]) -> list[Callable[[], Line]]:
        from asynccache.backends.pymemcache_line import PymemcacheLine

        if unknown := sorted(options.keys() - _PASSED - _OURS.keys()):
            raise ConfigurationError(f"pymemcache has no option {unknown[0]!r}; passed on are {sorted(_PASSED)}")
        if unused := sorted(_OURS.keys() & options.keys()):
            reasons = "; ".join(f"{name}: {_OURS[name]}" for name in unused)
            logger.warning("%s: options that are not used: %s", self.name, reasons)
        passed = {name: given for name, given in options.items() if name in _PASSED}
        openers = [partial(PymemcacheLine, server, passed) for server in self.servers]
        try:
            openers[0]()
        except (TypeError, ValueError, SystemError) as refused:
            raise ConfigurationError(f"pymemcache does not take the options: {refused}") from refused
        return list(openers)
