"""A request, as the rules of a shared cache see it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.core.page_keys import READING
from asynccache.http.cache_control import CacheControl
from asynccache.http.headers import Pair, grouped

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["READING", "SAFE", "Request"]

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
"""The methods that are known to change nothing (RFC 9110 9.2.1)."""
_NOTHING = CacheControl(())


class Request:
    """Method, fields and URL of a request; nothing of it is read before it is asked for.

    Args:
        method: in upper case, as ASGI has it.
        headers: the field lines in order, names in lower case.
        url: the target, absolute: `https://host/path?query`, by the scheme and the host that the cache keys by.
    """

    __slots__ = ("_control", "_lines", "headers", "method", "url")

    def __init__(self, method: str, headers: Sequence[Pair], url: str = "") -> None:
        self.method = method
        self.headers = headers
        self.url = url
        self._lines: dict[bytes, list[bytes]] | None = None
        self._control: CacheControl | None = None

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"

    def lines(self, name: bytes) -> Sequence[bytes]:
        """Give the values of every line of a field, in order; none where it is absent."""
        return self._by_name().get(name, ())

    def has(self, name: bytes) -> bool:
        """Tell whether the field is there, be it empty."""
        return name in self._by_name()

    def has_any(self, names: frozenset[bytes]) -> bool:
        """Tell whether one of these fields is there."""
        return not names.isdisjoint(self._by_name())

    @property
    def control(self) -> CacheControl:
        """What its Cache-Control says (RFC 9111 5.2.1)."""
        if self._control is None:
            lines = self.lines(b"cache-control")
            self._control = CacheControl.of(lines) if lines else _NOTHING
        return self._control

    @property
    def has_content(self) -> bool:
        """Tell whether its head announces content; in a GET that means nothing by itself (RFC 9110 9.3.1)."""
        if self.has(b"transfer-encoding"):
            return True
        return any(line.strip(b" \t") != b"0" for line in self.lines(b"content-length"))

    @property
    def insists(self) -> bool:
        """Tell whether it asks for an answer of the app: no-cache, or Pragma alone (RFC 9111 5.2.1.4, 5.4)."""
        if self.has(b"cache-control"):
            return self.control.has(b"no-cache")
        return self.has(b"pragma") and CacheControl.of(self.lines(b"pragma")).has(b"no-cache")

    def _by_name(self) -> dict[bytes, list[bytes]]:
        if self._lines is None:
            self._lines = grouped(self.headers)
        return self._lines
