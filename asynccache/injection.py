"""`@inject`: parameters annotated with `Inject[...]` are filled in, and hidden from the framework."""

from __future__ import annotations

import functools
import inspect as introspection
import re
from contextlib import aclosing, suppress
from dataclasses import dataclass
from inspect import Parameter
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from injector import Inject, get_bindings

from asynccache.current import at_work
from asynccache.errors import ConfigurationError
from asynccache.http.current import Installed, installed

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")

__all__ = ["Inject", "inject"]


def inject(handler: F) -> F:
    """Fill the `Inject[...]` parameters of a handler or a controller's method from the app's injector.

    The injector is that of the app whose request is among the arguments, or is `self.request` or has `self.scope`; else
    that of the app at work, for handlers that take no request. Sync handlers stay sync, generators generators. Raises
    `ConfigurationError` where nothing is annotated with `Inject`, and for what is no function.
    """
    if isinstance(handler, staticmethod | classmethod):
        return cast("F", type(handler)(inject(handler.__func__)))
    function = _function(handler)
    fill = _filling(handler, function)
    filled = functools.wraps(function)(_wrapped(handler, fill))
    signature = introspection.signature(handler)
    shown = [parameter for name, parameter in signature.parameters.items() if name not in fill.wanted]
    filled.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    filled.__annotations__ = {name: hint for name, hint in function.__annotations__.items() if name not in fill.wanted}
    return cast("F", filled)


@dataclass(frozen=True, slots=True)
class _Filling:
    """What a handler is to be given: `wanted` by parameter, and the names of all that are taken by position."""

    wanted: dict[str, Any]
    positional: list[str]
    shown: list[str]

    def __call__(self, args: tuple[Any, ...], given: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Give the arguments of a call with those that are missing."""
        named = self.positional[: len(args)]
        if named != self.shown[: len(args)] and len(args) <= len(self.shown):  # the caller knows of no others
            args, given, named = (), dict(zip(self.shown, args, strict=False)) | given, []
        self._check(named, args)
        missing = [name for name in self.wanted if name not in given and name not in named]
        if not missing:
            return args, given
        injector = _installed(args, given).injector
        return args, given | {name: injector.get(self.wanted[name]) for name in missing}

    def _check(self, named: list[str], args: tuple[Any, ...]) -> None:
        """Find a request that comes where something is to be injected: the framework calls with it, none is taken."""
        for name, argument in zip(named, args, strict=False):
            if name in self.wanted and _scope_of(argument) is not None:
                raise ConfigurationError(
                    f"@inject: the framework gives its request to a handler that takes none but {name!r}: "
                    "write e.g. (request, cache: Inject[...])"
                )


def _wrapped(handler: Callable[..., Any], fill: _Filling) -> Callable[..., Any]:
    """Give a function of the same kind that fills in what is missing."""

    async def awaited(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = fill(args, kwargs)
        return await handler(*args, **kwargs)

    def generated(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = fill(args, kwargs)
        return (yield from handler(*args, **kwargs))

    async def generated_async(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = fill(args, kwargs)
        async with aclosing(handler(*args, **kwargs)) as items:
            async for item in items:
                try:
                    yield item
                except Exception as error:  # noqa: BLE001  # the handler's own `except` and `finally` decide
                    with suppress(StopAsyncIteration):
                        await items.athrow(error)

    def plain(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = fill(args, kwargs)
        return handler(*args, **kwargs)

    if introspection.iscoroutinefunction(handler):
        return awaited
    if introspection.isgeneratorfunction(handler):
        return generated
    return generated_async if introspection.isasyncgenfunction(handler) else plain


def _function(handler: Callable[..., Any]) -> Callable[..., Any]:
    """Give the function of a handler, which may be a partial one."""
    function = handler.func if isinstance(handler, functools.partial) else handler
    if not (introspection.isfunction(function) or introspection.ismethod(function)):
        raise ConfigurationError(f"@inject on {handler!r:.80}: it is for functions and methods")
    return function


def _filling(handler: Callable[..., Any], function: Callable[..., Any]) -> _Filling:
    settled = handler.keywords if isinstance(handler, functools.partial) else {}
    parameters = introspection.signature(handler).parameters
    wanted = {name: kind for name, kind in _bindings(function).items() if name in parameters and name not in settled}
    if not wanted:
        raise ConfigurationError(
            f"@inject on {function.__qualname__}, none of whose parameters is annotated with Inject[...]: "
            "write e.g. cache: Inject[ICacheService]"
        )
    kinds = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    positional = [name for name, parameter in parameters.items() if parameter.kind in kinds]
    return _Filling(wanted, positional, [name for name in positional if name not in wanted])


def _bindings(function: Callable[..., Any]) -> dict[str, Any]:
    """Find what is annotated with `Inject[...]`; other annotations may have names that only type checkers import."""
    hints = dict(function.__annotations__)
    legible = function
    while True:
        try:
            return get_bindings(legible)
        except NameError as unknown:
            name = re.compile(rf"\b{unknown.name}\b")
            others = [key for key, hint in hints.items() if name.search(str(hint)) and "Inject[" not in str(hint)]
            if not others:
                raise ConfigurationError(
                    f"@inject on {function.__qualname__}: {unknown}; import or define it above, and not for type "
                    "checkers only"
                ) from unknown
            hints = {key: hint for key, hint in hints.items() if key not in others}
            legible = _annotated(function, hints)


def _annotated(function: Callable[..., Any], hints: dict[str, Any]) -> Callable[..., Any]:
    """Give a function like this one, with these annotations."""
    origin: Any = introspection.unwrap(function)
    twin = FunctionType(origin.__code__, origin.__globals__, origin.__name__, origin.__defaults__, origin.__closure__)
    twin.__kwdefaults__ = origin.__kwdefaults__
    twin.__annotations__ = hints
    return twin


def _installed(args: tuple[Any, ...], given: dict[str, Any]) -> Installed:
    for argument in (*args, *given.values()):
        scope = _scope_of(argument)
        if scope is not None:
            return installed(scope)
    found = at_work()
    if found is None:
        raise ConfigurationError(
            "@inject found no request among the arguments, and no app at work that a cache is installed on: take a "
            "request, be a method of an endpoint, or install a cache on the app"
        )
    return found  # type: ignore[no-any-return]


def _scope_of(argument: Any) -> Any:
    """Give the ASGI scope of a request, or of what has one; None where there is none."""
    scope = getattr(argument, "scope", None) or getattr(getattr(argument, "request", None), "scope", None)
    return scope if isinstance(scope, dict) else None
