"""What handlers are given: the methods of the cache service, each in two flavours with the same arguments and results.

A plain class and no abstract one, since type checkers refuse an abstract class in `injector.get`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from asynccache.interface_loads import ILoadsAndLocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.datastructures import URL

    from asynccache.core.lifetime import Ttl
    from asynccache.model import BaseCacheBackend, Version


class ICacheService(ILoadsAndLocks):
    """Named backends behind one set of methods.

    Everywhere: `ttl` is seconds or a `timedelta` (`None`: the backend's default, `FOREVER`: no expiry, 0 or less:
    expires at once), `version` replaces the backend's own, `backend` is a registered name (`None`: `"default"`).
    An unknown name raises `UnknownBackendError`, a key that is no `str` a `TypeError`. Plain reads and `set` answer for
    a store that is away as its `on_error` says; all other methods then raise `BackendUnavailableError`.
    """

    def get(self, key: str, version: Version = None, backend: str | None = None, *, default: Any = None) -> Any:
        """Return the value, or `default` on a miss."""
        raise NotImplementedError

    async def get_async(
        self, key: str, version: Version = None, backend: str | None = None, *, default: Any = None
    ) -> Any:
        """Return the value, or `default` on a miss."""
        raise NotImplementedError

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
        """Store a value; False where the store could not take it (the old value is then gone).

        Raises `SerializationError` for what the serializer cannot store; the old value is then gone, too.
        """
        raise NotImplementedError

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
        """Store a value; False where the store could not take it (the old value is then gone).

        Raises `SerializationError` for what the serializer cannot store; the old value is then gone, too.
        """
        raise NotImplementedError

    def add(self, key: str, value: Any, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        """Store a value unless there is one; tell whether it was stored."""
        raise NotImplementedError

    async def add_async(
        self, key: str, value: Any, ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> bool:
        """Store a value unless there is one; tell whether it was stored."""
        raise NotImplementedError

    def delete(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        """Remove an entry; tell whether there was one."""
        raise NotImplementedError

    async def delete_async(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        """Remove an entry; tell whether there was one."""
        raise NotImplementedError

    def has_key(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        """Tell whether there is a live entry."""
        raise NotImplementedError

    async def has_key_async(self, key: str, version: Version = None, backend: str | None = None) -> bool:
        """Tell whether there is a live entry."""
        raise NotImplementedError

    def touch(self, key: str, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        """Give an entry a new lifetime; tell whether there was one."""
        raise NotImplementedError

    async def touch_async(self, key: str, ttl: Ttl = None, version: Version = None, backend: str | None = None) -> bool:
        """Give an entry a new lifetime; tell whether there was one."""
        raise NotImplementedError

    def incr(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        """Add to a counter and return it.

        A missing one starts from 0 with the default ttl; an existing one keeps its expiry. Raises
        `NotAnIntegerError` for anything but a signed 64-bit integer; the value stays untouched.
        """
        raise NotImplementedError

    async def incr_async(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        """Add to a counter and return it.

        A missing one starts from 0 with the default ttl; an existing one keeps its expiry. Raises
        `NotAnIntegerError` for anything but a signed 64-bit integer; the value stays untouched.
        """
        raise NotImplementedError

    def decr(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        """Subtract from a counter and return it; as `incr` otherwise."""
        raise NotImplementedError

    async def decr_async(self, key: str, delta: int = 1, version: Version = None, backend: str | None = None) -> int:
        """Subtract from a counter and return it; as `incr` otherwise."""
        raise NotImplementedError

    def get_many(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> dict[str, Any]:
        """Return the values that are there, by key."""
        raise NotImplementedError

    async def get_many_async(
        self, keys: Iterable[str], version: Version = None, backend: str | None = None
    ) -> dict[str, Any]:
        """Return the values that are there, by key."""
        raise NotImplementedError

    def set_many(
        self, mapping: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        """Store all values; return the keys that could not be stored."""
        raise NotImplementedError

    async def set_many_async(
        self, mapping: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        """Store all values; return the keys that could not be stored."""
        raise NotImplementedError

    def delete_many(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        """Remove all these entries; return how many there were."""
        raise NotImplementedError

    async def delete_many_async(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        """Remove all these entries; return how many there were."""
        raise NotImplementedError

    def invalidate_url(
        self, url: str | URL, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        """Remove what `@Cache` and `CacheMiddleware` stored for a URL, all variants; tell whether there was anything.

        `url` is absolute, as the client writes it, with what counts of its query, or what `request.url_for` gives;
        `key_prefix` is that of the `@Cache` or of the middleware. Raises `ValueError` for a URL without scheme or host.
        """
        raise NotImplementedError

    async def invalidate_url_async(
        self, url: str | URL, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        """Remove what `@Cache` and `CacheMiddleware` stored for a URL, all variants; tell whether there was anything.

        `url` is absolute, as the client writes it, with what counts of its query, or what `request.url_for` gives;
        `key_prefix` is that of the `@Cache` or of the middleware. Raises `ValueError` for a URL without scheme or host.
        """
        raise NotImplementedError

    def invalidate_tags(self, *tags: str, version: Version = None, backend: str | None = None) -> None:
        """Invalidate everything with one of these tags, and what is being loaded with one, for all who share the store.

        Raises `BackendUnavailableError` where the store is away, and `TypeError` for what is no `str`.
        """
        raise NotImplementedError

    async def invalidate_tags_async(self, *tags: str, version: Version = None, backend: str | None = None) -> None:
        """Invalidate everything with one of these tags, and what is being loaded with one, for all who share the store.

        Raises `BackendUnavailableError` where the store is away, and `TypeError` for what is no `str`.
        """
        raise NotImplementedError

    def clear(self, version: Version = None, backend: str | None = None) -> None:
        """Remove all entries of this backend's prefix and version, and nothing of its neighbours.

        Raises `ConfigurationError` for a store that cannot do this, `BackendUnavailableError` where it is away.
        """
        raise NotImplementedError

    async def clear_async(self, version: Version = None, backend: str | None = None) -> None:
        """Remove all entries of this backend's prefix and version, and nothing of its neighbours.

        Raises `ConfigurationError` for a store that cannot do this, `BackendUnavailableError` where it is away.
        """
        raise NotImplementedError

    async def start(self) -> Self:
        """Get the backends ready before the first operation does it; as `async with` does."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Cancel the loads of this loop and let go of all connections; the next operation makes new ones."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of all connections, off a loop; the next operation makes new ones."""
        raise NotImplementedError

    def ping(self, backend: str | None = None) -> float:
        """Add, read and remove a small entry, and return the seconds that this took.

        Raises `BackendUnavailableError` where the store does not answer, refuses, or has not kept the entry. A chain of
        backends answers as long as one of them does.
        """
        raise NotImplementedError

    async def ping_async(self, backend: str | None = None) -> float:
        """Add, read and remove a small entry, and return the seconds that this took.

        Raises `BackendUnavailableError` where the store does not answer, refuses, or has not kept the entry. A chain of
        backends answers as long as one of them does.
        """
        raise NotImplementedError

    def stats(self) -> dict[str, dict[str, int]]:
        """Return each backend's counters, by its name."""
        raise NotImplementedError

    def get_backend(self, backend: str | None = None) -> BaseCacheBackend:
        """Return a registered backend; `UnknownBackendError` where there is none of that name."""
        raise NotImplementedError
