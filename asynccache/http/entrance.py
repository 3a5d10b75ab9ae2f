"""Where a request came in: what is needed to send the app another one like it, when a page is to be renewed.

The copy of the scope is made before anything below has routed the request or written into it. Only where some handler
has a policy that renews is anything noted at all.
"""

from __future__ import annotations

from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from asynccache.core.page_keys import READING
from asynccache.http.edge.note import EDGE_KEY
from asynccache.http.headers import Pair, lowered
from asynccache.http.reads import is_watched

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Scope = MutableMapping[str, Any]
    App = Callable[..., Awaitable[None]]

ENTRANCE_KEY = "asynccache.entrance"
_OF_SERVERS = frozenset({
    "type", "asgi", "http_version", "method", "scheme", "raw_path", "path", "query_string", "root_path", "headers",
    "client", "server",
})  # fmt: skip
_NOT_COPIED = frozenset({
    b"if-none-match", b"if-modified-since", b"if-match", b"if-unmodified-since", b"if-range", b"range",
    b"content-length", b"transfer-encoding", b"content-type", b"expect",
})  # fmt: skip

renewing: set[str] = set()
"""The names of the handlers whose pages are renewed."""


class Entrance(NamedTuple):
    """An app, and a request as it came to it: a copy of its scope, and the context in which it was answered."""

    app: App
    scope: Scope
    context: Context

    def copied(self) -> Scope:
        """Give the scope of a request like this: GET, without a body, and without conditions."""
        headers = without_conditions(self.scope["headers"])
        state = dict(self.scope.get("state") or {})
        return {**self.scope, "method": "GET", "headers": headers, "state": state, ENTRANCE_KEY: self}


def without_conditions(headers: Iterable[Iterable[bytes]]) -> list[Pair]:
    """Give the header of a request as if it had no body and came from a client that has nothing yet."""
    return [pair for pair in lowered(headers) if pair[0] not in _NOT_COPIED]  # whoever watched these is gone


def note_entrance(app: App, scope: Scope) -> None:
    """Note that a request came in here, before anybody has written into its scope; not below where it is watched."""
    if renewing and scope["type"] == "http" and scope["method"] in READING and not is_watched(scope):
        copied = {**scope, "state": dict(scope.get("state") or {})}
        copied.pop(EDGE_KEY, None)  # what is around the app waits for no answer to a copy
        scope[ENTRANCE_KEY] = Entrance(app, copied, copy_context())


def note_entrance_late(app: App, scope: Scope) -> None:
    """Note where a request came in, of which others have written into the scope: what is theirs is not copied."""
    if renewing and scope["method"] in READING:
        copied = {name: value for name, value in scope.items() if name in _OF_SERVERS}
        if raw_path := copied.get("raw_path"):
            copied["path"] = unquote(raw_path)
        scope[ENTRANCE_KEY] = Entrance(app, copied, copy_context())
