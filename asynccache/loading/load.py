"""What is to be loaded, and how its store and its factory are dealt with."""

from __future__ import annotations

import logging
from inspect import CO_COROUTINE, isawaitable, iscoroutine, iscoroutinefunction
from types import FunctionType
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from asynccache.core.policy import CachePolicy, merged
from asynccache.errors import BackendUnavailableError, ConfigurationError, SerializationError
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

    from asynccache.core.lifetime import Ttl
    from asynccache.model import BaseCacheBackend, Version

logger = logging.getLogger(__name__)
ABSENT: Any = object()
"""What a glance gives where the store has nothing."""
UNKNOWN: Any = object()
"""What a glance gives where the store has to be asked."""


class Load(Struct, frozen=True):
    """What is to be loaded: the arguments of one `get_or_set`."""

    backend: BaseCacheBackend
    key: str
    factory: Callable[[], Any]
    ttl: Ttl
    policy: CachePolicy | None
    version: Version
    tags: tuple[str, ...] = ()

    @property
    def flight_key(self) -> Hashable:
        """Give what this load is known by in this process."""
        return self.backend.flight_key(self.key, self.version)

    @property
    def terms(self) -> CachePolicy:
        """Give the policy, but for its ttl; a wrong one raises `TypeError`."""
        return merged(self.policy, None)

    def merged_policy(self) -> CachePolicy:
        """Give the policy, in which an explicit ttl beats its own; wrong ones raise."""
        return merged(self.policy, self.ttl)

    async def survive(self, writing: Coroutine[Any, Any, bool]) -> bool:
        """Write to a store that may be away, which never fails a read-through; a value that cannot be stored does.

        Give what the store answers; False where it does not.
        """
        try:
            return await writing
        except SerializationError:
            raise
        except Exception as error:  # noqa: BLE001  # the caller has its value
            self.note(error)
            return False

    def note(self, error: Exception) -> None:
        """Log what no backend should raise; a wrong key or backend is the caller's own fault, and raises."""
        if isinstance(error, BackendUnavailableError):
            return
        if isinstance(error, ConfigurationError):
            raise error
        self.backend.stored_key(self.key, self.version)
        logger.warning("%s: loading goes on without the store", self.backend.name, exc_info=error)

    def replicas(self, value: Any) -> Callable[[], Any]:
        """Give what makes each follower a value of its own."""
        try:
            return self.backend.replicas(value)
        except SerializationError:
            return lambda: value  # it was not stored, as the policy wanted it, so there is only this one


def check_lock(policy: CachePolicy, backend: BaseCacheBackend) -> None:
    """Raise `ConfigurationError` where one load per key over all processes is wanted, and cannot be had."""
    if policy.lock and Capability.LOCKS not in backend.capabilities:
        raise ConfigurationError(
            f"lock=True: {backend.name} cannot keep other processes from loading; leave lock out, or use Redis, "
            "memcached or a database"
        )


def looks_ahead(policy: object) -> bool:
    """Tell whether even a value that is there may have to be renewed."""
    return isinstance(policy, CachePolicy) and policy.refresh_ahead is not None


def keeps_times(policy: object) -> bool:
    """Tell whether it matters when a value was written."""
    return isinstance(policy, CachePolicy) and policy.keeps_times


def is_function(factory: object) -> bool:
    """Tell whether this can be called at all."""
    return callable(factory)


def is_plain_function(factory: object) -> bool:
    """Tell whether this can be called off a loop; of most it is a flag that says so."""
    if type(factory) is FunctionType:
        return not factory.__code__.co_flags & CO_COROUTINE
    return callable(factory) and not iscoroutinefunction(factory)


def check_factory(factory: object) -> None:
    """Raise `TypeError` for what is no function, such as what it returns."""
    if not callable(factory):
        if iscoroutine(factory):
            factory.close()
        raise TypeError(f"the factory is a {type(factory).__name__}: give the function itself, not what it returns")


def plain(made: Any) -> Any:
    """Give what a factory made off a loop; `TypeError` where it is still to be awaited."""
    if isawaitable(made):
        if iscoroutine(made):
            made.close()
        raise TypeError("the factory returned an awaitable: use get_or_set_async, or get_or_set_many_async")
    return made


async def awaited(made: Any) -> Any:
    """Give what a factory made on a loop, awaited where it is to be awaited."""
    return await made if isawaitable(made) else made
