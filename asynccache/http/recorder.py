"""Starlette: a response around a response, whose messages go through the tee. Innermost by construction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from asynccache.http.capture import record
from asynccache.http.mark import Mark

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from asynccache.http.hiding import Hiding

_OWN = frozenset({"_inner", "_mark", "_label", "_hiding"})


class Recorder(Response):
    """Is the inner response in all but how it is sent."""

    def __init__(self, inner: Any, mark: Mark | None, label: bytes, hiding: Hiding | None = None) -> None:
        self._inner = inner
        self._hiding = hiding
        self._mark = mark
        self._label = label

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN or name.startswith("__"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_inner"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            object.__setattr__(self, name, value)
        else:
            setattr(self._inner, name, value)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the inner response through the tee."""
        mark, self._mark = self._mark, None
        if self._hiding is None:
            await record(mark, self._label, self._inner, scope, receive, send)
        else:
            with self._hiding as hiding:
                await record(mark, self._label, self._inner, scope, receive, hiding.lifting(send))
