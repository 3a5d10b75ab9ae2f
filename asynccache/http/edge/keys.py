"""The key of a request by its ASGI scope, remembered for the URLs that are asked for often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from asynccache.core.url_keys import url_key

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    Scope = MutableMapping[str, Any]

_PATH = "/:@!$&'()*+,;=-._~"
_REMEMBERED = 4096
_SHORT = 512


class UrlKeys:
    """The keys of URLs, of which GET and HEAD share one.

    Args:
        prefix: the `key_prefix` of the middleware.
    """

    __slots__ = ("_known", "_prefix")

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._known: dict[tuple[object, ...], str] = {}

    def of(self, scope: Scope, host: bytes) -> str:
        """Give the key of a request to this host (`host[:port]`), by the path and query as they came."""
        asked = (scope.get("scheme"), host, scope.get("raw_path"), scope["path"], scope.get("query_string"))
        key = self._known.get(asked)
        if key is None:
            key = self._made(scope, host)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            if len(key) <= _SHORT:
                self._known[asked] = key
        return key

    def _made(self, scope: Scope, host: bytes) -> str:
        raw_path = scope.get("raw_path") or quote(scope["path"], safe=_PATH).encode()
        return url_key(scope.get("scheme", "http"), host, raw_path, scope.get("query_string", b""), self._prefix)


def host_of(scope: Scope, field: bytes | None) -> bytes:
    """Give the host of a request: its Host field, or the server's own address where it has none (RFC 9110 7.1)."""
    if field is not None:
        return field
    server = scope.get("server")
    return b"" if server is None else f"{server[0]}:{server[1]}".encode()
