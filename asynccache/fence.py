"""Fences of a store that has no order of its own: they hold within this process."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from asynccache.core.claims import LEASE_SECONDS, Claimed, Held, Lead, Made, Ticket
from asynccache.core.entry import Entry, Kind
from asynccache.core.fence import Birth, Marks, View, cells_of, is_clean
from asynccache.errors import ConfigurationError, SerializationError
from asynccache.model_plans import BackendPlans
from asynccache.plan.forks import anew_in_child

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from asynccache.core.keys import Version
    from asynccache.plan.io import IO


class LocalFence:
    """A counter and a table of cells, kept by one process: what others invalidate is not seen here.

    What was stored with tags by another process is of another generation, and not used: it is loaded again.
    """

    def __init__(self) -> None:
        self._stamps: dict[int, int] = {}
        self._seq = 1
        self.begin_anew()
        anew_in_child(self)

    def begin_anew(self) -> None:
        """Be another generation than the parent, in a forked child."""
        self._lock = threading.Lock()
        self.view = View(os.urandom(4).hex().encode(), b"")
        """What positions found here compare within: this process."""

    def birth(self, cells: Sequence[int]) -> Birth:
        """Give what an entry is marked with that is written now."""
        return Birth(self.view.gen, self._seq, tuple(cells))

    def ticket(self, key: str) -> Ticket:
        """Grant a load that begins now."""
        return Ticket(key, born=self._seq, view=self.view)

    def void(self, cells: Iterable[int]) -> None:
        """Note that what is tagged so is not to be used any more."""
        with self._lock:
            self._seq += 1
            self._stamps.update(dict.fromkeys(cells, self._seq))

    def allows(self, birth: Birth) -> bool:
        """Tell whether an entry may be used; without tags it always may."""
        if not birth.cells:
            return True
        stamps = tuple(self._stamps.get(cell, 0) for cell in birth.cells)
        return birth.gen == self.view.gen and is_clean(birth.born, Marks(1, stamps))


class Unfenced(BackendPlans):
    """The plans of a backend whose store grants no rights: everybody may load, and what is loaded is stored.

    What keeps a load begun before an invalidation from being stored are the flights of the service (`loading/`) for
    keys, and a `LocalFence` for tags.
    """

    fence: LocalFence

    async def claim(
        self,
        io: IO,
        key: str,
        lease: float = LEASE_SECONDS,
        *,
        seen: Entry | None = None,
        anew: bool = False,
        version: Version = None,
        kind: Kind = Kind.VALUE,
    ) -> Claimed:
        """Ask for the right to load, which stands for `lease` seconds; `BackendUnavailableError` where nobody says.

        `seen` is what the caller holds: a later copy is a `Hit`, and the same one is not, nor anything if `anew`.
        """
        del io, lease, anew, kind
        return Lead(self.fence.ticket(self.stored_key(key, version)), seen)

    async def land(
        self,
        io: IO,
        key: str,
        value: Any,
        ttl: float | None,
        ticket: Ticket,
        *,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
        version: Version = None,
        kind: Kind = Kind.VALUE,
    ) -> bool:
        """Store what was loaded, if the right still stands and nothing was invalidated since it was granted.

        True says that it was good for all who asked before this; where the store could not take it, too. With `stale`
        its times are kept, and it for so many seconds beyond its end. `ttl=None` stores nothing, and tells the same.
        """
        birth = Birth(getattr(ticket.view, "gen", b""), ticket.born, cells_of(tags))
        if not self.fence.allows(birth):
            return False
        if ttl is None:
            return True
        if stale is None:
            await self.write(io, key, value, ttl, version, kind, tags=tags)
        else:
            await self.keep(io, key, value, ttl, stale, version, tags=tags, kind=kind)
        if self.fence.allows(birth):
            return True
        await self.remove(io, key, version)  # a tag was invalidated while this was written, perhaps just before
        return False

    async def hold(self, io: IO, ticket: Ticket, lease: float = LEASE_SECONDS) -> bool:
        """Renew the right; False where it is lost."""
        del io, ticket, lease
        return True

    async def release(self, io: IO, ticket: Ticket) -> bool:
        """Give the right up, so that whoever waits may have it; False where it was lost before."""
        del io, ticket
        return True

    async def attend(self, io: IO, key: str, seconds: float, version: Version = None, kind: Kind = Kind.VALUE) -> None:
        """Wait until the load of another process may be over, at most so long."""

    async def claim_many(
        self,
        io: IO,
        keys: Sequence[str],
        lease: float = LEASE_SECONDS,
        *,
        seen: Mapping[str, Entry] | None = None,
        version: Version = None,
    ) -> dict[str, Claimed]:
        """Ask for the rights to load these values, as `claim` does for each."""
        copies = seen or {}
        return {key: await self.claim(io, key, lease, seen=copies.get(key), version=version) for key in keys}

    async def land_many(
        self,
        io: IO,
        made: Sequence[Made],
        *,
        stale: float | None = None,
        tags: tuple[str, ...] = (),
        version: Version = None,
    ) -> dict[str, bool | SerializationError]:
        """Store what was loaded, as `land` does for each; what cannot be stored is told by its error."""
        landed: dict[str, bool | SerializationError] = {}
        grants_nothing = type(self).land is Unfenced.land and not tags and stale is None
        written = await self._written_many(io, made, version) if grants_nothing else set()
        for key, value, ttl, ticket in made:
            try:
                landed[key] = key in written or await self.land(
                    io, key, value, ttl, ticket, stale=stale, tags=tags, version=version
                )
            except SerializationError as error:
                landed[key] = error
        return landed

    async def _written_many(self, io: IO, made: Sequence[Made], version: Version) -> set[str]:
        """Store those that live equally long at once; give the keys of those with which that could be done."""
        by_ttl: dict[float, dict[str, Any]] = {}
        for key, value, ttl, _ in made:
            if ttl is not None:
                by_ttl.setdefault(ttl, {})[key] = value
        written: set[str] = set()
        for ttl, values in by_ttl.items():
            with suppress(SerializationError):  # one of them cannot be stored
                await self.write_many(io, values, ttl, version)
                written |= values.keys()
        return written

    async def claim_lock(self, io: IO, key: str, lease: float, version: Version = None) -> Lead | Held:
        """Ask for the lock of this name, which stands for `lease` seconds unless `hold` renews and `release` ends it.

        The ticket's `born` is greater than that of whoever had the lock before. Raises `BackendUnavailableError` where
        nobody says; what was granted then ends by itself.
        """
        del io, key, lease, version
        raise ConfigurationError(
            f"{type(self).__name__} has no locks: its store cannot grant a right to one of all processes; use Redis, "
            "memcached, an SQL database, or local memory within one process"
        )

    async def attend_lock(self, io: IO, key: str, seconds: float, version: Version = None) -> None:
        """Wait until the lock of this name may be free, at most so long."""

    async def void(self, io: IO, tags: Iterable[str], version: Version = None) -> None:
        """Invalidate all that is tagged so, whatever its version where the store has no order of its own."""
        del io, version
        self.fence.void(cells_of(tags))

    async def empty(self, io: IO, version: Version = None) -> None:
        """Remove all entries of this prefix and version."""
        del io, version
        raise ConfigurationError(
            f"{type(self).__name__} cannot be cleared: its store has no means to remove the entries of one prefix and "
            "version alone; give it another version=..., or delete the keys"
        )
