"""The two ways of waiting, and `run`, which finishes a plan off a loop.

On a loop a plan is an ordinary coroutine. Off a loop it is given `BLOCKING`, none of whose awaits ever suspends,
so that one `send(None)` finishes it: about a microsecond, no loop, no thread.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeVar

from asynccache.plan.portal import portal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")


class IO(ABC):
    """How a plan waits."""

    @abstractmethod
    async def call(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        """Call what is plain or asynchronous, and wait for it if it is to be waited for."""

    @abstractmethod
    async def offload(self, function: Callable[..., T], /, *args: Any, **options: Any) -> T:
        """Call a function that blocks, without blocking a loop."""

    @abstractmethod
    async def twin(self, plain: Callable[..., Any], asynchronous: Callable[..., Any], /, *args: Any) -> Any:
        """Call that one of a pair which fits this way of waiting."""

    @abstractmethod
    def pick(self, blocking: T, on_loop: T) -> T:
        """Choose that one of a pair of clients which fits this way of waiting."""


class _Blocking(IO):
    async def call(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        return portal.finish(result) if isawaitable(result) else result

    async def offload(self, function: Callable[..., T], /, *args: Any, **options: Any) -> T:
        return function(*args, **options)

    async def twin(self, plain: Callable[..., Any], asynchronous: Callable[..., Any], /, *args: Any) -> Any:
        del asynchronous
        return plain(*args)

    def pick(self, blocking: T, on_loop: T) -> T:
        del on_loop
        return blocking


class _Loop(IO):
    async def call(self, function: Callable[..., Any], /, *args: Any, **options: Any) -> Any:
        result = function(*args, **options)
        return await result if isawaitable(result) else result

    async def offload(self, function: Callable[..., T], /, *args: Any, **options: Any) -> T:
        from functools import partial

        from asynccache.plan.threads import in_thread

        return await in_thread(partial(function, *args, **options))

    async def twin(self, plain: Callable[..., Any], asynchronous: Callable[..., Any], /, *args: Any) -> Any:
        del plain
        return await asynchronous(*args)

    def pick(self, blocking: T, on_loop: T) -> T:
        del blocking
        return on_loop


BLOCKING: IO = _Blocking()
LOOP: IO = _Loop()


def run(plan: Coroutine[Any, Any, T]) -> T:
    """Finish a plan that was given `BLOCKING`; a plan that suspends all the same is a defect and raises."""
    try:
        plan.send(None)
    except StopIteration as finished:
        return finished.value  # type: ignore[no-any-return]  # StopIteration does not carry its type
    plan.close()
    raise RuntimeError(f"{plan!r} awaited something that is not its io")
