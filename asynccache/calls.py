"""What `@cached` makes of a function: itself, and beside it its keys, their invalidation and renewal.

These are objects, not functions, so that type checkers know what they have and methods know what they are bound to;
they look like functions to `inspect` and the frameworks, and pickle by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, update_wrapper
from inspect import isawaitable, iscoroutine
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, NoReturn, ParamSpec, Self, TypeVar, cast, overload

from asynccache.core.web_types import is_response
from asynccache.current import current_service
from asynccache.errors import ConfigurationError
from asynccache.loading.load import ABSENT, UNKNOWN, Load

if TYPE_CHECKING:
    from asynccache.core.arguments import Arguments
    from asynccache.core.policy import CachePolicy
    from asynccache.core.tags import TagTemplates
    from asynccache.model import BaseCacheBackend, Version
    from asynccache.scopes import Scope

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class CallSettings:
    """What `@cached` was told."""

    policy: CachePolicy
    version: Version
    backend: str
    enabled: bool
    tags: TagTemplates


class CachedCalls(Generic[P, R]):
    """The calls of one function, or of one method of one object.

    Args:
        function: what is cached.
        arguments: makes the keys.
        settings: what the decorator was told.
        scope: what is known of the function only when it is used, or when the class around it is made.
        of_class: whether it is a class method.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Arguments,
        settings: CallSettings,
        scope: Scope,
        *,
        of_class: bool = False,
    ) -> None:
        update_wrapper(cast("Any", self), function)
        for name in ("__code__", "__defaults__", "__kwdefaults__"):  # what makes inspect take this for a function
            setattr(self, name, getattr(function, name))
        self._function = function
        self._arguments = arguments
        self._settings = settings
        self._scope = scope
        self._of_class = of_class
        self._is_tagged = bool(settings.tags)
        self._glanced = settings.policy if settings.policy.keeps_times else None
        self._before: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"<cached {self._arguments.name}>"

    def __reduce__(self) -> Any:
        if self._before:
            return getattr, (*self._before, self._function.__name__)
        return self._function.__qualname__

    def __set_name__(self, owner: type, name: str) -> None:
        if not self._of_class:
            self._scope.in_class(owner)

    def _bound(self, owner: object) -> Self:
        """Give the calls that have this object as their first argument."""
        bound = object.__new__(type(self))
        bound.__dict__.update(self.__dict__, _before=(owner,), __wrapped__=MethodType(self._function, owner))
        return bound

    @property
    def backend(self) -> str:
        """The name of the backend that it uses."""
        return self._settings.backend

    def key(self, /, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key of the call with these arguments, in the service's own sense: `service.delete(key)` works.

        `TypeError` names an argument that cannot be part of a key.
        """
        return self._arguments.key(self._before + args, kwargs)

    def invalidate(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Remove what is stored for these arguments; tell whether there was something.

        What is loading for them is not stored afterwards. Raises `BackendUnavailableError` where the store is away.
        """
        key = self._arguments.key(self._before + args, kwargs)
        settings = self._settings
        return settings.enabled and current_service().delete(key, settings.version, settings.backend)

    async def invalidate_async(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Remove what is stored for these arguments; tell whether there was something. As `invalidate` otherwise."""
        key = self._arguments.key(self._before + args, kwargs)
        settings = self._settings
        return settings.enabled and await current_service().delete_async(key, settings.version, settings.backend)

    async def refresh_async(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, store what it returns in place of what was stored, and return it.

        Those who call the function meanwhile get what is stored, or wait for this. A plain function is called on the
        loop, and blocks it.
        """
        args = self._before + args  # type: ignore[assignment]  # the object that it is bound to comes first
        if not self._settings.enabled:
            made = self._function(*args, **kwargs)
            return await made if isawaitable(made) else made  # type: ignore[no-any-return]  # what it is declared as
        service = current_service()
        store = service.get_backend(self._settings.backend)
        load = self._load(store, self._arguments.key(args, kwargs), args, kwargs)
        return await service.loader.renew_async(load)  # type: ignore[no-any-return]  # likewise

    def _load(self, store: BaseCacheBackend, key: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Load:
        settings = self._settings
        self._scope.in_use(args)
        tags: tuple[str, ...] = ()
        if self._is_tagged:
            templates = settings.tags
            tags = templates.written(self._arguments.named(args, kwargs) if templates.names else {})
        return Load(store, key, partial(self._call, args, kwargs), None, settings.policy, settings.version, tags)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the function for the store."""
        raise NotImplementedError

    def _checked(self, value: Any) -> Any:
        if is_response(type(value)):
            raise ConfigurationError(
                f"{self._arguments.name} returned a {type(value).__name__}: use @Cache on handlers, @cached on what "
                "returns a value"
            )
        return value


class CachedFunction(CachedCalls[P, R]):
    """A plain function or method with a cache."""

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what is stored for these arguments, or call the function and store what it returns."""
        if self._before:
            args = self._before + args  # type: ignore[assignment]  # the object that it is bound to comes first
        settings = self._settings
        if not settings.enabled:
            return self._function(*args, **kwargs)  # type: ignore[no-any-return]  # what it is declared as
        service = current_service()
        key = self._arguments.key(args, kwargs)
        store = service.get_backend(settings.backend)
        found = service.glance(store, key, settings.version, self._glanced)
        if found is ABSENT or found is UNKNOWN:
            found = service.loader.get(self._load(store, key, args, kwargs), is_absent=found is ABSENT)
        return found  # type: ignore[no-any-return]  # likewise

    def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function, store what it returns in place of what was stored, and return it.

        Those who call the function meanwhile get what is stored, or wait for this.
        """
        args = self._before + args  # type: ignore[assignment]  # the object that it is bound to comes first
        if not self._settings.enabled:
            return self._function(*args, **kwargs)  # type: ignore[no-any-return]  # what it is declared as
        service = current_service()
        store = service.get_backend(self._settings.backend)
        load = self._load(store, self._arguments.key(args, kwargs), args, kwargs)
        return service.loader.renew(load)  # type: ignore[no-any-return]  # likewise

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self: CachedFunction[Concatenate[S, Q], R], instance: S, owner: type) -> CachedFunction[Q, R]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if self._of_class:
            return self._bound(owner)
        return self if instance is None else self._bound(instance)

    def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        made = self._function(*args, **kwargs)
        if isawaitable(made):
            if iscoroutine(made):
                made.close()
            raise TypeError(f"{self._arguments.name} returned an awaitable: make it an async def")
        return self._checked(made)


class CachedCoroutine(CachedCalls[P, R]):
    """A coroutine function or method with a cache."""

    async def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what is stored for these arguments, or await the function and store what it returns."""
        if self._before:
            args = self._before + args  # type: ignore[assignment]  # the object that it is bound to comes first
        settings = self._settings
        if not settings.enabled:
            return await self._function(*args, **kwargs)  # type: ignore[no-any-return]  # what it is declared as
        service = current_service()
        key = self._arguments.key(args, kwargs)
        store = service.get_backend(settings.backend)
        found = service.glance(store, key, settings.version, self._glanced)
        if found is ABSENT or found is UNKNOWN:
            found = await service.loader.get_async(self._load(store, key, args, kwargs), is_absent=found is ABSENT)
        return found  # type: ignore[no-any-return]  # likewise

    def refresh(self, /, *args: P.args, **kwargs: P.kwargs) -> NoReturn:
        """Raise `TypeError`: it is `await refresh_async(...)` for what is asynchronous."""
        del args, kwargs
        raise TypeError(f"{self._arguments.name} is asynchronous: await refresh_async(...)")

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self: CachedCoroutine[Concatenate[S, Q], R], instance: S, owner: type) -> CachedCoroutine[Q, R]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if self._of_class:
            return self._bound(owner)
        return self if instance is None else self._bound(instance)

    async def _call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._checked(await self._function(*args, **kwargs))
