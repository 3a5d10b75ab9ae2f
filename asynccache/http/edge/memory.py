"""What one `CacheMiddleware` remembers of URLs, in this process: the latest few thousand."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynccache.http.edge.note import AnswersAtTheEdge

_REMEMBERED = 4096
_LONGEST_KEY = 2048
PASS_SECONDS = 60.0
"""How long nobody waits for the answer to a URL that could not be stored."""
HOPELESS = 3
"""So many answers in a row that could not be stored: then a shared store is not asked for the right to, either."""


class Memory:
    """Which URLs have answers that cannot be stored, and which have handlers that answer at the edge.

    Those of requests that carry an identity are apart: what is stored for nobody else says nothing of others.
    """

    __slots__ = ("_handlers", "_refused", "_shared")

    def __init__(self) -> None:
        self._refused: dict[tuple[str, bool], tuple[int, float]] = {}
        self._shared: dict[str, None] = {}
        self._handlers: dict[str, tuple[AnswersAtTheEdge, str, Any]] = {}

    def refused(self, key: str, *, is_private: bool) -> None:
        """Note that an answer to a URL could not be stored."""
        count, _ = self._live(key, is_private=is_private)
        if is_private:
            self._shared.pop(key, None)
        _put(self._refused, (key, is_private), (count + 1, monotonic() + PASS_SECONDS), len(key))

    def taken(self, key: str, *, is_private: bool) -> None:
        """Note that an answer to a URL could be stored."""
        self._refused.pop((key, is_private), None)
        if is_private:
            _put(self._shared, key, None, len(key))

    def passes(self, key: str, *, is_private: bool) -> bool:
        """Tell whether nobody is to wait for the answer to such a request, which is likely to be for one only."""
        if is_private and key not in self._shared:
            return True
        return self._live(key, is_private=is_private)[0] > 0

    def is_hopeless(self, key: str, *, is_private: bool) -> bool:
        """Tell whether the answers to such requests were not storable again and again."""
        return self._live(key, is_private=is_private)[0] >= HOPELESS

    def remember(self, key: str, remembered: tuple[AnswersAtTheEdge, str, Any]) -> None:
        """Let a handler answer requests of a URL before they are routed."""
        _put(self._handlers, key, remembered, len(key))

    def handler(self, key: str) -> tuple[AnswersAtTheEdge, str, Any] | None:
        """Give the handler that may answer requests of a URL."""
        return self._handlers.get(key)

    def _live(self, key: str, *, is_private: bool) -> tuple[int, float]:
        found = self._refused.get((key, is_private))
        return (0, 0.0) if found is None or found[1] < monotonic() else found


def _put(table: dict[Any, Any], key: Any, value: Any, size: int) -> None:
    """Keep it, and let the oldest go; a long key is not remembered at all."""
    if size > _LONGEST_KEY:
        return
    table.pop(key, None)
    if len(table) >= _REMEMBERED:
        with suppress(RuntimeError, StopIteration):  # another thread has just changed it
            table.pop(next(iter(table)), None)
    table[key] = value
