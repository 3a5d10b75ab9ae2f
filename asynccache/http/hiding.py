"""What a handler sees of a query: what its page is kept by, so that nothing else can get into the page.

The request is changed in place, for the time that the handler runs and its answer is made; whoever is around it, or is
handed a message on its way out, sees the query as it came.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, MutableMapping

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Send = Callable[[Message], Awaitable[None]]

_CACHED_BY_STARLETTE = ("_query_params", "_url")


class Hiding:
    """Hides a part of one request's query as long as the `with` lasts; it may be entered again afterwards.

    Args:
        put: puts a query into the request, wherever that keeps it.
        whole: the query as it came.
        kept: what is left of it.
    """

    __slots__ = ("_is_on", "_kept", "_put", "_whole")

    def __init__(self, put: Callable[[bytes], None], whole: bytes, kept: bytes) -> None:
        self._put = put
        self._whole = whole
        self._kept = kept
        self._is_on = False

    def __enter__(self) -> Self:
        self._is_on = True
        self._put(self._kept)
        return self

    def __exit__(self, *failure: object) -> None:
        self._is_on = False
        self._put(self._whole)

    @contextmanager
    def _lifted(self) -> Iterator[None]:
        self._put(self._whole)
        try:
            yield
        finally:
            if self._is_on:
                self._put(self._kept)

    def lifting(self, send: Send) -> Send:
        """Give a `send` for what is within the `with`: others see the whole query while they pass a message on."""

        async def lifted(message: Message) -> None:
            if self._is_on:
                with self._lifted():
                    await send(message)
            else:
                await send(message)

        return lifted


def hiding(scope: Scope, kept: bytes, *holders: Any) -> Hiding:
    """Hide all but this of the query of an ASGI scope, and of Starlette's requests that may have read it before."""
    return Hiding(partial(_put, scope, holders), scope["query_string"], kept)


def _put(scope: Scope, holders: tuple[Any, ...], query: bytes) -> None:
    scope["query_string"] = query
    for holder in holders:
        cached = getattr(holder, "__dict__", {})
        for name in _CACHED_BY_STARLETTE:
            cached.pop(name, None)
