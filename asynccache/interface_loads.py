"""What handlers are given for loads and locks; part of `ICacheService`, which says what the arguments mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from asynccache.core.lifetime import Ttl
    from asynccache.core.policy import CachePolicy
    from asynccache.loading.locks import AsyncLock, Lock
    from asynccache.model import Version

T = TypeVar("T")


class ILoadsAndLocks:
    """Values that are loaded where they are missing, and names that one caller has at a time."""

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
