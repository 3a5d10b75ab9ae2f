"""Frameworks whose handlers take no request: where they serve one, they answer for a cached handler themselves.

They call handlers in threads as well, and so may decorators above `@Cache` do: the wrapper of a sync handler is then
to answer at once. Everywhere else it is awaited, and to look like a coroutine function.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import CO_COROUTINE
from types import FunctionType
from typing import TYPE_CHECKING, Any

from starlette.requests import HTTPConnection

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asynccache.http.handler import Handler


@dataclass(frozen=True, slots=True)
class Views:
    """How one framework answers: whether it `serves` a request here, and what a cached handler answers to it."""

    serves: Callable[[], bool]
    answer: Callable[[Handler, tuple[Any, ...], dict[str, Any]], Awaitable[Any]]
    answer_at_once: Callable[[Handler, tuple[Any, ...], dict[str, Any]], Any] | None = None


frameworks: list[Views] = []
"""Those whose integration was imported."""


def serving(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Views | None:
    """Find the framework that serves a request here and now; who is given a request is called by another one."""
    if any(isinstance(argument, HTTPConnection) for argument in (*args, *kwargs.values())):
        return None
    return next((views for views in frameworks if views.serves()), None)


def callable_at_once(cached: Callable[..., Awaitable[Any]], handler: Handler) -> Callable[..., Any]:
    """Make a wrapper that answers at once where a framework calls handlers so, and else gives what is to be awaited."""

    def called(*args: Any, **kwargs: Any) -> Any:
        views = serving(args, kwargs) if frameworks else None
        if views is not None and views.answer_at_once is not None:
            return views.answer_at_once(handler, args, kwargs)
        return cached(*args, **kwargs)

    return _like_a_coroutine_function(called)


def _like_a_coroutine_function(function: Any) -> Callable[..., Any]:
    """Give the same function with the flag by which `inspect.iscoroutinefunction` knows what is to be awaited."""
    code = function.__code__.replace(co_flags=function.__code__.co_flags | CO_COROUTINE)
    return FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
