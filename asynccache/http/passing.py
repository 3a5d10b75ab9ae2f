"""Which passage a wrapper is called in: the nearest."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from contextvars import Token

    from starlette.types import Scope

    from asynccache.http.passage import Passage

passing: ContextVar[Passage | None] = ContextVar("asynccache_passage", default=None)
_AS_IT_IS = nullcontext()


def on_its_own(scope: Scope) -> AbstractContextManager[None]:
    """Keep a request to an app of its own, which a handler makes in this process, out of that handler's passage."""
    passage = passing.get()
    return _AS_IT_IS if passage is None or passage.scope is scope else _nowhere()


@contextmanager
def _nowhere() -> Iterator[None]:
    token = passing.set(None)
    try:
        yield
    finally:
        leave(token)


def leave(token: Token[Passage | None]) -> None:
    """Be again in the passage that was the nearest before."""
    try:
        passing.reset(token)
    except ValueError:  # an abandoned request that is cleared away in a foreign context, which stays as it is
        return
