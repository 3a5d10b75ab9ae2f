"""`@cached`: what functions and methods return, from the store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine
from dataclasses import dataclass
from inspect import (
    isasyncgenfunction,
    isclass,
    iscoroutinefunction,
    isfunction,
    isgeneratorfunction,
    signature,
)
from typing import Any, ParamSpec, TypeVar, overload

from asynccache.calls import CachedCalls, CachedCoroutine, CachedFunction, CallSettings
from asynccache.core.arguments import Arguments, ClassArguments
from asynccache.core.lifetime import Ttl
from asynccache.core.names import full_name
from asynccache.core.policy import CachePolicy, merged
from asynccache.core.tags import TagTemplates
from asynccache.errors import ConfigurationError
from asynccache.scopes import Scope

P = ParamSpec("P")
T = TypeVar("T")


def cached(
    ttl: Ttl = None,
    *,
    key: Callable[..., Any] | None = None,
    ignore: Collection[str] = (),
    name: str | None = None,
    version: str | int | None = None,
    backend: str = "default",
    tags: Collection[str] = (),
    policy: CachePolicy | None = None,
    enabled: bool = True,
) -> Cached:
    """Store what a function returns, by its name and its arguments; for functions, coroutines and methods.

    The service is that of the app whose request is being handled, else that of the innermost `with CacheService(...)`;
    it is looked for at each call. Of all calls with the same arguments at a time, one runs the function. An exception
    is not stored.

    Args:
        ttl: seconds or a `timedelta`; `None`: that of the policy, else the backend's default; `FOREVER`.
        key: called with the same arguments, gives what stands for them in the key, such as a str or a tuple.
        ignore: names of parameters that are no part of the key; those marked `Inject[...]` or `Depends(...)` never are.
        name: stands for the module-qualified name of the function in the key.
        version: of the entries; `None`: the backend's.
        backend: the name of the backend.
        tags: names under which entries are invalidated together; in them `{user_id}` stands for the argument of that
            name, as an f-string writes it. `current_load().tags` inside the function adds to them.
        policy: see `CachePolicy`; an explicit `ttl` beats its own.
        enabled: False calls the function each time and touches no store.

    The function keeps its signature, and has `key(...)`, `invalidate(...)`, `invalidate_async(...)`, `refresh(...)` and
    `refresh_async(...)`, all with its own arguments. A method's object is told from others by its `__cache_key__()`,
    or by its fields, if it is a frozen dataclass.

    Raises `ConfigurationError` or `TypeError` at once for what cannot work: generators, a request among the parameters,
    a method of objects that nothing tells apart.
    """
    if callable(ttl):
        raise ConfigurationError("@cached without parentheses: write @cached() or @cached(ttl=60)")
    chosen = merged(policy, ttl)
    if version is not None and type(version) not in {str, int}:
        raise TypeError(f"version={version!r}: give a str or an int")
    _check_naming(key, ignore, name)
    if not isinstance(enabled, bool):
        raise TypeError(f"enabled={enabled!r}: give True or False")
    return Cached(CallSettings(chosen, version, backend, enabled, TagTemplates(tags)), key, tuple(ignore), name)


@dataclass(frozen=True, slots=True)
class Cached:
    """The decorator that `cached(...)` returns."""

    settings: CallSettings
    key: Callable[..., Any] | None
    ignore: tuple[str, ...]
    name: str | None

    @overload
    def __call__(  # type: ignore[overload-overlap]  # what returns a coroutine is a coroutine function
        self, function: Callable[P, Coroutine[Any, Any, T]]
    ) -> CachedCoroutine[P, T]: ...
    @overload
    def __call__(self, function: Callable[P, T]) -> CachedFunction[P, T]: ...
    def __call__(self, function: Any) -> Any:
        """Decorate a function or a method."""
        if isinstance(function, staticmethod):
            return staticmethod(self._decorated(function.__func__))
        if isinstance(function, classmethod):
            return self._decorated(function.__func__, of_class=True)
        return self._decorated(function)

    def _decorated(self, function: Any, *, of_class: bool = False) -> Any:
        _check(function)
        if function.__name__ == "<lambda>" and self.name is None:
            raise ConfigurationError("@cached on a lambda, which has no name: give it one with name=...")
        scope = Scope(function, is_told=self.key is not None)
        make = ClassArguments if scope.is_of_class else Arguments
        arguments = make(self.name or full_name(function), signature(function), self._left_out(scope), self.key)
        arguments.check_names(self.settings.tags.names)
        kind = CachedCoroutine if iscoroutinefunction(function) else CachedFunction
        return kind(function, arguments, self.settings, scope, of_class=of_class)

    def _left_out(self, scope: Scope) -> set[str]:
        unknown = [name for name in self.ignore if not scope.takes(name)]
        if unknown:
            raise ConfigurationError(f"@cached on {scope.name}: ignore has {unknown}, which it does not take")
        scope.left_out |= set(self.ignore)
        return scope.left_out


def _check_naming(key: object, ignore: object, name: object) -> None:
    if isinstance(ignore, str):
        raise TypeError(f"ignore={ignore!r}: give a list of names")
    if key is not None and (not callable(key) or iscoroutinefunction(key)):
        raise TypeError(f"key={key!r:.80}: give a plain function of the arguments")
    if name is not None and (not isinstance(name, str) or not name or "(" in name):
        raise ConfigurationError(f"name={name!r}: give a str without parentheses")


def _check(function: Any) -> None:
    """Raise `ConfigurationError` for what cannot be cached."""
    if isinstance(function, CachedCalls):
        raise ConfigurationError(f"@cached twice on {function!r}: once is enough")
    if isclass(function) or not isfunction(function):
        raise ConfigurationError(f"@cached on {function!r:.80}: it is for functions and methods")
    if isgeneratorfunction(function) or isasyncgenfunction(function):
        raise ConfigurationError(f"@cached on the generator {function.__qualname__}: return a list of what it yields")
