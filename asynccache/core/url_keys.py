"""The key of what is stored for a URL before any app sees the request: byte by byte as it was asked for.

No two requests whose scheme, host, path or query differ ever meet, whatever a client sends. Only what RFC 3986 6.2
calls equivalent without a look at the path is one: the case of scheme and host, the default port, an empty path.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from asynccache.core.page_keys import HOST, absolute, prefixed

_SCHEME = "+-."
AS_WRITTEN = "".join(map(chr, range(0x21, 0x7F)))
_DEFAULT_PORTS = {b"http": b":80", b"https": b":443"}
_ESCAPES = str.maketrans({"#": "\uff03", "?": "\uff1f"})
"""A byte is one of the first 256 characters, so these stand for nothing else."""
_ORIGIN = re.compile(r"(?:[^:]*:)?edge GET ([^:/]*://[^/? ]*)")


def url_key(scheme: str, host: bytes, raw_path: bytes, raw_query: bytes, key_prefix: str = "") -> str:
    """Give the key of what `CacheMiddleware` stores for a URL; deleting it deletes all variants.

    Args:
        scheme: of the URL.
        host: as the Host field has it, with a port or without.
        raw_path: as the request has it, percent-encoded or not.
        raw_query: what follows the question mark.
        key_prefix: that of the middleware.
    """
    path = raw_path.decode("latin-1").translate(_ESCAPES) or "/"
    if path[0] != "/":
        path = f" {path}"  # no part of the host
    query = raw_query.decode("latin-1").translate({ord("#"): "\uff03"}) if raw_query else ""
    located = f"{prefixed(key_prefix)}edge GET {origin(scheme, host)}{path}"
    return f"{located}?{query}" if query else located


def key_of_url(url: str, key_prefix: str = "") -> str:
    """Give the same key for an absolute URL, as the client writes it; what no client can write, it percent-encodes.

    Raises `ValueError` for a URL without scheme or host.
    """
    parts = absolute(url)
    host = parts.netloc.rpartition("@")[2].encode()
    path, query = (quote(part, safe=AS_WRITTEN).encode() for part in (parts.path, parts.query))
    return url_key(parts.scheme, host, path, query, key_prefix)


def origin(scheme: str, host: bytes) -> str:
    """Give `scheme://host`, without the port that the scheme implies (RFC 9110 4.3.1)."""
    scheme = scheme.lower()
    host = host.lower()
    host = host.removesuffix(_DEFAULT_PORTS.get(scheme.encode(), b"\n")).removesuffix(b":")
    return f"{quote(scheme, safe=_SCHEME)}://{quote(host, safe=HOST)}"


def group_tags(key: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """Give the tags that stand for these groups of the origin of a URL's key (RFC 9875 2)."""
    found = _ORIGIN.match(key)
    return tuple(f"group:{found[1]}:{group}" for group in groups if group) if found else ()
