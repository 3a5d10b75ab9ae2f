"""What all operations of two tiers have in common: asking the far one, and having it done again what it did not do."""

from __future__ import annotations

from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any

from asynccache.backends.fallback_link import raising
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.tiered_copies import Copies
from asynccache.backends.tiered_near import NearTier
from asynccache.backends.tiered_watch import Watch
from asynccache.backends.tolerant import TolerantBackend
from asynccache.backends.undone import Item, Undone
from asynccache.backends.undone_replay import Replay
from asynccache.core import fence
from asynccache.core.fence import cells_of
from asynccache.errors import BackendUnavailableError, ConfigurationError
from asynccache.model import BaseCacheBackend, Capability, options_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asynccache.core.entry import Entry, Kind
    from asynccache.model import Version
    from asynccache.plan.io import IO

_OF_THE_STORE = frozenset({Capability.SHARED, Capability.CLEARS, Capability.FENCES, Capability.LOCKS})


class Tiers(TolerantBackend):
    """Two tiers, and what they know of each other."""

    def __init__(self, l1: LocalMemCacheBackend, l2: BaseCacheBackend, *, max_staleness: float = 1.0) -> None:
        store = _checked(l1, l2, max_staleness)
        super().__init__(**options_of(store))
        self.l1, self.l2 = l1, store
        self.max_staleness = max_staleness
        self.on_error = getattr(store, "on_error", "miss")
        self.capabilities = store.capabilities & (l1.capabilities | _OF_THE_STORE)  # type: ignore[misc]  # as its parts
        self._far = raising(store)
        self._journal = Undone(can_clear=Capability.CLEARS in store.capabilities)
        self._near = NearTier(Copies(l1, store.serializer), self._journal, max_staleness, self.clock)
        self._replay = Replay(self._journal, self._far)
        self._watch = Watch(self._far, self._near)
        for tier in (l1, store):
            tier.listeners.append(self.tell)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.l1!r} + {self.l2!r}>"

    def replicas(self, value: Any) -> Callable[[], Any]:
        return super().replicas(value) if self.l1.copy else lambda: value

    # Asking the store

    def _item(self, key: str, version: Version) -> Item:
        return Item(str(self.version if version is None else version), key)

    async def _asked(self, io: IO, key: str, version: Version, kind: Kind) -> Entry | None:
        """Ask the store, and hold what it gives; `BackendUnavailableError` where it is away."""
        item, stored_key = self._item(key, version), self.stored_key(key, version)
        await self._settled(io, item.version, [key])
        ground = self._watch.ground(stored_key)
        entry = await self._far.look(io, key, version, kind)
        if entry is None or self._journal.bars(item, cells_of(entry.tags)):
            return None
        return self._near.admit(ground, stored_key, item, kind, entry)

    async def _asked_many(self, io: IO, keys: list[str], version: Version, kind: Kind) -> dict[str, Entry]:
        items = {key: self._item(key, version) for key in keys}
        await self._settled(io, self._item("", version).version, keys)
        grounds = {key: self._watch.ground(self.stored_key(key, version)) for key in keys}
        found = await self._far.look_many(io, keys, version, kind)
        return {
            key: self._near.admit(grounds[key], self.stored_key(key, version), items[key], kind, entry)
            for key, entry in found.items()
            if not self._journal.bars(items[key], cells_of(entry.tags))
        }

    async def _settled(self, io: IO, version: str, keys: Iterable[str], *, wide: bool = False) -> None:
        """Have done what has to be before these keys are asked for; `BackendUnavailableError` where that fails."""
        if not len(self._journal):
            return
        self._replay.begin()  # which may have been stopped, or left behind in the parent of this process
        if pending := self._journal.pending(version, keys, wide=wide):
            await self._replay.do(io, pending)

    # Changing it

    @contextmanager
    def _changing(
        self, keys: Iterable[str], version: Version, *, tags: tuple[str, ...] | None = None
    ) -> Iterator[None]:
        """Stand around a change at the store: of keys, else of tags, else of everything. What fails will be replayed.

        Raises what is raised inside; a `BackendUnavailableError` tells in `queued` whether it is.
        """
        stored_keys = tuple(self.stored_key(key, version) for key in keys)
        items = [self._item(key, version) for key in keys] or _wide(self._item("", version).version, tags)
        mark = self._journal.mark()
        try:
            yield
            self._journal.acknowledged(items, mark)
        except BackendUnavailableError as error:
            error.queued = self._journal.add(items)
            self._near.forget(stored_keys)
            self._replay.begin()
            raise
        finally:
            if stored_keys:
                self._near.note(fence.KEYS, stored_keys)
            else:
                self._near.note(fence.TAGS if tags else fence.CLEAR, cells_of(tags or ()))

    @contextmanager
    def _touching(self, stored_key: str) -> Iterator[None]:
        """Stand around a change that is of no harm where it was not done."""
        try:
            yield
        except BackendUnavailableError:
            self._near.forget([stored_key])
            raise
        finally:
            self._near.note(fence.KEYS, (stored_key,))

    def _tolerated(self, error: BackendUnavailableError, misses: int = 0) -> None:
        self._counts["errors"] += 1
        super()._tolerated(error, misses)


def _wide(version: str, tags: tuple[str, ...] | None) -> list[Item]:
    return [Item(version)] if tags is None else [Item(version, tag=tag) for tag in tags]


def _checked(l1: object, l2: object, max_staleness: object) -> BaseCacheBackend:
    if not isinstance(l1, LocalMemCacheBackend):
        raise ConfigurationError(f"the near tier is a LocalMemCacheBackend(...) of its own, not a {type(l1).__name__}")
    if not isinstance(l2, BaseCacheBackend) or l2 is l1:
        raise ConfigurationError(
            f"the far tier is a backend that is shared, such as RedisCacheBackend(...), not a {type(l2).__name__}"
        )
    number = isinstance(max_staleness, int | float) and not isinstance(max_staleness, bool)
    if not number or not 0 < max_staleness < inf:  # type: ignore[operator]  # it is one
        raise ConfigurationError(f"max_staleness={max_staleness!r}: give seconds, more than 0")
    from asynccache.backends.plain import PlainBackend

    return PlainBackend(l2) if l2.is_plain else l2
