"""What a `CacheMiddleware` says in Cache-Status of one request (RFC 9211)."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any

from asynccache.http.cache_status import member
from asynccache.http.dates import missing_date

if TYPE_CHECKING:
    from asynccache.http.edge.settings import EdgeSettings
    from asynccache.http.headers import Pair
    from asynccache.http.stored import Stored

FIELD = b"cache-status"


class Telling:
    """Writes our member.

    Args:
        settings: say what the cache is called, and whether to tell all.
        key: under which what is told of lies.
    """

    __slots__ = ("_debug", "_key", "_name")

    def __init__(self, settings: EdgeSettings, key: str) -> None:
        self._name = settings.name
        self._debug = settings.debug
        self._key = key or None

    def hit(self, stored: Stored, now: float) -> bytes:
        """Say that a stored response is the answer, and for how long that will be so."""
        return self._member("", ttl=ttl_of(stored, now))

    def forwarded(self, why: str, *, detail: str = "", **more: Any) -> bytes:
        """Say why the request went to the app, and what became of the answer."""
        return self._member(detail, fwd=why, **more)

    def made_here(self, why: str) -> bytes:
        """Say why the cache has made the answer."""
        return member(self._name, fwd="", detail=why)

    def _member(self, detail: str, **more: Any) -> bytes:
        if self._debug:
            more |= {"key": self._key, "detail": detail or None}
        return member(self._name, **more)


def ttl_of(stored: Stored, now: float) -> int:
    """Give the seconds for which a response stays fresh, fewer than none for one that is over (RFC 9211 2.3)."""
    left = floor(stored.lifetime) - int(stored.age(now))
    return left if stored.is_fresh(now) else min(-1, left)


def told(headers: list[Pair], said: bytes, now: float) -> list[Pair]:
    """Add our member behind those of the caches that the response came by before, and Date where it has none.

    RFC 9211 2; RFC 9110 6.6.1.
    """
    return [*headers, *missing_date(headers, now), (FIELD, said)]
