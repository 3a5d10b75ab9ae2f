"""What a write makes invalid (RFC 9111 4.4, RFC 9875 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from asynccache.core.url_keys import AS_WRITTEN
from asynccache.http.headers import lines_of
from asynccache.http.requests import SAFE
from asynccache.http.structured import groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asynccache.http.headers import Pair
    from asynccache.http.requests import Request

_PORTS = {"http": 80, "https": 443}


class Invalidated(NamedTuple):
    """What is no longer to be reused: absolute URLs, the target first, and cache groups of its origin."""

    urls: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


def invalidates(request: Request, status: int, headers: Sequence[Pair]) -> Invalidated:
    """Tell what the answer to a method that is not known to be safe makes invalid (RFC 9111 4.4); nothing for errors.

    The target; what Location and Content-Location name, and the groups in Cache-Group-Invalidation (RFC 9875 3), but
    those of the target's own origin only.
    """
    if request.method in SAFE or not 200 <= status < 400:
        return Invalidated()
    named = [*lines_of(b"location", headers), *lines_of(b"content-location", headers)]
    urls = (request.url, *(_resolved(line, request.url) for line in named))
    named_groups = groups(lines_of(b"cache-group-invalidation", headers))
    return Invalidated(tuple(dict.fromkeys(url for url in urls if url)), named_groups)


def is_target(reference: bytes, target: str) -> bool:
    """Tell whether a reference, absolute or relative, is to the target URL itself."""
    url = _resolved(reference, target)
    return url is not None and url == _resolved(b"", target)


def _resolved(reference: bytes, target: str) -> str | None:
    """Give the absolute URL of a reference; None for one of another origin, or that is no URL (RFC 3986 5)."""
    try:
        own = urlsplit(target)
        url = urlsplit(urljoin(target, quote(reference.strip(b" \t"), safe=AS_WRITTEN)))
        if own.scheme not in _PORTS or not own.netloc or _origin(url) != _origin(own):
            return None
    except ValueError:
        return None
    return SplitResult(own.scheme, own.netloc, url.path or "/", url.query, "").geturl()


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    """Give scheme, host and port (RFC 9110 4.3.1)."""
    return url.scheme, url.hostname, url.port or _PORTS.get(url.scheme)
