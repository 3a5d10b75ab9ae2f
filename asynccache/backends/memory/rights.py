"""What local memory grants to who loads or locks: at once and in this process, since there is nobody else.

The right to load is always granted: the service already lets one caller at a time load a key. Its ticket has no token,
so that nobody renews it, and stands until the key is changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.core.claims import LEASE_SECONDS, Claimed, Held, Hit, Lead, Ticket
from asynccache.core.entry import Entry, Kind
from asynccache.core.keys import checked
from asynccache.model import BaseCacheBackend

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asynccache.backends.memory.leases import Leases
    from asynccache.backends.memory.operations import Operations
    from asynccache.model import Version
    from asynccache.plan.io import IO


def plain(key: object) -> str:
    """Give a key as a `str` itself; `TypeError` where it is none."""
    return key if type(key) is str else str.__str__(checked(key))


class RightsInMemory(BaseCacheBackend):
    """The plans that load and lock."""

    _do: Operations
    _leases: Leases

    def _space(self, version: Version) -> str:
        """Give the name of a space: a prefix and version, as stored keys begin."""
        return self._do.store.default.name if version is None else self.stored_key("", version)

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
        space, tickets = self._space(version), self._do.store.tickets
        stored_key = space + plain(key)
        with self._do.store.lock:
            born = tickets.grant(stored_key)
        entry = self._do.peek_kept(space, key, kind)  # after the grant: what is stored meanwhile is seen, or revokes it
        if entry is None or anew or not self._do.lives(entry) or (seen is not None and seen.at == entry.at != 0):
            return Lead(Ticket(stored_key, born=born), entry)
        with self._do.store.lock:
            tickets.end(stored_key, born)
        return Hit(entry)

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
        space, born = self._space(version), ticket.born
        return self._do.land(space, plain(key), value, ttl, born, kind=kind, stale=stale, tags=tags)

    async def hold(self, io: IO, ticket: Ticket, lease: float = LEASE_SECONDS) -> bool:
        if ticket.token:
            return self._leases.renew(ticket, lease)
        with self._do.store.lock:
            return self._do.store.tickets.stands(ticket.key, ticket.born)

    async def release(self, io: IO, ticket: Ticket) -> bool:
        if ticket.token:
            return self._leases.end(ticket)
        with self._do.store.lock:
            return self._do.store.tickets.end(ticket.key, ticket.born)

    async def claim_lock(self, io: IO, key: str, lease: float, version: Version = None) -> Lead | Held:
        return self._leases.claim(self.stored_key(key, version), lease)

    async def attend_lock(self, io: IO, key: str, seconds: float, version: Version = None) -> None:
        await self._leases.wait(io, self.stored_key(key, version), seconds)

    async def void(self, io: IO, tags: Iterable[str], version: Version = None) -> None:
        with self._do.store.lock:
            self._do.store.tickets.spoil(self._space(version), tags)

    async def empty(self, io: IO, version: Version = None) -> None:
        self._do.store.clear(self._space(version))
