"""An async-first cache for ASGI applications: inject it, decorate handlers with it, trust it.

Importing this package loads neither a framework nor a client: each name below is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asynccache.context import ExecutionContext
    from asynccache.core.lifetime import FOREVER
    from asynccache.core.policy import CachePolicy
    from asynccache.decorator import Cache
    from asynccache.errors import (
        BackendUnavailableError,
        CacheError,
        CacheTimeoutError,
        ConfigurationError,
        LockError,
        MissingDependencyError,
        NotAnIntegerError,
        SerializationError,
        UnknownBackendError,
    )
    from asynccache.evicts import Evicts
    from asynccache.functions import cached
    from asynccache.http.edge.middleware import CacheMiddleware
    from asynccache.injection import Inject, inject
    from asynccache.integrations.starlette import get_cache_service, install
    from asynccache.interface import ICacheService
    from asynccache.loading.current import current_load
    from asynccache.model import BaseCacheBackend
    from asynccache.module import CacheModule
    from asynccache.service import CacheService

__version__ = "0.1.0"

__all__ = [
    "FOREVER",
    "BackendUnavailableError",
    "BaseCacheBackend",
    "Cache",
    "CacheError",
    "CacheMiddleware",
    "CacheModule",
    "CachePolicy",
    "CacheService",
    "CacheTimeoutError",
    "ConfigurationError",
    "Evicts",
    "ExecutionContext",
    "ICacheService",
    "Inject",
    "LockError",
    "MissingDependencyError",
    "NotAnIntegerError",
    "SerializationError",
    "UnknownBackendError",
    "cached",
    "current_load",
    "get_cache_service",
    "inject",
    "install",
]

_HOMES = {
    "FOREVER": "core.lifetime",
    "BaseCacheBackend": "model",
    "Cache": "decorator",
    "CacheMiddleware": "http.edge.middleware",
    "CacheModule": "module",
    "CachePolicy": "core.policy",
    "CacheService": "service",
    "Evicts": "evicts",
    "ExecutionContext": "context",
    "ICacheService": "interface",
    "Inject": "injection",
    "cached": "functions",
    "current_load": "loading.current",
    "get_cache_service": "integrations.starlette",
    "inject": "injection",
    "install": "integrations.starlette",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_HOMES.get(name, 'errors')}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
