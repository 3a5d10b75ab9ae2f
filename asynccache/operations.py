"""Operations on keys: each is handed to the backend of that name, with what it changes kept from loads under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.core.keys import several
from asynccache.core.page_keys import page_key
from asynccache.core.url_keys import key_of_url
from asynccache.interface import ICacheService
from asynccache.loading.changes import Change
from asynccache.loading.flights import Flights
from asynccache.named import NamedBackends

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.datastructures import URL

    from asynccache.config import BackendLike
    from asynccache.core.lifetime import Ttl
    from asynccache.model import Version


class Operations(NamedBackends, ICacheService):
    """What a service does by keys and tags; `flights` are the loads under way."""

    def __init__(self, **backends: BackendLike) -> None:
        super().__init__(backends)
        self.flights = Flights()

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
        self, mapping: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        store = self.get_backend(backend)
        with Change(self.flights, store, version, *mapping):
            return store.set_many(mapping, ttl, version)

    async def set_many_async(
        self, mapping: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        store = self.get_backend(backend)
        async with Change(self.flights, store, version, *mapping):
            return await store.set_many_async(mapping, ttl, version)

    def delete_many(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        store, keys = self.get_backend(backend), several(keys)
        with Change(self.flights, store, version, *keys):
            return store.delete_many(keys, version)

    async def delete_many_async(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        store, keys = self.get_backend(backend), several(keys)
        async with Change(self.flights, store, version, *keys):
            return await store.delete_many_async(keys, version)

    def invalidate_url(
        self, url: str | URL, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        page, edge = _keys_of(str(url), key_prefix)
        try:
            gone = self.delete(page, version, backend)
        except Exception:
            self.delete(edge, version, backend)
            raise
        return self.delete(edge, version, backend) or gone

    async def invalidate_url_async(
        self, url: str | URL, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        page, edge = _keys_of(str(url), key_prefix)
        try:
            gone = await self.delete_async(page, version, backend)
        except Exception:
            await self.delete_async(edge, version, backend)
            raise
        return await self.delete_async(edge, version, backend) or gone

    def invalidate_tags(self, *tags: str, version: Version = None, backend: str | None = None) -> None:
        self.get_backend(backend).invalidate_tags(*tags, version=version)

    async def invalidate_tags_async(self, *tags: str, version: Version = None, backend: str | None = None) -> None:
        await self.get_backend(backend).invalidate_tags_async(*tags, version=version)

    def clear(self, version: Version = None, backend: str | None = None) -> None:
        self.get_backend(backend).clear(version)

    async def clear_async(self, version: Version = None, backend: str | None = None) -> None:
        await self.get_backend(backend).clear_async(version)


def _keys_of(url: str, key_prefix: str) -> tuple[str, str]:
    """Give the keys of what `@Cache` and `CacheMiddleware` keep of a URL.

    They are removed one after the other: what the latter gets of the app while the first is there is not to be stored.
    """
    return page_key("GET", url, key_prefix), key_of_url(url, key_prefix)
