"""What a handler with `@Cache` and the `CacheMiddleware` around it tell each other, for one request.

The middleware puts a `Note` into the scope, and reads it when the head of the answer comes by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from asynccache.core.tags import tagged

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from asynccache.http.headers import Pair

    Scope = MutableMapping[str, Any]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

EDGE_KEY = "asynccache.edge"


class AnswersAtTheEdge(Protocol):
    """A handler whose stored pages may be sent before a request is routed: `@Cache(edge=True)`.

    `key` and `owner` are what it had remembered for an earlier request of the same URL. Nothing may be raised for the
    sake of the store; what `send` raises goes on.
    """

    def reply_at_edge(self, scope: Scope, key: str, owner: Any) -> tuple[int, list[Pair], bytes] | None:
        """Give the stored page that answers this plain GET, if it lies in memory: its status, headers and body.

        None: `answer_at_edge` may know.
        """
        ...

    async def answer_at_edge(self, scope: Scope, send: Send, key: str, owner: Any) -> bool:
        """Send the stored page that answers this request, if there is one; nothing was sent where this is False."""
        ...


class Note:
    """One request on its way from a `CacheMiddleware` to its app.

    `tags` are those of what the middleware stores, `forbidden` tells why it is not to store the answer, `is_anonymous`
    that requests with Authorization are not answered by it, and `remembered` who may answer the next request of this
    URL.

    Args:
        scope: of the request, as the middleware passes it on.
        outer: the note of the `CacheMiddleware` around this one, which is told the same.
    """

    __slots__ = ("_located", "forbidden", "is_anonymous", "outer", "remembered", "tags")

    def __init__(self, scope: Scope | None = None, outer: Note | None = None) -> None:
        self._located = None if scope is None else _located(scope, scope["headers"])
        self.outer = outer
        self.tags: tuple[str, ...] = ()
        self.forbidden = ""
        self.is_anonymous = False
        self.remembered: tuple[AnswersAtTheEdge, str, Any] | None = None

    def is_elsewhere(self, scope: Scope, headers: Iterable[Pair]) -> bool:
        """Tell whether somebody in between took the request for one to another place, by whatever field it has."""
        return self._located is not None and self._located != _located(scope, headers)

    def add_tags(self, tags: Iterable[str]) -> None:
        """Give what the middleware stores of this answer these tags, too."""
        more = tagged(tags)
        self.tags = tagged((*self.tags, *more))
        if self.outer is not None:
            self.outer.add_tags(more)

    def forbid(self, why: str) -> None:
        """Keep the middleware from storing this answer, whatever its headers allow: it may be one visitor's own."""
        self.forbidden = why
        if self.outer is not None:
            self.outer.forbid(why)

    def keep_anonymous(self) -> None:
        """Keep what is stored of this answer from requests with Authorization, as the handler itself does."""
        self.is_anonymous = True
        if self.outer is not None:
            self.outer.keep_anonymous()

    def remember(self, handler: AnswersAtTheEdge, key: str, owner: Any) -> None:
        """Let this handler answer later requests of this URL before they are routed."""
        self.remembered = (handler, key, owner)
        if self.outer is not None:
            self.outer.remember(handler, key, owner)


def _located(scope: Scope, headers: Iterable[Pair]) -> tuple[object, ...]:
    hosts = [value for name, value in headers if name == b"host"]
    return scope.get("scheme"), hosts, scope.get("raw_path") or scope["path"]


def note_in(scope: Scope) -> Note | None:
    """Find the note of the nearest `CacheMiddleware` around; None where there is none."""
    note: Note | None = scope.get(EDGE_KEY)
    return note
