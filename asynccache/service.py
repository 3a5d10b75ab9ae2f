"""The service: hands each call to the backend of that name, and every load to the loader. It decides nothing."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

from asynccache.config import backend_of
from asynccache.core.page_keys import page_key
from asynccache.core.policy import CachePolicy
from asynccache.errors import ConfigurationError, UnknownBackendError
from asynccache.interface import ICacheService
from asynccache.loading.flights import Flights
from asynccache.loading.loader import Load, Loader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from asynccache.config import BackendLike
    from asynccache.core.events import Event, Listener
    from asynccache.core.lifetime import Ttl
    from asynccache.model import BaseCacheBackend, Version

_PLAIN_POLICY = CachePolicy()


class CacheService(ICacheService):
    """Named backends: `CacheService(default="redis://localhost", sessions="local")`.

    Each is an instance, a URL or a bare word. Connections are made by the first operation; `start`/`start_async` make
    them earlier, `close`/`aclose` let them go, and `with` and `async with` do both. `flights` are the loads under way,
    `listeners` are told the events of all backends.

    Raises `ConfigurationError` where `default` is missing or something cannot be made a backend of.
    """

    def __init__(self, **backends: BackendLike) -> None:
        if "default" not in backends:
            raise ConfigurationError(f"no backend is called 'default', only {sorted(backends)}: add default=...")
        self.listeners: list[Listener] = []
        self.flights = Flights()
        self._loader = Loader(self.flights)
        self._backends: dict[str, BaseCacheBackend] = {}
        for name, given in backends.items():
            self._backends[name] = self._adopted(given)
        self._default = self._backends["default"]

    def __repr__(self) -> str:
        return f"<CacheService {self._backends}>"

    def get_backend(self, backend: str | None = None) -> BaseCacheBackend:
        if backend is None:
            return self._default
        try:
            return self._backends[backend]
        except (KeyError, TypeError):
            raise UnknownBackendError(f"no backend is called {backend!r}; there are {sorted(self._backends)}") from None

    def stats(self) -> dict[str, dict[str, int]]:
        return {name: backend.stats() for name, backend in self._backends.items()}

    def _tell(self, event: Event) -> None:
        for listener in self.listeners:
            listener(event)

    def _adopted(self, given: BackendLike) -> BaseCacheBackend:
        backend = backend_of(given)
        if self._tell not in backend.listeners:
            backend.listeners.append(self._tell)
        return backend

    @contextmanager
    def replaced(self, **backends: BackendLike) -> Iterator[Self]:
        """Use other backends for a while, for tests: `with service.replaced(default="dummy"):`."""
        before = self._backends
        for name in backends:
            self.get_backend(name)
        others = {name: self._adopted(given) for name, given in backends.items()}
        self._backends = before | others
        self._default = self._backends["default"]
        try:
            yield self
        finally:
            self._backends, self._default = before, before["default"]
            for other in others.values():
                other.close()

    # Life

    def start(self) -> Self:
        """Get every backend ready."""
        for backend in self._backends.values():
            backend.start()
        return self

    async def start_async(self) -> Self:
        """Get every backend ready on this loop."""
        for backend in self._backends.values():
            await backend.start_async()
        return self

    def close(self) -> None:
        """Let go of all connections; the next operation makes new ones."""
        for backend in self._backends.values():
            backend.close()

    async def aclose(self) -> None:
        """Cancel the loads of this loop and let go of all connections; the next operation makes new ones."""
        await self._loader.aclose()
        for backend in self._backends.values():
            await backend.aclose()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *failure: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await self.start_async()

    async def __aexit__(self, *failure: object) -> None:
        await self.aclose()

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
        return self.get_backend(backend).get_many(keys, version)

    async def get_many_async(
        self, keys: Iterable[str], version: Version = None, backend: str | None = None
    ) -> dict[str, Any]:
        return await self.get_backend(backend).get_many_async(keys, version)

    # Writing: a load of the key that is under way meanwhile must not be stored afterwards

    @contextmanager
    def _changing(self, backend: BaseCacheBackend, keys: Iterable[str], version: Version) -> Iterator[None]:
        keys = tuple(keys)
        self._detach(backend, keys, version)
        try:
            yield
        finally:
            self._detach(backend, keys, version)

    def _detach(self, backend: BaseCacheBackend, keys: Iterable[str], version: Version) -> None:
        if self.flights:
            for key in keys:
                self.flights.detach(backend.flight_key(key, version))

    def set(self, key: str, value: Any, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return store.set(key, value, ttl, version)

    async def set_async(
        self, key: str, value: Any, ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> bool:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return await store.set_async(key, value, ttl, version)

    def add(self, key: str, value: Any, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return store.add(key, value, ttl, version)

    async def add_async(
        self, key: str, value: Any, ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> bool:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return await store.add_async(key, value, ttl, version)

    def delete(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return store.delete(key, version)

    async def delete_async(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return await store.delete_async(key, version)

    def touch(self, key: str, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return store.touch(key, ttl, version)

    async def touch_async(self, key: str, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return await store.touch_async(key, ttl, version)

    def incr(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return store.incr(key, delta, version)

    async def incr_async(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return await store.incr_async(key, delta, version)

    def decr(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return store.decr(key, delta, version)

    async def decr_async(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        store = self.get_backend(backend)
        with self._changing(store, (key,), version):
            return await store.decr_async(key, delta, version)

    def set_many(
        self, values: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        store = self.get_backend(backend)
        with self._changing(store, values, version):
            return store.set_many(values, ttl, version)

    async def set_many_async(
        self, values: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        store = self.get_backend(backend)
        with self._changing(store, values, version):
            return await store.set_many_async(values, ttl, version)

    def delete_many(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        store, keys = self.get_backend(backend), tuple(keys)
        with self._changing(store, keys, version):
            return store.delete_many(keys, version)

    async def delete_many_async(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        store, keys = self.get_backend(backend), tuple(keys)
        with self._changing(store, keys, version):
            return await store.delete_many_async(keys, version)

    def invalidate_url(
        self, url: str, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        return self.delete(page_key("GET", str(url), key_prefix), version, backend)

    async def invalidate_url_async(
        self, url: str, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        return await self.delete_async(page_key("GET", str(url), key_prefix), version, backend)

    # Read-through

    def get_or_set(
        self,
        key: str,
        factory: Callable[[], Any],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
    ) -> Any:
        return self._loader.get(Load(self.get_backend(backend), key, factory, _merged(policy, ttl), version))

    async def get_or_set_async(
        self,
        key: str,
        factory: Callable[[], Any],
        ttl: Ttl = None,
        version: Version = None,
        backend: str | None = None,
        *,
        policy: CachePolicy | None = None,
    ) -> Any:
        load = Load(self.get_backend(backend), key, factory, _merged(policy, ttl), version)
        return await self._loader.get_async(load)


def _merged(policy: CachePolicy | None, ttl: Ttl) -> CachePolicy:
    if ttl is None:
        return policy or _PLAIN_POLICY
    return dataclasses.replace(policy or _PLAIN_POLICY, ttl=ttl)
