"""A chain of stores: the first that answers is used, at any time, and nothing outdated comes back with the others."""

from __future__ import annotations

from collections import ChainMap
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from asynccache.backends.fallback_chain import Chain
from asynccache.backends.fallback_fences import ChainFences
from asynccache.backends.fallback_link import Link
from asynccache.core.entry import Entry, Kind
from asynccache.errors import BackendUnavailableError, ConfigurationError, SerializationError
from asynccache.model import BaseCacheBackend, Capability, options_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping

    from asynccache.backends.fallback_chain import Ask
    from asynccache.backends.fallback_journal import Name
    from asynccache.model import Version
    from asynccache.plan.io import IO


NO_RIGHTS = frozenset({Capability.FENCES, Capability.LOCKS})
"""What no chain has: a store that comes back knows of no right that another has granted."""


class FallbackCacheBackend(ChainFences):
    """Uses the first of several backends that answers: `FallbackCacheBackend([redis, local])`.

    Falls back while it runs and comes back by itself: a second after a store answers again, keys that were changed
    meanwhile return to it, without their values. Counters start from 0 on either way. `on_error`, and all options that
    every backend has, are those of the first backend; for keys and values each goes by its own. Listeners hear
    `BackendDown` and `BackendUp` of each, and its other events.

    Args:
        backends: instances, the preferred one first. They are opened and closed with the chain.

    Raises `ConfigurationError` where there is none, or something is no instance, and for all options.
    """

    def __init__(self, backends: Iterable[BaseCacheBackend], **options: Any) -> None:
        if options:
            raise ConfigurationError(f"a chain has no {', '.join(options)} of its own: give it to the backends in it")
        self.backends = _checked(backends)
        first = self.backends[0]
        super().__init__(**options_of(first))
        self.on_error = getattr(first, "on_error", "miss")
        promised = frozenset.intersection(*[backend.capabilities for backend in self.backends])
        self.capabilities = promised - NO_RIGHTS  # type: ignore[misc]  # what a chain promises depends on its stores
        self._chain = Chain([Link(backend, self.tell) for backend in self.backends], self._counts)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {' | '.join(map(repr, self.backends))}>"

    def stats(self) -> dict[str, int]:
        """Give its counters, and how many of its backends are `away` and keys `outdated` just now.

        `hits` and `misses`; `fallbacks`: operations that the first backend did not answer and another did; `errors`:
        operations that none answered.
        """
        counted = {name: self._counts[name] for name in ("hits", "misses", "fallbacks", "errors")}
        return counted | {"away": self._chain.away, "outdated": self._chain.outdated}

    # Plans

    async def read(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[Entry | None]:
            return store.read(io, keys[0], version, kind)

        return await self._found(io, self._name(key, version), ask)

    async def look(self, io: IO, key: str, version: Version = None, kind: Kind = Kind.VALUE) -> Entry | None:
        async def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Entry | None:
            entry = await store.look(io, keys[0], version, kind)
            return None if entry is None else entry.moved(self.clock() - store.clock())

        return await self._found(io, self._name(key, version), ask)

    async def read_many(
        self, io: IO, keys: Iterable[str], version: Version = None, kind: Kind = Kind.VALUE
    ) -> dict[str, Entry]:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[dict[str, Entry]]:
            return store.read_many(io, keys, version, kind)

        names = self._names(keys, version)
        try:
            found = dict(ChainMap(*await self._chain.ask(io, names, ask)))
        except BackendUnavailableError as error:
            self._tolerated(error, misses=len(names))
            return {}
        self._counts["hits"] += len(found)
        self._counts["misses"] += len(names) - len(found)
        return found

    async def exists(self, io: IO, key: str, version: Version = None) -> bool:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[bool]:
            return store.exists(io, keys[0], version)

        try:
            return all(await self._chain.ask(io, [self._name(key, version)], ask))
        except BackendUnavailableError as error:
            self._tolerated(error)
            return False

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
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[bool]:
            return store.write(io, keys[0], value, ttl, version, kind, tags=tags)

        return await self._written(io, key, version, ask)

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
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[bool]:
            return store.keep(io, keys[0], value, ttl, stale, version, tags=tags, kind=kind)

        return await self._written(io, key, version, ask)

    async def write_many(self, io: IO, values: Mapping[str, Any], ttl: float, version: Version = None) -> list[str]:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[list[str]]:
            return store.write_many(io, {key: values[key] for key in keys}, ttl, version)

        try:
            return list(chain.from_iterable(await self._chain.change(io, self._names(values, version), ask)))
        except BackendUnavailableError as error:
            self._tolerated(error)
            return list(values)
        except SerializationError:
            with suppress(BackendUnavailableError):
                await self.remove_many(io, values, version)
            raise

    async def insert(self, io: IO, key: str, value: Any, ttl: float, version: Version = None) -> bool:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[bool]:
            return store.insert(io, keys[0], value, ttl, version)

        return all(await self._chain.change(io, [self._name(key, version)], ask))

    async def remove(self, io: IO, key: str, version: Version = None) -> bool:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[bool]:
            return store.remove(io, keys[0], version)

        return all(await self._chain.change(io, [self._name(key, version)], ask))

    async def remove_many(self, io: IO, keys: Iterable[str], version: Version = None) -> int:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[int]:
            return store.remove_many(io, keys, version)

        return sum(await self._chain.change(io, self._names(keys, version), ask))

    async def extend(self, io: IO, key: str, ttl: float, version: Version = None) -> bool:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[bool]:
            return store.extend(io, keys[0], ttl, version)

        return all(await self._chain.change(io, [self._name(key, version)], ask))

    async def bump(self, io: IO, key: str, delta: int, version: Version = None) -> int:
        def ask(store: BaseCacheBackend, keys: list[str], version: str) -> Awaitable[int]:
            return store.bump(io, keys[0], delta, version)

        return sum(await self._chain.change(io, [self._name(key, version)], ask))

    async def open(self, io: IO) -> None:
        await self._chain.open(io)

    async def shut(self, io: IO) -> None:
        await self._chain.shut(io)

    def _names(self, keys: Iterable[str], version: Version) -> list[Name]:
        return [self._name(key, version) for key in dict.fromkeys(keys)]

    async def _found(self, io: IO, name: Name, ask: Ask[Entry | None]) -> Entry | None:
        try:
            (entry,) = await self._chain.ask(io, [name], ask)
        except BackendUnavailableError as error:
            self._tolerated(error, misses=1)
            return None
        self._counted(self._still_fresh(entry))
        return entry

    async def _written(self, io: IO, key: str, version: Version, ask: Ask[bool]) -> bool:
        try:
            return all(await self._chain.change(io, [self._name(key, version)], ask))
        except BackendUnavailableError as error:
            self._tolerated(error)
            return False
        except SerializationError:
            with suppress(BackendUnavailableError):  # of the old value, the store that was asked has let go only itself
                await self.remove(io, key, version)
            raise


def _checked(backends: Iterable[BaseCacheBackend]) -> tuple[BaseCacheBackend, ...]:
    if isinstance(backends, str | BaseCacheBackend) or not hasattr(backends, "__iter__"):
        raise ConfigurationError("a chain is made of a list of backends, such as [RedisCacheBackend(), ...]")
    checked = tuple(backends)
    for backend in checked:
        if not isinstance(backend, BaseCacheBackend):
            raise ConfigurationError(
                f"a chain is made of instances, not of a {type(backend).__name__}: write CacheModule.setup(default="
                "['redis', 'local']) for words and URLs"
            )
    if not checked:
        raise ConfigurationError("a chain of no backends: name one at least")
    from asynccache.backends.plain import PlainBackend

    return tuple(PlainBackend(backend) if backend.is_plain else backend for backend in checked)
