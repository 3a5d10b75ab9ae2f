"""The service: hands each call to the backend of that name, and every load to the loader. It decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from asynccache.core.entry import Kind
from asynccache.core.events import Hit, Miss
from asynccache.core.keys import several
from asynccache.core.policy import CachePolicy
from asynccache.core.tags import tagged
from asynccache.loading.load import (
    ABSENT,
    UNKNOWN,
    Load,
    is_function,
    is_plain_function,
    keeps_times,
    looks_ahead,
)
from asynccache.loading.loader import Loader
from asynccache.loading.locks import LEASE_SECONDS, AsyncLock, Lock, Wanted
from asynccache.loading.many import ManyLoader
from asynccache.loading.many_call import ManyLoads
from asynccache.operations import Operations

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from asynccache.config import BackendLike
    from asynccache.core.lifetime import Ttl
    from asynccache.model import BaseCacheBackend, Version

T = TypeVar("T")


class CacheService(Operations):
    """Named backends: `CacheService(default="redis://localhost", sessions="local")`.

    Each is an instance, a URL, a bare word, or a list of these: a chain. Connections are made by the first operation.
    `await start()` gets backends ready earlier, `close()` and `await aclose()` let connections go, `with` and
    `async with` do both. `flights` are the loads under way, which `loader` runs; `listeners` are told the events of all
    backends.

    Raises `ConfigurationError` where `default` is missing or something cannot be made a backend of.
    """

    def __init__(self, **backends: BackendLike) -> None:
        super().__init__(**backends)
        self.loader = Loader(self.flights)
        self._many = ManyLoader(self.flights, self.loader.runner)

    def close(self) -> None:
        """Let go of all connections, after what the cache loads in threads of its own; the next operation makes new."""
        try:
            self.loader.close()
        finally:
            super().close()

    async def aclose(self) -> None:
        """Cancel the loads of this loop and let go of all connections; the next operation makes new ones."""
        try:
            await self.loader.aclose()
        finally:
            await super().aclose()

    # Locks

    def lock(
        self,
        key: str,
        ttl: Ttl = LEASE_SECONDS,
        version: Version = None,
        backend: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Lock:
        return Lock(Wanted.of(self.get_backend(backend), key, ttl, version, timeout))

    def lock_async(
        self,
        key: str,
        ttl: Ttl = LEASE_SECONDS,
        version: Version = None,
        backend: str | None = None,
        *,
        timeout: float | None = None,
    ) -> AsyncLock:
        return AsyncLock(Wanted.of(self.get_backend(backend), key, ttl, version, timeout))

    # Read-through

    def get_or_set(
        self,
        key: str,
        factory: Callable[[], T],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
        tags: Iterable[str] = (),
    ) -> T:
        store = self._default if backend is None else self.get_backend(backend)
        value = self.glance(store, key, version, policy)
        if value is not ABSENT and value is not UNKNOWN and is_plain_function(factory):
            return value  # type: ignore[no-any-return]  # what a factory made, or what equals it
        load = Load(store, key, factory, ttl, policy, version, tagged(tags))
        return self.loader.get(load, is_absent=value is ABSENT)  # type: ignore[no-any-return]  # likewise

    @overload
    async def get_or_set_async(
        self,
        key: str,
        factory: Callable[[], Awaitable[T]],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
        tags: Iterable[str] = (),
    ) -> T: ...

    @overload
    async def get_or_set_async(
        self,
        key: str,
        factory: Callable[[], T],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
        tags: Iterable[str] = (),
    ) -> T: ...

    async def get_or_set_async(
        self,
        key: str,
        factory: Callable[[], Any],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
        tags: Iterable[str] = (),
    ) -> Any:
        store = self._default if backend is None else self.get_backend(backend)
        value = self.glance(store, key, version, policy)
        if value is not ABSENT and value is not UNKNOWN and is_function(factory):
            return value
        load = Load(store, key, factory, ttl, policy, version, tagged(tags))
        return await self.loader.get_async(load, is_absent=value is ABSENT)

    def get_or_set_many(
        self,
        keys: Iterable[str],
        factory: Callable[[list[str]], Mapping[str, T]],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
        tags: Iterable[str] = (),
    ) -> dict[str, T]:
        store, wanted = self.get_backend(backend), tuple(dict.fromkeys(several(keys)))
        found = self._glances(store, wanted, version, policy)
        missing = tuple(key for key in wanted if key not in found)
        found |= self._many.get(ManyLoads(store, missing, factory, ttl, policy, version, tagged(tags)))
        return {key: found[key] for key in wanted if key in found}

    @overload
    async def get_or_set_many_async(
        self,
        keys: Iterable[str],
        factory: Callable[[list[str]], Awaitable[Mapping[str, T]]],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
        tags: Iterable[str] = (),
    ) -> dict[str, T]: ...

    @overload
    async def get_or_set_many_async(
        self,
        keys: Iterable[str],
        factory: Callable[[list[str]], Mapping[str, T]],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
        tags: Iterable[str] = (),
    ) -> dict[str, T]: ...

    async def get_or_set_many_async(
        self,
        keys: Iterable[str],
        factory: Callable[[list[str]], Any],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
        tags: Iterable[str] = (),
    ) -> dict[str, Any]:
        store, wanted = self.get_backend(backend), tuple(dict.fromkeys(several(keys)))
        found = self._glances(store, wanted, version, policy)
        missing = tuple(key for key in wanted if key not in found)
        found |= await self._many.get_async(ManyLoads(store, missing, factory, ttl, policy, version, tagged(tags)))
        return {key: found[key] for key in wanted if key in found}

    def _glances(
        self, store: BaseCacheBackend, keys: Iterable[str], version: Version, policy: CachePolicy | None
    ) -> dict[str, Any]:
        """Give the values that are held in this process, quickly."""
        if store.is_at_hand and not keeps_times(policy):
            found = store.get_many(keys, version)
            for key in found if store.is_heard else ():
                store.tell(Hit(store.name, key))
            return found
        glances = {key: self.glance(store, key, version, policy) for key in keys}
        return {key: value for key, value in glances.items() if value is not UNKNOWN}

    def glance(self, store: BaseCacheBackend, key: str, version: Version, policy: CachePolicy | None) -> Any:
        """Give a value that is held in this process, quickly; `ABSENT` if there is none, `UNKNOWN` for the loader."""
        if store.is_at_hand and (policy is None or not keeps_times(policy)):
            value = store.get(key, version, default=ABSENT)
        else:
            peek = None if type(key) is not str or looks_ahead(policy) else store.peek
            value = None if peek is None else peek(key, version, Kind.VALUE)
            if value is None:  # which may be what is stored
                return UNKNOWN
        if self.listeners or len(store.listeners) > 1:  # others than this service
            store.tell((Miss if value is ABSENT else Hit)(store.name, key))
        return value
