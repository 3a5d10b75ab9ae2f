"""Functions of other libraries: called in the way they are written, told a lifetime under the name they have for it."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from inspect import Parameter, isawaitable, iscoroutinefunction, signature
from typing import TYPE_CHECKING, Any, TypeVar

from asynccache.core.keys import memcached_key
from asynccache.core.lifetime import memcached_exptime, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asynccache.plan.io import IO

T = TypeVar("T")
LONGEST_KEY = 200
"""Bytes of a key: libraries put their own prefix before it, and memcached takes 250 of both."""
_RELATIVE = ("timeout", "ttl", "ex")
_MEMCACHED = ("time", "expire")
"""Names under which libraries hand on what memcached reads: beyond 30 days a moment, not a distance."""


class Turns:
    """Lets plain calls for one key take turns: one whose caller was cancelled goes on in its thread.

    Otherwise what it sets could come after a delete that was called later.
    """

    def __init__(self) -> None:
        self._begin_anew()

    def call(self, function: Callable[..., T], key: str, *args: Any, **options: Any) -> T:
        """Call it, after those that were called before."""
        if self._pid != os.getpid():
            self._begin_anew()
        with self._locks[hash(key) % len(self._locks)]:
            return function(key, *args, **options)

    def _begin_anew(self) -> None:
        self._locks = [threading.RLock() for _ in range(64)]
        self._pid = os.getpid()


class Foreign:
    """A function of somebody else's: plain, asynchronous, or one of each.

    `turns` are those that plain calls take; none take any unless it is set.
    """

    turns: Turns | None = None

    def __init__(
        self, plain: Callable[..., Any] | None = None, on_loop: Callable[..., Awaitable[Any]] | None = None
    ) -> None:
        self._plain = plain
        self._on_loop = on_loop
        self._lifetime_name = next((_lifetime_name(one) for one in (plain, on_loop) if one is not None), None)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Foreign:
        """Find out which of the two it is."""
        is_async = iscoroutinefunction(function) or iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004  # to see how it is written
        return cls(on_loop=function) if is_async else cls(function)

    @property
    def is_written(self) -> bool:
        """Whether there is one at all."""
        return (self._plain or self._on_loop) is not None

    async def call(self, io: IO, *args: Any, **options: Any) -> Any:
        """Call it, a plain one in a worker thread where a loop runs, and wait for what is to be waited for."""
        if self._plain is None:
            return await io.call(self._on_loop, *args, **options)  # type: ignore[arg-type]  # the one that is written
        if self._on_loop is not None:
            return await io.twin(partial(self._plain, *args, **options), partial(self._on_loop, *args, **options))
        plain = self._plain if self.turns is None else partial(self.turns.call, self._plain)
        result = await io.offload(plain, *args, **options)
        return await io.call(lambda: result) if isawaitable(result) else result

    def lifetime(self, ttl: float) -> dict[str, int]:
        """Give the argument that tells this function how long an entry lives; none where it takes none."""
        if self._lifetime_name is None:
            return {}
        now = time.time()
        seconds = whole_seconds(ttl, now)
        return {self._lifetime_name: memcached_exptime(seconds, now) if self._lifetime_name in _MEMCACHED else seconds}


def foreign_key(stored_key: str) -> str:
    """Give a key that any library takes: no blank, no control, ASCII only, and not too long."""
    return memcached_key(stored_key, LONGEST_KEY).decode("ascii")


def _lifetime_name(function: Callable[..., Any]) -> str | None:
    try:
        parameters = signature(function).parameters
    except (TypeError, ValueError):  # written in C, and does not tell
        return None
    by_name = {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}
    named = {name for name, known in parameters.items() if known.kind in by_name}
    return next((name for name in (*_RELATIVE, *_MEMCACHED) if name in named), None)
