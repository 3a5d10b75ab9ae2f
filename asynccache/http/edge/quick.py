"""Plain hits from the memory of this process: one look at the header of the request, and nothing that waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.http.edge.lookup import Lookup
from asynccache.http.replies import Reply, answered
from asynccache.http.requests import Request
from asynccache.http.stored import COOKIELESS, NAMELESS_ONLY, UNKEPT, VALIDATE
from asynccache.plan.io import LOOP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.edge.incoming import Scope
    from asynccache.http.edge.keys import UrlKeys
    from asynccache.http.edge.memory import Memory
    from asynccache.http.edge.settings import EdgeSettings
    from asynccache.http.edge.shelved import Shelved
    from asynccache.http.headers import Pair
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.service import CacheService

    Plain = tuple[int, list[Pair], bytes]

_HOST, _COOKIE = b"host", b"cookie"
_CONDITIONS = frozenset({b"if-none-match", b"if-modified-since"})
_OTHERS = frozenset({b"range", b"authorization", b"content-length", b"transfer-encoding"})
_CONTROLS = frozenset({b"cache-control", b"pragma"})


class Quick:
    """Answers a GET that needs no second thought: what is stored for it lies in memory, and is fresh.

    Args:
        keys: of URLs.
        settings: of the middleware.
        memory: which handlers answer before routing.
        version: of the keys.
        member: what Cache-Status says of a hit.
    """

    __slots__ = (
        "_clock",
        "_host",
        "_is_on",
        "_keys",
        "_lookup",
        "_member",
        "_memory",
        "_noted",
        "_others",
        "_terms",
        "_version",
    )

    def __init__(self, keys: UrlKeys, settings: EdgeSettings, memory: Memory, version: Version, member: bytes) -> None:
        profile = settings.rules.profile
        self._is_on = not settings.debug and settings.hosts is None
        self._keys = keys
        self._clock = settings.clock
        self._host = settings.host
        self._memory = memory
        self._version = version
        self._member = member
        self._others = _OTHERS | _CONTROLS if profile.obeys_clients else _OTHERS
        self._noted = self._others | _CONDITIONS | {_HOST, _COOKIE}
        self._terms = VALIDATE | UNKEPT | NAMELESS_ONLY
        self._lookup: tuple[BaseCacheBackend, Lookup] | None = None

    def reply(self, scope: Scope, service: CacheService, backend: BaseCacheBackend) -> Plain | None:
        """Give the answer to a GET: its status, headers and body; None: look closely."""
        if not self._is_on or backend.peek is None:
            return None
        host, terms, asks = None, self._terms, False
        for name, value in scope["headers"]:
            if name in self._noted:
                if name == _HOST and host is None:
                    host = value
                elif name == _COOKIE:
                    terms |= COOKIELESS
                elif name in _CONDITIONS:
                    asks = True
                else:
                    return None
            elif not name.islower():  # against ASGI: it may be one of those all the same
                return None
        if (host := self._host or host) is None:
            return None
        key = self._keys.of(scope, host)
        if (remembered := self._memory.handler(key)) is not None:
            return remembered[0].reply_at_edge(scope, *remembered[1:])
        found = self._found(scope, key, service, backend)
        return None if found is None or found.stored.terms & terms else self._of(found, scope["headers"], asks=asks)

    def _of(self, found: Shelved, headers: Sequence[Pair], *, asks: bool) -> Plain | None:
        now, stored = self._clock(), found.stored
        if now >= found.fresh_until or stored.span is not None:
            return None
        whole = found.status, found.pairs(now, self._member), found.body
        return answered(Request("GET", headers), Reply(*whole), stored.received_at, stored.headers) if asks else whole

    def _found(self, scope: Scope, key: str, service: CacheService, backend: BaseCacheBackend) -> Shelved | None:
        lookup = self._lookup
        if lookup is None or lookup[0] is not backend:
            lookup = self._lookup = backend, Lookup(backend, service.flights, self._version, LOOP)
        return lookup[1].glance(key, scope["headers"])
