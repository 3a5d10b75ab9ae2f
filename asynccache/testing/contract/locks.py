"""Locks by name: one holder, whom nobody else can free."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from asynccache.core.claims import Held, Lead
from asynccache.errors import ConfigurationError
from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured

LEASE = 30.0


class LockContract(ContractBase):
    """What `service.lock` asks of a store; one without locks says so."""

    async def test_lock_has_one_holder_at_a_time(self, cache: Flavoured) -> None:
        if not cache.can(Capability.LOCKS):
            with pytest.raises(ConfigurationError, match="has no locks"):
                await cache.plan("claim_lock", "k", LEASE)
            return
        first = await self._locked(cache, "k")
        held = await cache.plan("claim_lock", "k", LEASE)
        assert isinstance(held, Held)
        assert 0 < held.seconds <= LEASE
        assert await cache.plan("hold", first.ticket, LEASE) is True
        assert await cache.plan("release", first.ticket) is True
        assert await cache.plan("release", first.ticket) is False
        assert await cache.plan("hold", first.ticket, LEASE) is False
        second = await self._locked(cache, "k")
        assert second.ticket.born > first.ticket.born
        assert await cache.plan("release", first.ticket) is False
        assert isinstance(await cache.plan("claim_lock", "k", LEASE), Held)
        assert await cache.plan("release", second.ticket) is True

    async def test_locks_are_apart_from_entries_and_versions(self, cache: Flavoured) -> None:
        if not cache.can(Capability.LOCKS):
            return
        lead = await self._locked(cache, "k")
        await cache.set("k", "v")
        await cache.delete("k")
        await cache.invalidate_tags("k")
        await cache.clear()
        assert await cache.plan("hold", lead.ticket, LEASE) is True
        other = await cache.plan("claim_lock", "k", LEASE, 2)
        assert isinstance(other, Lead)
        assert await cache.get("k") is None
        for ticket in (lead.ticket, other.ticket):
            assert await cache.plan("release", ticket) is True

    async def test_who_waits_for_a_lock_is_woken(self, cache: Flavoured) -> None:
        if not cache.can(Capability.LOCKS):
            return
        await cache.plan("release", (await self._locked(cache, "other")).ticket)
        await cache.plan("attend_lock", "free", LEASE)  # from here on the store is heard
        lead = await self._locked(cache, "k")
        waiting = [asyncio.ensure_future(cache.plan("attend_lock", "k", LEASE)) for _ in range(3)]
        await asyncio.sleep(0.05)
        waiting.pop().cancel()
        await cache.plan("release", lead.ticket)
        async with asyncio.timeout(LEASE / 2):
            await asyncio.gather(*waiting)

    async def _locked(self, cache: Flavoured, key: str) -> Lead:
        claimed = await cache.plan("claim_lock", key, LEASE)
        assert isinstance(claimed, Lead)
        return claimed
