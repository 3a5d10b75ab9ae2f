"""What one request asks for: its key, and what else decides whether a stored page answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asynccache.core.page_keys import READING, scope_location
from asynccache.http.carried import carried_login, has_own_state, has_session
from asynccache.http.current import installed
from asynccache.http.headers import Pair
from asynccache.http.replies import ASKING
from asynccache.http.snapshot import EMPTY_SESSION, NO_RANGE, NO_USER, SHARED, SHARED_STATE, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, MutableMapping

    from asynccache.core.query import Parameters

    Scope = MutableMapping[str, Any]

NOTED = frozenset({
    b"host", b"authorization", b"range", b"if-none-match", b"if-modified-since",
    b"content-length", b"transfer-encoding",
})  # fmt: skip
Owner = tuple[str, str, str]
"""The handler, and the root path and path that it sees, whatever the URL was."""
_REMEMBERED = 4096
_SHORT = 512


class Keys:
    """The keys and owners of one handler's pages; those of GET are remembered for the requests that come often.

    Args:
        handler: its name.
        prefix: of each key, as it is written in front.
        parameters: of the query that pages are kept by; None: all that there are.
    """

    __slots__ = ("_handler", "_prefix", "known", "parameters")

    def __init__(self, handler: str, prefix: str, parameters: Parameters | None = None) -> None:
        self._handler = handler
        self._prefix = prefix
        self.parameters = parameters
        self.known: dict[tuple[object, ...], tuple[str, Owner]] = {}

    def kept(self, query: bytes) -> bytes:
        """Give what pages are kept by of a query."""
        return query if self.parameters is None else self.parameters.kept(query)

    def of(self, scope: Scope, host: bytes | None) -> tuple[str, Owner]:
        """Give the key of a request, by its Host field, and whose page it asks for."""
        root_path = scope.get("root_path")
        scheme, query = scope.get("scheme", "http"), self.kept(scope.get("query_string", b""))
        asked = (scheme, host, scope.get("raw_path"), scope["path"], query, root_path)
        known = self.known.get(asked)
        if known is not None and scope["method"] in READING:
            return known
        owner = (self._handler, root_path or "", scope["path"])
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        key = f"{self._prefix}{method} {scope_location(scope, host, query)}"
        if method == "GET" and host is not None and len(key) <= _SHORT:
            if len(self.known) >= _REMEMBERED:
                self.known.clear()
            self.known[asked] = (key, owner)
        return key, owner


class OneKey(NamedTuple):
    """The key and the owner that are known beforehand, whatever the request is."""

    key: str
    owner: Owner

    def of(self, scope: Scope, host: bytes | None) -> tuple[str, Owner]:
        """Give them."""
        del scope, host
        return self


class Ask:
    """One request, seen in one pass over its headers.

    `key` is without the body's digest, which methods other than GET and HEAD need.
    `spoken` is the identity that its key holds; `is_private`: it carries Authorization, and nobody spoke for it.
    """

    __slots__ = ("_noted", "headers", "is_private", "key", "method", "owner", "scope", "spoken")

    def __init__(self, scope: Scope, keys: Keys | OneKey) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.headers: list[Pair] = scope["headers"]
        self.spoken: frozenset[str] = frozenset()
        noted: dict[bytes, bytes] = {}
        for name, value in self.headers:
            if name in NOTED:
                noted[name] = noted[name] + b"," + value if name in noted else value
        self._noted = noted
        self.is_private = b"authorization" in noted
        self.key, self.owner = keys.of(scope, noted.get(b"host"))

    @property
    def wants_range(self) -> bool:
        """Whether only a part is asked for."""
        return b"range" in self._noted

    @property
    def wants_all(self) -> bool:
        """Whether it is answered by all of a page, whatever the client has already."""
        return self.method == "GET" and ASKING.isdisjoint(self._noted)

    def body_length(self) -> int | None:
        """Give the length of the request's body; None where that is not said beforehand."""
        noted = self._noted
        if b"transfer-encoding" in noted or (b"content-length" not in noted and not self._is_http1()):
            return None
        try:
            return int(noted.get(b"content-length", b"0"))
        except ValueError:
            return None

    def _is_http1(self) -> bool:
        return str(self.scope.get("http_version", "1.1")).startswith("1")

    def carries_body(self) -> bool:
        """Tell whether there is or may be a body."""
        noted = self._noted
        return (b"content-length" in noted or b"transfer-encoding" in noted) and self.body_length() != 0

    def fits(self, record: Record) -> bool:
        """Tell whether this page is a variant for this request."""
        if record.owner != self.owner:
            return False
        return not record.names or values_of(self.headers, record.names) == record.values

    def is_answered_by(self, record: Record) -> bool:
        """Tell whether this page answers the request."""
        return self.fits(record) and not self.is_barred(record)

    def is_personal(self) -> bool:
        """Tell whether somebody's session or user comes with it."""
        return has_session(self.scope) or carried_login(self.scope) is not None

    def is_barred(self, record: Record) -> bool:
        """Tell whether this page, though it fits, was made for requests that carry less."""
        conditions = record.conditions
        if self.is_private and not conditions & SHARED:
            return True
        if not conditions & ~SHARED:
            return False
        return bool(
            (conditions & EMPTY_SESSION and has_session(self.scope))
            or (conditions & NO_USER and carried_login(self.scope))
            or (conditions & NO_RANGE and self.wants_range)
            or (conditions & SHARED_STATE and has_own_state(self.scope, installed(self.scope).lifespan_state))
        )


def values_of(headers: Iterable[Pair], names: tuple[bytes, ...]) -> tuple[bytes | None, ...]:
    """Give the values of these fields, the lines of each joined; None for an absent one.

    Lines are not joined by a comma: a handler that takes the first line is answered otherwise by `a, b` in one.
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in names:
            found[name] = found[name] + b"\n" + value if name in found else value
    return tuple(map(found.get, names))
