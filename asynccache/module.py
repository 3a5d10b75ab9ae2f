"""The module to register: named backends, injectable as `ICacheService`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from injector import Module, singleton

from asynccache.config import backend_of, backends_of, environment_backends
from asynccache.interface import ICacheService
from asynccache.service import CacheService

if TYPE_CHECKING:
    from collections.abc import Callable

    from injector import Binder

    from asynccache.config import BackendLike
    from asynccache.model import BaseCacheBackend


class CacheModule(Module):
    """Binds `ICacheService` and `CacheService` to one service; made by `setup` or `register_setup`."""

    def __init__(self, backends: dict[str, BackendLike]) -> None:
        self.backends: dict[str, BaseCacheBackend] = {name: backend_of(given, name) for name, given in backends.items()}
        self.service = CacheService(**self.backends)

    @classmethod
    def setup(cls, **backends: BackendLike) -> Self:
        """Register backends by name; `default` is compulsory.

        Each is an instance, a URL (`"redis://localhost:6379/0?key_prefix=shop&ttl=60"`), a bare word (`"local"`), a
        mapping in Django's words, or a list of these: a chain, the first of which that answers is used.
        Raises `ConfigurationError` at once for whatever cannot be made a backend of.
        """
        return cls(backends)

    @classmethod
    def register_setup(cls, config: object = None) -> Self:
        """Register what a configuration says.

        Args:
            config: a mapping or object with `CACHES`, the mapping itself, or the dotted path of one of these; `None`:
                the environment's `ASYNCCACHE_URL`, else a chain of the stores that `REPLIT_DB_URL` and `REDIS_URL`
                name, and local memory.

        Raises `ConfigurationError` at once for what is no configuration, or has no `default`.
        """
        return cls(environment_backends() if config is None else backends_of(config))

    @classmethod
    def use(
        cls,
        get: Callable[[str], Any],
        set: Callable[..., Any],  # noqa: A002  # it is called as its users call theirs
        delete: Callable[[str], Any] | None = None,
        **options: Any,
    ) -> Self:
        """Register two functions of another cache as the default: `CacheModule.use(cache.get, cache.set)`.

        They may be plain or asynchronous; `asynccache.backends.callable_cache.CallableCacheBackend` says what they are
        called with, and which `options` there are.
        """
        from asynccache.backends.callable_cache import CallableCacheBackend

        return cls({"default": CallableCacheBackend(get, set, delete, **options)})

    def configure(self, binder: Binder) -> None:
        """Bind the service, for injector."""
        binder.bind(CacheService, to=self.service, scope=singleton)
        binder.bind(ICacheService, to=self.service, scope=singleton)
