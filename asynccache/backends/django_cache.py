"""Django's caches: an alias of its `CACHES` as a backend.

Django keeps caches and database connections for each thread. So they are used in a few threads of this backend's own,
which find the alias there and close what they have opened, and not in whichever thread calls.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.foreign import foreign_key
from asynccache.backends.workers import Workers
from asynccache.errors import ConfigurationError, MissingDependencyError

if TYPE_CHECKING:
    from asynccache.plan.io import IO

WORKERS = 8
PATIENCE = 5.0
"""Seconds, as SQLite's own `timeout` in Django: for a database that other processes write to."""
JITTER = 0.02
_BATCH = 500


class DjangoCacheBackend(CallableCacheBackend):
    """Keeps entries in one of Django's caches: its local memory, database, files, Redis or memcached.

    Django's settings have to be there when it is made. Entries are bytes under keys that Django's own `KEY_PREFIX` and
    `VERSION` come before; its `TIMEOUT` is not asked. For a cache in an SQLite database there is one thread, and it
    looks at what it has written, since Django loses writes silently where several write at once.

    Args:
        alias: the name in `CACHES`.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` for an alias that Django does not know, and `MissingDependencyError` without Django.
    """

    def __init__(self, alias: str = "default", **base: Any) -> None:
        self.alias = alias
        is_in_sqlite = _is_in_sqlite(_cache_of(alias))
        self._workers = Workers(1 if is_in_sqlite else WORKERS, _leave)
        self._put = _put_surely if is_in_sqlite else _put
        super().__init__(self._django_get, self._django_set, self._django_delete, **base)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias!r} key_prefix={self.key_prefix!r} version={self.version!r}>"

    async def shut(self, io: IO) -> None:
        await io.offload(self._workers.close)

    async def _fetch_many(self, io: IO, keys: list[str]) -> dict[str, bytes]:
        stored = {foreign_key(key): key for key in keys}
        names = list(stored)
        found: dict[str, Any] = {}
        for start in range(0, len(names), _BATCH):
            with self._guard.attempt("get_many"):
                found |= await io.offload(self._ask, "get_many", names[start : start + _BATCH])
        return {stored[name]: raw for name in found if (raw := self._checked(found[name])) is not None}

    # What Django is asked

    def _django_get(self, key: str) -> Any:
        return self._ask("get", key)

    def _django_set(self, key: str, raw: bytes, timeout: int) -> bool:
        return self._workers.call(self._put, self.alias, key, raw, timeout)

    def _django_delete(self, key: str) -> Any:
        return self._ask("delete", key)

    def _ask(self, operation: str, *args: Any) -> Any:
        return self._workers.call(_asked, self.alias, operation, *args)


# What runs in the threads


def _asked(alias: str, operation: str, *args: Any) -> Any:
    from django.core.cache import caches  # type: ignore[import-untyped]  # it has no types
    from django.db import close_old_connections  # type: ignore[import-untyped]  # it has no types

    try:
        return getattr(caches[alias], operation)(*args)
    finally:
        close_old_connections()


def _put(alias: str, key: str, raw: bytes, timeout: int) -> bool:
    return not _asked(alias, "set_many", {key: raw}, timeout)  # unlike `set` it tells what memcached refused


def _put_surely(alias: str, key: str, raw: bytes, timeout: int) -> bool:
    """Set until it is there: Django tells nobody that another process had locked the database."""
    give_up_at = time.monotonic() + PATIENCE
    while time.monotonic() < give_up_at:
        _asked(alias, "set", key, raw, timeout)
        if _asked(alias, "get", key) == raw:
            return True
        time.sleep(random.uniform(0, JITTER))
    raise TimeoutError("other processes had locked the SQLite database all the time")


def _leave() -> None:
    from django.core.cache import caches
    from django.db import connections

    caches.close_all()
    connections.close_all()


def _cache_of(alias: str) -> Any:
    """Make a cache of this alias, which opens nothing; find out whether there is such a one."""
    try:
        from django.core.cache import InvalidCacheBackendError, caches
        from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]  # it has no types
    except ModuleNotFoundError as missing:
        raise MissingDependencyError.of("DjangoCacheBackend", "django", "django") from missing
    try:
        if alias not in caches.settings:
            raise ConfigurationError(f"alias={alias!r}: Django's CACHES has {sorted(caches.settings)}")
        return caches.create_connection(alias)
    except (ImproperlyConfigured, InvalidCacheBackendError) as wrong:
        raise ConfigurationError(f"alias={alias!r}: {wrong}") from wrong


def _is_in_sqlite(cache: Any) -> bool:
    from django.core.cache.backends.db import BaseDatabaseCache  # type: ignore[import-untyped]  # it has no types
    from django.db import connections, router

    if not isinstance(cache, BaseDatabaseCache):
        return False
    connection = connections.create_connection(router.db_for_write(cache.cache_model_class))
    return bool(connection.vendor == "sqlite")
