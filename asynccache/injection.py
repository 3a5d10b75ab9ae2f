"""`@inject`: parameters annotated with `Inject[...]` are filled in, and hidden from the framework."""

from __future__ import annotations

import functools
import inspect as introspection
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeVar, cast

from injector import Inject, get_bindings

from asynccache.errors import ConfigurationError
from asynccache.http.current import installed

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = ["Inject", "inject"]


def inject(handler: F) -> F:
    """Fill the `Inject[...]` parameters of a handler or a controller's method from the app's injector.

    The injector is that of the app that serves the request, which must be among the arguments or be `self.request` or
    `self.scope`. Sync handlers stay sync. Raises `ConfigurationError` where nothing is annotated with `Inject`.
    """
    wanted = _wanted(handler)
    if iscoroutinefunction(handler):

        @functools.wraps(handler)
        async def filled(*args: Any, **kwargs: Any) -> Any:
            return await handler(*args, **_filled(wanted, args, kwargs))
    else:

        @functools.wraps(handler)
        def filled(*args: Any, **kwargs: Any) -> Any:
            return handler(*args, **_filled(wanted, args, kwargs))

    signature = introspection.signature(handler)
    shown = [parameter for name, parameter in signature.parameters.items() if name not in wanted]
    filled.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    filled.__annotations__ = {name: hint for name, hint in handler.__annotations__.items() if name not in wanted}
    return cast("F", filled)


def _wanted(handler: Callable[..., Any]) -> dict[str, Any]:
    try:
        wanted = get_bindings(handler)
    except NameError as unknown:
        raise ConfigurationError(
            f"@inject on {handler.__qualname__}: {unknown}; define it above the handler"
        ) from unknown
    if not wanted:
        raise ConfigurationError(
            f"@inject on {handler.__qualname__}, none of whose parameters is annotated with Inject[...]: "
            "write e.g. cache: Inject[ICacheService]"
        )
    if not introspection.signature(handler).parameters.keys() - wanted.keys():
        raise ConfigurationError(
            f"@inject on {handler.__qualname__}, which takes no request: write e.g. (request, cache: Inject[...])"
        )
    return wanted


def _filled(wanted: dict[str, Any], args: tuple[Any, ...], given: dict[str, Any]) -> dict[str, Any]:
    missing = [name for name in wanted if name not in given]
    if not missing:
        return given
    injector = installed(_scope(args, given)).injector
    return given | {name: injector.get(wanted[name]) for name in missing}


def _scope(args: tuple[Any, ...], given: dict[str, Any]) -> Any:
    for argument in (*args, *given.values()):
        scope = getattr(argument, "scope", None) or getattr(getattr(argument, "request", None), "scope", None)
        if isinstance(scope, dict):
            return scope
    raise ConfigurationError("@inject found no request among the arguments: take one, or be a method of an endpoint")
