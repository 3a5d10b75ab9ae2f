"""The service: hands each call to the backend of that name, and every load to the loader. It decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from asynccache.core.entry import Kind
from asynccache.core.events import Hit
from asynccache.core.keys import several
from asynccache.core.page_keys import page_key
from asynccache.core.policy import CachePolicy
from asynccache.core.tags import tagged
from asynccache.interface import ICacheService
from asynccache.loading.changes import Change
from asynccache.loading.flights import Flights
from asynccache.loading.load import Load, is_function, is_plain_function, looks_ahead
from asynccache.loading.loader import Loader
from asynccache.loading.locks import LEASE_SECONDS, AsyncLock, Lock, Wanted
from asynccache.loading.many import ManyLoader, ManyLoads
from asynccache.named import NamedBackends

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from asynccache.config import BackendLike
    from asynccache.core.lifetime import Ttl
    from asynccache.model import BaseCacheBackend, Version

T = TypeVar("T")


class CacheService(NamedBackends, ICacheService):
    """Named backends: `CacheService(default="redis://localhost", sessions="local")`.

    Each is an instance, a URL, a bare word, or a list of these: a chain. Connections are made by the first operation.
    `await start()` gets backends ready earlier, `close()` and `await aclose()` let connections go, `with` and
    `async with` do both. `flights` are the loads under way, which `loader` runs; `listeners` are told the events of all
    backends.

    Raises `ConfigurationError` where `default` is missing or something cannot be made a backend of.
    """

    def __init__(self, **backends: BackendLike) -> None:
        super().__init__(backends)
        self.flights = Flights()
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

    # Reading

    def get(self, key: str, version: Version = None, backend: str | None = None, *, default: Any = None) -> Any:
        if backend is None:
            return self._default.get(key, version, default=default)
        return self.get_backend(backend).get(key, version, default=default)

    async def get_async(
        self, key: str, version: Version = None, backend: str | None = None, *, default: Any = None
    ) -> Any:
        if backend is None:
            return await self._default.get_async(key, version, default=default)
        return await self.get_backend(backend).get_async(key, version, default=default)

    def has_key(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        return self.get_backend(backend).has_key(key, version)

    async def has_key_async(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        return await self.get_backend(backend).has_key_async(key, version)

    def get_many(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> dict[str, Any]:
        return self.get_backend(backend).get_many(several(keys), version)

    async def get_many_async(
        self, keys: Iterable[str], version: Version = None, backend: str | None = None
    ) -> dict[str, Any]:
        return await self.get_backend(backend).get_many_async(several(keys), version)

    # Writing

    def set(
        self,
        key: str,
        value: Any,
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> bool:
        store = self.get_backend(backend)
        with Change(self.flights, store, version, key):
            return store.set(key, value, ttl, version, tags=tags)

    async def set_async(
        self,
        key: str,
        value: Any,
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        tags: Iterable[str] = (),
    ) -> bool:
        store = self.get_backend(backend)
        async with Change(self.flights, store, version, key):
            return await store.set_async(key, value, ttl, version, tags=tags)

    def add(self, key: str, value: Any, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with Change(self.flights, store, version, key):
            return store.add(key, value, ttl, version)

    async def add_async(
        self, key: str, value: Any, ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> bool:
        store = self.get_backend(backend)
        async with Change(self.flights, store, version, key):
            return await store.add_async(key, value, ttl, version)

    def delete(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with Change(self.flights, store, version, key):
            return store.delete(key, version)

    async def delete_async(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        async with Change(self.flights, store, version, key):
            return await store.delete_async(key, version)

    def touch(self, key: str, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with Change(self.flights, store, version, key):
            return store.touch(key, ttl, version)

    async def touch_async(self, key: str, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        async with Change(self.flights, store, version, key):
            return await store.touch_async(key, ttl, version)

    def incr(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        store = self.get_backend(backend)
        with Change(self.flights, store, version, key):
            return store.incr(key, delta, version)

    async def incr_async(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        store = self.get_backend(backend)
        async with Change(self.flights, store, version, key):
            return await store.incr_async(key, delta, version)

    def decr(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        store = self.get_backend(backend)
        with Change(self.flights, store, version, key):
            return store.decr(key, delta, version)

    async def decr_async(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        store = self.get_backend(backend)
        async with Change(self.flights, store, version, key):
            return await store.decr_async(key, delta, version)

    def set_many(
        self, values: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        store = self.get_backend(backend)
        with Change(self.flights, store, version, *values):
            return store.set_many(values, ttl, version)

    async def set_many_async(
        self, values: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        store = self.get_backend(backend)
        async with Change(self.flights, store, version, *values):
            return await store.set_many_async(values, ttl, version)

    def delete_many(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        store, keys = self.get_backend(backend), several(keys)
        with Change(self.flights, store, version, *keys):
            return store.delete_many(keys, version)

    async def delete_many_async(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        store, keys = self.get_backend(backend), several(keys)
        async with Change(self.flights, store, version, *keys):
            return await store.delete_many_async(keys, version)

    def invalidate_url(
        self, url: str, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        return self.delete(page_key("GET", str(url), key_prefix), version, backend)

    async def invalidate_url_async(
        self, url: str, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        return await self.delete_async(page_key("GET", str(url), key_prefix), version, backend)

    def invalidate_tags(self, *tags: str, version: Version = None, backend: str | None = None) -> None:
        self.get_backend(backend).invalidate_tags(*tags, version=version)

    async def invalidate_tags_async(self, *tags: str, version: Version = None, backend: str | None = None) -> None:
        await self.get_backend(backend).invalidate_tags_async(*tags, version=version)

    def clear(self, version: Version = None, backend: str | None = None) -> None:
        self.get_backend(backend).clear(version)

    async def clear_async(self, version: Version = None, backend: str | None = None) -> None:
        await self.get_backend(backend).clear_async(version)

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
        store = self.get_backend(backend)
        value = None if policy is not None and looks_ahead(policy) else self.glance(store, key, version)
        if value is not None and is_plain_function(factory):
            return value  # type: ignore[no-any-return]  # what a factory made, or what equals it
        return self.loader.get(Load(store, key, factory, ttl, policy, version, tagged(tags)))  # type: ignore[no-any-return]  # likewise

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
        store = self.get_backend(backend)
        value = None if policy is not None and looks_ahead(policy) else self.glance(store, key, version)
        if value is not None and is_function(factory):
            return value
        return await self.loader.get_async(Load(store, key, factory, ttl, policy, version, tagged(tags)))

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
        if store.peek is None or (policy is not None and looks_ahead(policy)):
            return {}
        return {key: value for key in keys if (value := self.glance(store, key, version)) is not None}

    def glance(self, store: BaseCacheBackend, key: str, version: Version) -> Any:
        """Give a value that is held in this process, quickly; None: whether it is stored is for the loader to see."""
        peek = store.peek
        value = None if peek is None or type(key) is not str else peek(key, version, Kind.VALUE)
        if value is not None and (self.listeners or len(store.listeners) > 1):  # others than this service
            store.tell(Hit(store.name, key))
        return value
