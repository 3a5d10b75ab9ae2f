"""What a factory can learn of the load that it is run for, and tell it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asynccache.core.lifetime import Ttl, seconds
from asynccache.core.tags import tagged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asynccache.core.entry import Entry
    from asynccache.core.policy import CachePolicy


class CurrentLoad:
    """The load that a factory is run for.

    Args:
        entry: what is stored, if there is something: due to be renewed, or over but kept.
    """

    __slots__ = ("_entry", "_tags", "_ttl")

    def __init__(self, entry: Entry | None = None) -> None:
        self._entry = entry
        self._tags: tuple[str, ...] = ()
        self._ttl: Ttl = None

    @property
    def has_stale(self) -> bool:
        """Whether there is an older value."""
        return self._entry is not None

    @property
    def stale(self) -> Any:
        """The older value; None where there is none, and where it is None."""
        return None if self._entry is None else self._entry.value

    @property
    def ttl(self) -> Ttl:
        """The ttl that was set here: seconds or a `timedelta`; `None`: that of the call, the policy or the backend.

        It beats all of these; 0 stores nothing. Jitter applies. `ValueError` and `TypeError` as for any ttl.
        """
        return self._ttl

    @ttl.setter
    def ttl(self, ttl: Ttl) -> None:
        seconds(ttl, 0.0)
        self._ttl = ttl

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that were set here; the entry gets those of the call, too.

        Set a list of them, which replaces what was set before. `TypeError` for a bare `str`, and as for all tags.
        """
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._tags = tagged(tags)

    def not_modified(self) -> Any:
        """Give the older value, for the factory to return: it is stored as if it had been loaded anew, with its tags.

        Raises `LookupError` where there is none.
        """
        if self._entry is None:
            raise LookupError("there is no older value: load one")
        self._tags = tagged((*self._tags, *self._entry.tags))
        return self._entry.value

    def applied(self, policy: CachePolicy) -> CachePolicy:
        """Give the policy with what was set here."""
        return policy if self._ttl is None else replace(policy, ttl=self._ttl, negative_ttl=None)


_current: ContextVar[CurrentLoad | None] = ContextVar("asynccache_current_load", default=None)


def current_load() -> CurrentLoad:
    """Return the load that this code is run for, inside a factory or a function with `@cached`.

    Elsewhere it is one without an older value, and what is set on it has no effect: so such a function can be called
    without a cache, too.
    """
    return _current.get() or CurrentLoad()


def running_for(load: CurrentLoad) -> AbstractContextManager[None]:
    """Make this the current load."""
    return _RunningFor(load)


class _RunningFor(AbstractContextManager[None]):
    __slots__ = ("_load", "_token")

    def __init__(self, load: CurrentLoad) -> None:
        self._load = load

    def __enter__(self) -> None:
        self._token: Token[CurrentLoad | None] = _current.set(self._load)

    def __exit__(self, *failure: object) -> None:
        _current.reset(self._token)
