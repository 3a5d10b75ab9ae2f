"""The key of a request by its ASGI scope, remembered for the URLs that are asked for often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from asynccache.core.url_keys import url_key

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    Scope = MutableMapping[str, Any]

_PATH = "/:@!$&'()*+,;=-._~"
_SEEN_AS = "\uff1e"  # no byte of a request is that
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
        """Give the key of a request to this host (`host[:port]`), by the path and query as they came.

        Where somebody outside has changed the path that the app sees, that is in the key as well: it is of no other URL
        that the app's answer is stored then, whatever field of the request moved them to do so.
        """
        path, query = scope["path"], scope.get("query_string")
        asked = (scope.get("scheme"), host, scope.get("raw_path"), path, query, scope.get("root_path"))
        key = self._known.get(asked)
        if key is None:
            key = self._made(scope, host)
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            if len(key) <= _SHORT:
                self._known[asked] = key
        return key

    def _made(self, scope: Scope, host: bytes) -> str:
        path, raw_path = scope["path"], scope.get("raw_path")
        written = quote(path, safe=_PATH, errors="surrogatepass")
        scheme, query = scope.get("scheme", "http"), scope.get("query_string", b"")
        key = url_key(scheme, host, raw_path or written.encode(), query, self._prefix)
        is_what_came = not raw_path or unquote(raw_path.decode("latin-1")) in (path, scope.get("root_path", "") + path)
        return key if is_what_came else f"{key}{_SEEN_AS}{written}"


def host_of(scope: Scope, field: bytes | None) -> bytes:
    """Give the host of a request: its Host field, or the server's own address where it has none (RFC 9110 7.1)."""
    if field is not None:
        return field
    server = scope.get("server")
    return b"" if server is None else f"{server[0]}:{server[1]}".encode()
