"""What every backend is: options, key rules, and each operation in two flavours over one plan."""

from __future__ import annotations

import logging
import time
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Self

from asynccache.core import keys
from asynccache.core.counters import checked_delta
from asynccache.core.entry import Entry, Kind
from asynccache.core.lifetime import FOREVER, Ttl, seconds
from asynccache.core.tags import tagged
from asynccache.errors import ConfigurationError
from asynccache.fence import LocalFence, Unfenced
from asynccache.plan.io import BLOCKING, LOOP, run
from asynccache.serializers import ICacheSerializer, MsgpackSerializer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from asynccache.core.events import Event, Listener, Observable
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
Version = keys.Version


PLANS = (
    *("read", "write", "insert", "remove", "exists", "extend", "bump"),
    *("read_many", "write_many", "remove_many"),
)
"""What a backend has that is not written plainly."""
_PLAIN_ONLY = (
    "this backend has plain methods only: hand it to a CacheService, or to asynccache.backends.plain.PlainBackend"
)


class Capability(Enum):
    """A promise that a store keeps; the contract suite and the docs' table read them."""

    ATOMIC_COUNTERS = "incr and add are atomic"
    SUBSECOND_TTL = "ttl below one second"
    KEEPS_ENTRIES = "what was set can be read again"
    SHARED = "shared between processes"
    CLEARS = "`clear`"
    FENCES = "no load that began before an invalidation is stored after it, in any process"
    LOCKS = "one load per key in all processes, and `lock`"


ALL_BUT_FENCES = frozenset(Capability) - {Capability.CLEARS, Capability.FENCES, Capability.LOCKS}


