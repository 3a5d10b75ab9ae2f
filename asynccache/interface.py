"""What handlers are given: the methods of the cache service, each in two flavours with the same arguments and results.

A plain class and no abstract one, since type checkers refuse an abstract class in `injector.get`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from asynccache.core.lifetime import Ttl
    from asynccache.core.policy import CachePolicy
    from asynccache.loading.locks import AsyncLock, Lock
    from asynccache.model import BaseCacheBackend, Version

T = TypeVar("T")


class ICacheService:
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
        self, values: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        """Store all values; return the keys that could not be stored."""
        raise NotImplementedError

    async def set_many_async(
        self, values: Mapping[str, Any], ttl: Ttl = None, version: Version = None, backend: str | None = None
    ) -> list[str]:
        """Store all values; return the keys that could not be stored."""
        raise NotImplementedError

    def delete_many(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        """Remove all these entries; return how many there were."""
        raise NotImplementedError

    async def delete_many_async(self, keys: Iterable[str], version: Version = None, backend: str | None = None) -> int:
        """Remove all these entries; return how many there were."""
        raise NotImplementedError

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
        """Return the value; on a miss call `factory()` and store what it returns.

        However many callers ask in this process, sync and async, one of them loads and the others wait. A failed load
        is not stored; each waiter gets an exception of its own with the original as its cause. A store that is away
        never fails the call. An explicit `ttl` beats that of the policy, which may renew ahead, serve stale values and
        bound the wait by a `CacheTimeoutError`. Raises `TypeError` for an async factory.
        """
        raise NotImplementedError

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
        """Return the value; on a miss call `factory()`, await it if it is to be awaited, and store the result.

        The load runs on this loop in a task of its own: a cancelled caller disturbs nobody, and the last one to leave
        cancels it. As `get_or_set` otherwise.
        """
        raise NotImplementedError

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
        """Return the values by key; call `factory(keys)` once with those that are missing and store what it returns.

        The factory returns a mapping; keys that are not in it are absent from the result, too, and nothing is stored
        for them. It is called again only for keys that somebody else was loading, and has not stored. Each key is a
        load of its own for all others who want it; `tags` and `policy` are those of all keys. Where the factory raises,
        so does the call, and nothing is stored. As `get_or_set` otherwise.
        """
        raise NotImplementedError

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
        """Return the values by key; call `factory(keys)` with those that are missing, await it if it is to be awaited.

        The load runs on this loop in a task of its own. As `get_or_set_many` and `get_or_set_async` otherwise.
        """
        raise NotImplementedError

    def invalidate_url(
        self, url: str, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        """Remove the page that `@Cache` stored for this URL, with all its variants; tell whether there was one.

        `url` is absolute, as the client writes it, query included; `key_prefix` is that of the `@Cache`. Raises
        `ValueError` for a URL without scheme or host.
        """
        raise NotImplementedError

    async def invalidate_url_async(
        self, url: str, version: Version = None, backend: str | None = None, *, key_prefix: str = ""
    ) -> bool:
        """Remove the page that `@Cache` stored for this URL, with all its variants; tell whether there was one.

        `url` is absolute, as the client writes it, query included; `key_prefix` is that of the `@Cache`. Raises
        `ValueError` for a URL without scheme or host.
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

    def lock(
        self,
        key: str,
        ttl: Ttl = 30.0,
        version: Version = None,
        backend: str | None = None,
        *,
        timeout: float | None = None,
    ) -> Lock:
        """Return a lock for `with`, which one caller of all processes has at a time; it yields itself.

        `number` is the fencing number, greater with each who gets the lock; `is_held` tells whether it still is. It is
        kept apart from entries: key and lock of the same name have nothing to do with each other.

        Args:
            ttl: seconds or a `timedelta` after which a holder that died, or is frozen, has lost it; while the holder
                lives it is renewed every third of that, by a thread.
            timeout: seconds to wait for it; 0 asks once, `None` waits for ever.

        Entering raises `CacheTimeoutError` where it was not free in time, `BackendUnavailableError` where the store is
        away, `ConfigurationError` where it has no locks, and `LockError` where the same thread has it already, since
        it is not reentrant. Leaving raises `LockError` where the lock was lost meanwhile, unless the block raised.
        """
        raise NotImplementedError

    def lock_async(
        self,
        key: str,
        ttl: Ttl = 30.0,
        version: Version = None,
        backend: str | None = None,
        *,
        timeout: float | None = None,
    ) -> AsyncLock:
        """Return a lock for `async with`, which one caller of all processes has at a time; it yields itself.

        `number` is the fencing number, greater with each who gets the lock; `is_held` tells whether it still is. It is
        kept apart from entries: key and lock of the same name have nothing to do with each other.

        Args:
            ttl: seconds or a `timedelta` after which a holder that died, or is frozen, has lost it; while the holder
                lives it is renewed every third of that, by a task of the loop.
            timeout: seconds to wait for it; 0 asks once, `None` waits for ever.

        Entering raises `CacheTimeoutError` where it was not free in time, `BackendUnavailableError` where the store is
        away, `ConfigurationError` where it has no locks, and `LockError` where the same task has it already, since
        it is not reentrant. Leaving raises `LockError` where the lock was lost meanwhile, unless the block raised.
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
