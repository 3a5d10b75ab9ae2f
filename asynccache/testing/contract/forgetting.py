"""The contract of a backend that keeps nothing: every call is answered as if the cache were empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asynccache.core.entry import Kind
from asynccache.model import Capability
from asynccache.testing.contract.kinds import PAGE
from asynccache.testing.contract.shape import ShapeContract
from asynccache.testing.contract.surroundings import SurroundingsContract

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured


class ForgettingContract(ShapeContract, SurroundingsContract):
    """For backends without `Capability.KEEPS_ENTRIES`; all others pass `BackendContract`."""

    async def test_it_declares_that_it_keeps_nothing(self, cache: Flavoured) -> None:
        assert cache.can(Capability.KEEPS_ENTRIES) is False

    async def test_nothing_is_kept(self, cache: Flavoured) -> None:
        assert await cache.set("k", "v") is True
        assert await cache.add("k", "v") is True
        assert await cache.add("k", "v") is True
        assert await cache.set_many({"k": "v"}) == []
        assert await cache.plan("write", "k", PAGE, 60, None, Kind.PAGE) is True
        fallback = object()
        assert await cache.get("k", default=fallback) is fallback
        assert await cache.get_many(["k"]) == {}
        assert await cache.plan("read", "k", None, Kind.PAGE) is None
        assert await cache.has_key("k") is False
        assert await cache.touch("k") is False
        assert await cache.delete("k") is False
        assert await cache.delete_many(["k"]) == 0

    async def test_counters_always_start_from_zero(self, cache: Flavoured) -> None:
        assert [await cache.incr("k", 2), await cache.incr("k"), await cache.decr("k", 3)] == [2, 1, -3]