class BaseCacheBackend(Unfenced):
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
        if serializer is not None and not isinstance(serializer, ICacheSerializer):
            given = serializer if isinstance(serializer, str | type) else type(serializer)
            raise ConfigurationError(f"serializer={given!r:.80}: give an instance, such as MsgpackSerializer()")
        if clock is not None and not callable(clock):
            raise ConfigurationError(f"clock={clock!r:.80}: give a function that returns seconds")
        self.key_prefix = key_prefix
        self.version = version
        self.default_ttl = seconds(ttl, FOREVER)
        self.serializer = serializer or MsgpackSerializer()
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

    # Plans

    async def read(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        """Find the live entry of this kind."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def write(
        self,
        io: IO,
        key: str,
        value: Any,
        ttl: float,
        version: Version = None,
        kind: Kind = Kind.VALUE,
        *,
        tags: tuple[str, ...] = (),
    ) -> bool:
        """Store for `ttl` seconds; 0 or less removes. The value of a PAGE or MARKER is any object with `__bytes__`."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def look(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        """Find the value for a read-through, with its times; also one that is over, where that was kept."""
        return await self.read(io, key, version, kind)

    async def look_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        """Find what there is for read-throughs, as `look` does for each."""
        looks = {key: await self.look(io, key, version, kind) for key in dict.fromkeys(keys)}
        return {key: entry for key, entry in looks.items() if entry is not None}

    async def keep(
        self,
        io: IO,
        key: str,
        value: Any,
        ttl: float,
        stale: float,
        version: Version = None,
        *,
        tags: tuple[str, ...] = (),
        kind: Kind = Kind.VALUE,
    ) -> bool:
        """Store for `ttl` seconds, and keep it for `stale` more, in which `look` alone finds it, if the store can."""
        del stale
        return await self.write(io, key, value, ttl, version, kind, tags=tags)

    async def insert(self, io: IO, key: str, value: Any, ttl: float, version: Version = None) -> bool:
        """Store unless a live entry is there."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def remove(self, io: IO, key: str, version: Version = None) -> bool:
        """Remove the entry of whatever kind; tell whether there was one."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def exists(self, io: IO, key: str, version: Version = None) -> bool:
        """Tell whether there is a live entry of whatever kind."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def extend(self, io: IO, key: str, ttl: float, version: Version = None) -> bool:
        """Give a live entry of whatever kind a new lifetime; 0 or less removes it."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def bump(self, io: IO, key: str, delta: int, version: Version = None) -> int:
        """Add to a counter, which starts from 0."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def read_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        """Find the live entries of this kind."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def write_many(self, io: IO, values: Mapping[str, Any], ttl: float, version: Version = None) -> list[str]:
        """Store all; give the keys that failed."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def remove_many(self, io: IO, keys: Iterable[str], version: Version = None) -> int:
        """Remove all; tell how many there were."""
        raise NotImplementedError(_PLAIN_ONLY)

    async def open(self, io: IO) -> None:
        """Get ready; called at start-up, and not needed before the first operation."""

    async def shut(self, io: IO) -> None:
        """Let go of connections; the backend can be used again afterwards."""

    def stats(self) -> dict[str, int]:
        """Give this backend's counters since it was made."""
        return {}

    # What users call, in two flavours

    def get(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        """Return the value, or `default` on a miss."""
        entry = run(self.read(BLOCKING, key, version))
        return default if entry is None else entry.value

    async def get_async(self, key: str, version: Version = None, *, default: Any = None) -> Any:
        """Return the value, or `default` on a miss."""
        entry = await self.read(LOOP, key, version)
        return default if entry is None else entry.value

    def set(self, key: str, value: Any, ttl: Ttl = None, version: Version = None, *, tags: Iterable[str] = ()) -> bool:
        """Store a value; False where the store could not take it (the old value is then gone)."""
        return run(self.write(BLOCKING, key, value, self.lifetime(ttl), version, tags=tagged(tags)))

    async def set_async(
        self, key: str, value: Any, ttl: Ttl = None, version: Version = None, *, tags: Iterable[str] = ()
    ) -> bool:
        """Store a value; False where the store could not take it (the old value is then gone)."""
        return await self.write(LOOP, key, value, self.lifetime(ttl), version, tags=tagged(tags))

    def add(self, key: str, value: Any, ttl: Ttl = None, version: Version = None) -> bool:
        """Store a value unless there is one; tell whether it was stored."""
        return run(self.insert(BLOCKING, key, value, self.lifetime(ttl), version))

    async def add_async(self, key: str, value: Any, ttl: Ttl = None, version: Version = None) -> bool:
        """Store a value unless there is one; tell whether it was stored."""
        return await self.insert(LOOP, key, value, self.lifetime(ttl), version)

    def delete(self, key: str, version: Version = None) -> bool:
        """Remove an entry; tell whether there was one."""
        return run(self.remove(BLOCKING, key, version))

    async def delete_async(self, key: str, version: Version = None) -> bool:
        """Remove an entry; tell whether there was one."""
        return await self.remove(LOOP, key, version)

    def has_key(self, key: str, version: Version = None) -> bool:
        """Tell whether there is a live entry."""
        return run(self.exists(BLOCKING, key, version))

    async def has_key_async(self, key: str, version: Version = None) -> bool:
        """Tell whether there is a live entry."""
        return await self.exists(LOOP, key, version)

    def touch(self, key: str, ttl: Ttl = None, version: Version = None) -> bool:
        """Give an entry a new lifetime; tell whether there was one."""
        return run(self.extend(BLOCKING, key, self.lifetime(ttl), version))

    async def touch_async(self, key: str, ttl: Ttl = None, version: Version = None) -> bool:
        """Give an entry a new lifetime; tell whether there was one."""
        return await self.extend(LOOP, key, self.lifetime(ttl), version)

    def incr(self, key: str, delta: int = 1, version: Version = None) -> int:
        """Add to a counter and return it; a missing one starts from 0 with the default ttl."""
        return run(self.bump(BLOCKING, key, checked_delta(delta), version))

    async def incr_async(self, key: str, delta: int = 1, version: Version = None) -> int:
        """Add to a counter and return it; a missing one starts from 0 with the default ttl."""
        return await self.bump(LOOP, key, checked_delta(delta), version)

    def decr(self, key: str, delta: int = 1, version: Version = None) -> int:
        """Subtract from a counter and return it; a missing one starts from 0 with the default ttl."""
        return run(self.bump(BLOCKING, key, -checked_delta(delta), version))

    async def decr_async(self, key: str, delta: int = 1, version: Version = None) -> int:
        """Subtract from a counter and return it; a missing one starts from 0 with the default ttl."""
        return await self.bump(LOOP, key, -checked_delta(delta), version)

    def get_many(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        """Return the values that are there, by key."""
        return _values(run(self.read_many(BLOCKING, keys, version)))

    async def get_many_async(self, keys: Iterable[str], version: Version = None) -> dict[str, Any]:
        """Return the values that are there, by key."""
        return _values(await self.read_many(LOOP, keys, version))

    def set_many(self, values: Mapping[str, Any], ttl: Ttl = None, version: Version = None) -> list[str]:
        """Store all values; return the keys that could not be stored."""
        return run(self.write_many(BLOCKING, keys.mapped(values), self.lifetime(ttl), version))

    async def set_many_async(self, values: Mapping[str, Any], ttl: Ttl = None, version: Version = None) -> list[str]:
        """Store all values; return the keys that could not be stored."""
        return await self.write_many(LOOP, keys.mapped(values), self.lifetime(ttl), version)

    def delete_many(self, keys: Iterable[str], version: Version = None) -> int:
        """Remove all these entries; return how many there were."""
        return run(self.remove_many(BLOCKING, keys, version))

    async def delete_many_async(self, keys: Iterable[str], version: Version = None) -> int:
        """Remove all these entries; return how many there were."""
        return await self.remove_many(LOOP, keys, version)

    def invalidate_tags(self, *tags: str, version: Version = None) -> None:
        """Invalidate all entries with one of these tags, and all that is being loaded with one."""
        run(self.void(BLOCKING, tagged(tags), version))

    async def invalidate_tags_async(self, *tags: str, version: Version = None) -> None:
        """Invalidate all entries with one of these tags, and all that is being loaded with one."""
        await self.void(LOOP, tagged(tags), version)

    def clear(self, version: Version = None) -> None:
        """Remove all entries of this prefix and version."""
        run(self.empty(BLOCKING, version))

    async def clear_async(self, version: Version = None) -> None:
        """Remove all entries of this prefix and version."""
        await self.empty(LOOP, version)

    def close(self) -> None:
        """Let go of connections."""
        run(self.shut(BLOCKING))

    async def aclose(self) -> None:
        """Let go of connections."""
        await self.shut(LOOP)


class Audience:
    """The listeners of a service, which are one listener to each of its backends."""

    def __init__(self, service: Observable) -> None:
        self._service = service

    @property
    def is_there(self) -> bool:
        """Whether there are any."""
        return bool(self._service.listeners)

    def __call__(self, event: Event) -> None:
        """Hand it on."""
        announce(event, self._service.listeners)


def announce(event: Event, listeners: Iterable[Listener]) -> None:
    """Hand an event to listeners; one that raises is logged, and fails nobody's operation."""
    for listener in tuple(listeners):
        try:
            listener(event)
        except Exception:
            logger.exception("the listener %r failed at %r", listener, event)


def _namespace(key_prefix: str, version: object) -> str:
    if isinstance(version, bool) or not isinstance(version, str | int):
        raise TypeError(f"a version is a str or an int, not a {type(version).__name__}")
    return keys.namespace(key_prefix, version)


def _values(entries: Mapping[str, Entry]) -> dict[str, Any]:
    return {key: entry.value for key, entry in entries.items()}


IMMUTABLE = frozenset({str, bytes, int, float, bool, type(None)})


def is_immutable(value: Any) -> bool:
    """Tell whether a value can be shared as it is: str, bytes, numbers, None and tuples of these."""
    kind = type(value)
    return kind in IMMUTABLE or (kind is tuple and all(map(is_immutable, value)))
