"""Wrappers of handlers that frameworks take for the handlers themselves."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, get_type_hints

from starlette.websockets import WebSocket

from asynccache.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Give the annotations, resolved where the names in them are known by now."""
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError):
        return dict(getattr(function, "__annotations__", {}))


def like(function: Callable[..., Any], wrapper: Callable[..., Any], hints: dict[str, Any]) -> Callable[..., Any]:
    """Let a wrapper look like a function, whose annotations are these."""
    functools.update_wrapper(wrapper, function)
    signature = inspect.signature(function)
    shown = [
        known.replace(annotation=hints.get(name, known.annotation)) for name, known in signature.parameters.items()
    ]
    wrapper.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    wrapper.__annotations__ = hints
    return wrapper


def check_is_handler(target: Any, decorator: str, instead: str) -> None:
    """Find what is no handler of HTTP requests.

    Args:
        target: what is decorated.
        decorator: with what.
        instead: what to do instead of a generator.

    Raises `TypeError` for what is no function, `ConfigurationError` for generators and websockets.
    """
    if not (inspect.isfunction(target) or inspect.ismethod(target)):
        raise TypeError(f"{decorator} on {target!r}: it is for functions, methods and controller classes")
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise ConfigurationError(f"{decorator} on the generator {target.__qualname__}: {instead}")
    sockets = [hint for hint in hints_of(target).values() if inspect.isclass(hint) and issubclass(hint, WebSocket)]
    if sockets or "websocket" in inspect.signature(target).parameters:
        raise ConfigurationError(
            f"{decorator} on {target.__qualname__}, a websocket: only HTTP has responses that can be cached"
        )
