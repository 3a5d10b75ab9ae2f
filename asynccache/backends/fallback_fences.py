"""Tags and clearing of a chain: all its stores do both, and no load that began before is stored afterwards.

A chain grants no rights, whatever its stores have: one that comes back knows nothing of what another has granted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asynccache.backends.tolerant import TolerantBackend
from asynccache.backends.undone import Item
from asynccache.core.entry import Kind
from asynccache.core.fence import Birth, cells_of
from asynccache.model import Capability

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asynccache.backends.fallback_chain import Chain
    from asynccache.backends.fallback_journal import Name
    from asynccache.core.claims import Ticket
    from asynccache.model import Version
    from asynccache.plan.io import IO

_CLEARED = (-1,)
"""In place of the cell of a tag, what all entries have that a clear takes along."""


class ChainFences(TolerantBackend):
    """The plans of a chain that concern more than one key."""

    _chain: Chain

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
        birth = Birth(getattr(ticket.view, "gen", b""), ticket.born, _CLEARED)
        if not self.fence.allows(birth):
            return False
        landed = await super().land(io, key, value, ttl, ticket, stale=stale, tags=tags, version=version, kind=kind)
        if landed and not self.fence.allows(birth):
            await self.remove(io, key, version)  # the stores were cleared while this was written, perhaps just before
            return False
        return landed

    async def void(self, io: IO, tags: Iterable[str], version: Version = None) -> None:
        if not (chosen := tuple(tags)):
            return
        named, _ = self._name("", version)
        cells, items = cells_of(chosen), [Item(named, tag=tag) for tag in chosen]
        self.fence.void(cells)
        try:
            await self._chain.everywhere(io, items, lambda store: store.void(io, chosen, named))
        finally:
            self.fence.void(cells)  # what was made meanwhile may be made of what was still there

    async def empty(self, io: IO, version: Version = None) -> None:
        if Capability.CLEARS not in self.capabilities:
            await super().empty(io, version)
        named, _ = self._name("", version)
        self.fence.void(_CLEARED)
        try:
            await self._chain.everywhere(io, [Item(named)], lambda store: store.empty(io, named))
        finally:
            self.fence.void(_CLEARED)  # likewise

    def _name(self, key: str, version: Version) -> Name:
        self.stored_key(key, version)  # which raises for what is no key and no version
        return str(self.version if version is None else version), key
