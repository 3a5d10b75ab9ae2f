"""What every backend is: its options, and how keys, lifetimes and values become what is stored.

What it does are plans (`model_plans.py`, `fence.py`), and users call each in two flavours (`model_twins.py`).
"""

from __future__ import annotations

import time
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asynccache.audience import Audience, announce
from asynccache.core import keys
from asynccache.core.entry import Kind
from asynccache.core.immutable import is_immutable
from asynccache.core.lifetime import FOREVER, Ttl, seconds
from asynccache.errors import ConfigurationError
from asynccache.fence import LocalFence
from asynccache.model_twins import BackendTwins
from asynccache.serializers import ICacheSerializer, MsgpackSerializer
from asynccache.serializers.base import checked

if TYPE_CHECKING:
    from collections.abc import Callable

    from asynccache.core.events import Event, Listener

Version = keys.Version
PLANS = (
    *("read", "write", "insert", "remove", "exists", "extend", "bump"),
    *("read_many", "write_many", "remove_many"),
)
"""What a backend writes, unless it is written plainly."""


class Capability(Enum):
    """A promise that a store keeps; the contract suite and the docs' table read them."""

    ATOMIC_COUNTERS = "incr and add are atomic"
    SUBSECOND_TTL = "ttl below one second"
    KEEPS_ENTRIES = "what was set can be read again"
    SHARED = "shared between processes"
    CLEARS = "`clear`"
    FENCES = "no load that began before an invalidation is stored after it, in any process"
    LOCKS = "one load per key in all processes, and `lock`"


class BaseCacheBackend(BackendTwins):
    """The base of all backends: write `get` and `set`, or better, inherit `asynccache.backends.base.StoreBackend`.

    A class with plain `get(key)` and `set(key, value, ttl)`, or `get_async` and `set_async`, or all four, and perhaps
    `delete`, is used by services through `asynccache.backends.plain.PlainBackend`. All else is written as plans.

    Args:
        key_prefix: keeps applications apart that share a store.
        version: keeps formats of the same application apart; each call can name another.
        ttl: seconds or a `timedelta` for calls that name none; `None`: such entries do not expire.
        serializer: how values become bytes; `MsgpackSerializer()` unless given.
        clock: a function that returns seconds, for tests.
    """

    capabilities: ClassVar[frozenset[Capability]] = frozenset()
    default_clock: ClassVar[Callable[[], float]] = time.time
    peek: Callable[[str, Version, Kind], Any] | None = None
    """`peek(key, version, kind)` gives the live object or None without waiting, where a backend holds objects.

    That a VALUE is not there is not counted as a miss: whoever peeks for one reads afterwards.
    """
    is_at_hand: ClassVar[bool] = False
    """Whether all that it has is in this process: its plain `get` tells at once what is there, and what is not."""
    is_plain: ClassVar[bool] = False
    """Whether it has a `get` and a `set` of its own, and no plans."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Find out how the class is written."""
        super().__init_subclass__(**options)
        cls.is_plain = (
            not any(map(cls.writes, PLANS))
            and any(map(cls.writes, ("get", "get_async")))
            and any(map(cls.writes, ("set", "set_async")))
        )

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Refuse a class that is only half written."""
        if not cls.is_plain and (missing := sorted(plan for plan in PLANS if not cls.writes(plan))):
            raise TypeError(
                f"{cls.__name__} lacks {missing}: write get and set, or get_async and set_async; or inherit "
                "asynccache.backends.base.StoreBackend and write _fetch, _store and _drop"
            )
        return super().__new__(cls)

    @classmethod
    def writes(cls, name: str) -> bool:
        """Tell whether this class has a method of its own in place of that of the base."""
        return getattr(cls, name) is not getattr(BaseCacheBackend, name)

    def __init__(
        self,
        *,
        key_prefix: str = "",
        version: str | int = 1,
        ttl: Ttl = 300,
        serializer: ICacheSerializer | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        if not isinstance(key_prefix, str):
            raise ConfigurationError(f"key_prefix={key_prefix!r}: give a str")
        if clock is not None and not callable(clock):
            raise ConfigurationError(f"clock={clock!r:.80}: give a function that returns seconds")
        self.key_prefix = key_prefix
        self.version = version
        self.default_ttl = seconds(ttl, FOREVER)
        self.serializer = MsgpackSerializer() if serializer is None else checked("serializer", serializer)
        self.clock: Callable[[], float] = clock or type(self).default_clock
        self.name = type(self).__name__
        self.listeners: list[Listener] = []
        self.fence = LocalFence()
        self._namespace = _namespace(key_prefix, version)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} key_prefix={self.key_prefix!r} version={self.version!r}>"

    # How keys, lifetimes and values become what is stored

    def stored_key(self, key: str, version: Version = None) -> str:
        """Give `prefix:version:key`, the key in the store."""
        namespace = self._namespace if version is None else _namespace(self.key_prefix, version)
        return namespace + keys.checked(key)

    def flight_key(self, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> tuple[int, str, Kind]:
        """Give what a load of this key and kind is known by in this process."""
        return id(self), self.stored_key(key, version), kind

    def lifetime(self, ttl: Ttl) -> float:
        """Turn the ttl of a call into seconds; `None` is this backend's default."""
        return seconds(ttl, self.default_ttl)

    def replicas(self, value: Any) -> Callable[[], Any]:
        """Give a function that returns the value again and again, sharing nothing mutable between its calls."""
        if is_immutable(value):
            return lambda: value
        payload = self.serializer.dumps(value)
        return lambda: self.serializer.loads(payload)

    @property
    def is_heard(self) -> bool:
        """Whether there is anybody to hear what it tells, for those who ask before they make an event."""
        for listener in self.listeners:  # noqa: SIM110  # half of the time that a generator takes
            if type(listener) is not Audience or listener.is_there:
                return True
        return False

    def tell(self, event: Event) -> None:
        """Hand an event to all listeners."""
        announce(event, self.listeners)


def options_of(backend: BaseCacheBackend) -> dict[str, Any]:
    """Give the options of a backend, for one around it that goes by the same."""
    return {
        "key_prefix": backend.key_prefix,
        "version": backend.version,
        "ttl": backend.default_ttl,
        "serializer": backend.serializer,
        "clock": backend.clock,
    }


def _namespace(key_prefix: str, version: object) -> str:
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise TypeError(f"a version is a str or an int, not a {type(version).__name__}")
    return keys.namespace(key_prefix, version)
