"""memcached over pylibmc and libmemcached, for applications that have them already: see `pylibmc_line.py`."""

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
_OPTIONS = frozenset({"behaviors", "binary", "password", "username"})
_HASHING = "servers share the keys by rendezvous hashing"
_BREAKER = "a server that is down is asked again every 0.25 s"
_REPLIES = "every reply is read, since results depend on it"
_OURS = {
    "_hash_with_prefix_key": _HASHING,
    "_noreply": _REPLIES,
    "_poll_timeout": "deadline=... decides",
    "_sort_hosts": _HASHING,
    "auto_eject": _BREAKER,
    "buffer_requests": _REPLIES,
    "cas": "counters need it",
    "connect_timeout": "deadline=... decides",
    "dead_timeout": _BREAKER,
    "distribution": _HASHING,
    "failure_limit": _BREAKER,
    "hash": _HASHING,
    "ketama": _HASHING,
    "ketama_hash": _HASHING,
    "ketama_weighted": _HASHING,
    "namespace": "key_prefix=... decides",
    "no_block": _REPLIES,
    "num_replicas": _HASHING,
    "pickle_protocol": "serializer=... decides",
    "receive_timeout": "deadline=... decides",
    "remove_failed": _BREAKER,
    "retry_timeout": _BREAKER,
    "_retry_timeout": _BREAKER,
    "send_timeout": "deadline=... decides",
    "verify_keys": "no key reaches the server that it cannot hold",
}
"""libmemcached's behaviors that have no meaning here, and why."""


class PyLibMCCacheBackend(ThreadedMemcachedBackend):
    """Keeps entries in one memcached, or in several, by pylibmc (Ellar's and Django's `PyLibMCCache`).

    `options` are those of `pylibmc.Client`: `binary`, `username` and `password` (SASL, which needs `binary`), and
    `behaviors`. Behaviors that would change where keys live, how long is waited or which replies are read are accepted
    and do nothing, which one warning in the log says, with what decides instead.
    """

    client_name: ClassVar[str] = "pylibmc"
    share: ClassVar[int] = 20

    def _openers(self, options: Mapping[str, Any]) -> list[Callable[[], Line]]:
        from asynccache.backends.pylibmc_line import BINARY, PylibmcLine

        if unknown := sorted(options.keys() - _OPTIONS):
            raise ConfigurationError(f"pylibmc has no option {unknown[0]!r}; it knows {sorted(_OPTIONS)}")
        behaviors = dict(options.get("behaviors") or {})
        if unused := sorted(_OURS.keys() & behaviors.keys()):
            reasons = "; ".join(f"{name}: {_OURS[name]}" for name in unused)
            logger.warning("%s: behaviors that are not used: %s", self.name, reasons)
        passed = {name: given for name, given in behaviors.items() if name not in _OURS}
        arguments = {"binary": BINARY, **options, "behaviors": {"tcp_nodelay": True, **passed, "cas": True}}
        openers = [partial(PylibmcLine, server, arguments) for server in self.servers]
        try:
            openers[0]()
        except (TypeError, ValueError, RuntimeError) as refused:
            raise ConfigurationError(f"pylibmc does not take the options: {refused}") from None
        return list(openers)
