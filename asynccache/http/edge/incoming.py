"""A request as it came to a `CacheMiddleware`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.core.url_keys import origin
from asynccache.http.edge.keys import host_of
from asynccache.http.headers import lowered
from asynccache.http.requests import Request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from asynccache.http.edge.keys import UrlKeys
    from asynccache.http.edge.settings import EdgeSettings

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]

_DEFAULT_PORTS = {"http": b":80", "https": b":443"}


class Incoming:
    """One request.

    Args:
        scope: of the request.
        receive: as the server gave it.
        send: likewise.
        request: the same for the rules.
        key: of its URL; empty where its host is none of those that are cached for.
    """

    __slots__ = ("key", "method", "receive", "request", "scope", "send")

    def __init__(self, scope: Scope, receive: Receive, send: Send, request: Request, key: str) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.method: str = scope["method"]
        self.request = request
        self.key = key

    def like(self, scope: Scope, receive: Receive, send: Send) -> Incoming:
        """Give another request for the same URL, with names in lower case."""
        return Incoming(scope, receive, send, Request(scope["method"], scope["headers"], self.request.url), self.key)


def incoming_of(scope: Scope, receive: Receive, send: Send, keys: UrlKeys, settings: EdgeSettings) -> Incoming:
    """Take a request in, as the server handed it over."""
    headers = lowered(scope["headers"])
    host = _counting(scope, [value for name, value in headers if name == b"host"], settings)
    if host is None:
        return Incoming(scope, receive, send, Request(scope["method"], headers), "")
    return Incoming(scope, receive, send, Request(scope["method"], headers, _url(scope, host)), keys.of(scope, host))


def _url(scope: Scope, host: bytes) -> str:
    path = (scope.get("raw_path") or scope["path"].encode(errors="surrogatepass")).decode("latin-1")
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{origin(scope.get('scheme', 'http'), host)}{path}{f'?{query}' if query else ''}"


def _counting(scope: Scope, sent: list[bytes], settings: EdgeSettings) -> bytes | None:
    """Give the host that a request counts for."""
    if settings.host is not None:
        return settings.host
    if len(sent) > 1:
        return None
    host = host_of(scope, sent[0] if sent else None)
    if settings.hosts is None:
        return host
    name, port = host.lower(), _DEFAULT_PORTS.get(scope.get("scheme", "http"), b"\n")
    return host if not settings.hosts.isdisjoint({name, name.removesuffix(port), name + port}) else None
