"""The key of a page: `METHOD scheme://host/path?query`, so that no two requests that differ ever meet."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urlsplit

from asynccache.core.keys import escape
from asynccache.core.query import name_of

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any

_PATH = "/:@!$&'()*+,;=-._~%"
HOST = ":.-_[]~!$&'()*+,;="
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
READING = frozenset({"GET", "HEAD"})
"""The methods that a stored response answers."""


def page_key(method: str, url: str, key_prefix: str = "", body: bytes = b"") -> str:
    """Give the key under which `@Cache` stores the page of a URL; `service.delete` removes it with all its variants.

    Args:
        method: HEAD counts as GET, whose page answers it.
        url: absolute, as the client writes it: `https://shop.example/products?page=2`.
        key_prefix: that of the `@Cache`.
        body: that of the request, for methods other than GET and HEAD.

    Raises `ValueError` for a URL without scheme or host.
    """
    parts = absolute(url)
    path = quote(parts.path or "/", safe=_PATH)
    query = quote(parts.query, safe=_PATH + "?")
    located = location(parts.scheme, parts.netloc.rpartition("@")[2], path, query)
    if method.upper() in READING:
        return f"{prefixed(key_prefix)}GET {located}"
    return f"{prefixed(key_prefix)}{method.upper()} {located}#{digest(body)}"


def absolute(url: str) -> SplitResult:
    """Split a URL; `ValueError` for one without scheme or host."""
    parts = urlsplit(url)
    if not parts.scheme or not parts.netloc:
        raise ValueError(f"{url!r} is not absolute: give scheme://host/path?query")
    return parts


def digest(body: bytes) -> str:
    """Give what stands for a request's body in a key."""
    return blake2b(body, digest_size=16).hexdigest()


def prefixed(key_prefix: str) -> str:
    """Give the head of the keys with this prefix: nothing, or it and a colon, which no method contains."""
    return f"{escape(key_prefix)}:" if key_prefix else ""


def location(scheme: str, host: str, path: str, query: str) -> str:
    """Give `scheme://host/path?query` with the host in lower case, and parameters sorted by name."""
    authority = quote(host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, "\n")), safe=HOST)
    located = f"{scheme}://{authority}{path}"
    if "#" in located or "?" in located:
        located = located.replace("#", "%23").replace("?", "%3F")
    return f"{located}?{sorted_query(query)}" if query else located


def sorted_query(query: str) -> str:
    """Sort parameters by name, equal names in order; names are equal when they are so for who decodes them."""
    if "#" in query:
        query = query.replace("#", "%23")
    if "&" not in query:
        return query
    return "&".join(sorted(query.split("&"), key=name_of))


def scope_location(scope: MutableMapping[str, Any], host: bytes | None, query: bytes) -> str:
    """Locate a request by its ASGI scope, its Host field, and what counts of its query.

    The query that some, such as Litestar's test client, have in the raw path as well is no part of it.
    """
    raw_path = scope.get("raw_path")
    path = (
        raw_path.partition(b"?")[0].decode("latin-1") if raw_path else quote(scope["path"], safe=_PATH.replace("%", ""))
    )
    authority = _server(scope) if host is None else host.decode("latin-1")
    return location(scope.get("scheme", "http"), authority, path, query.decode("latin-1"))


def _server(scope: MutableMapping[str, Any]) -> str:
    server = scope.get("server")
    return "" if server is None else f"{server[0]}:{server[1]}"
