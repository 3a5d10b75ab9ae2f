"""`clear`: everything of one prefix and version goes, and nothing of a neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asynccache.core.entry import Kind
from asynccache.errors import ConfigurationError
from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase
from asynccache.testing.contract.kinds import PAGE

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured, MakeCache


class ClearContract(ContractBase):
    """A store that cannot do it says what would do instead."""

    async def test_clear_leaves_nothing_and_the_cache_goes_on(self, cache: Flavoured) -> None:
        await self._fill(cache)
        if not cache.can(Capability.CLEARS):
            with pytest.raises(ConfigurationError, match=r"cannot be cleared.*version="):
                await cache.clear()
            assert await cache.get_many(["value", "counter"]) == {"value": ["v"], "counter": 5}
            return
        await cache.clear()
        assert await cache.get_many(["value", "tagged", "counter", "kept"]) == {}
        assert [await cache.has_key(key) for key in ("value", "counter", "page")] == [False] * 3
        assert await cache.plan("look", "kept") is None
        assert await cache.plan("read", "page", None, Kind.PAGE) is None
        assert await cache.touch("value") is False
        assert await cache.delete("tagged") is False
        assert await cache.add("value", "new") is True
        assert await cache.incr("counter") == 1
        await self._fill(cache)
        assert await cache.get_many(["value", "tagged", "counter"]) == {"value": ["v"], "tagged": "v", "counter": 6}
        await cache.clear()
        await cache.clear()
        assert await cache.get_many(["value", "tagged", "counter"]) == {}

    async def test_clear_leaves_the_neighbours_alone(self, make_cache: MakeCache, prefix: str) -> None:
        cache = make_cache()
        if not cache.can(Capability.CLEARS):
            with pytest.raises(ConfigurationError, match="cannot be cleared"):
                await cache.clear(2)
            return
        neighbours = [make_cache(key_prefix=name) for name in (f"{prefix}2", f"{prefix}:1", f"{prefix}-")]
        for neighbour in neighbours:
            await neighbour.set("k", "v", tags=["x"])
            await neighbour.incr("n")
        for version in (None, 2, "1:k"):
            await cache.set_many({"k": "v", "2:k": "v"}, version=version)
        await cache.clear(2)
        assert [await cache.get("k", version) for version in (None, 1, 2, "1:k")] == ["v", "v", None, "v"]
        await cache.clear()
        assert [await cache.get("k", version) for version in (None, 2, "1:k")] == [None, None, "v"]
        assert [await neighbour.get("k") for neighbour in neighbours] == ["v"] * 3
        assert [await neighbour.incr("n") for neighbour in neighbours] == [2] * 3
        assert await cache.get("2:k") is None
        await cache.clear("1:k")
        assert await cache.get("k", "1:k") is None

    async def test_version_to_clear_is_a_str_or_an_int(self, cache: Flavoured) -> None:
        with pytest.raises((TypeError, ConfigurationError)):
            await cache.clear(1.5)

    async def _fill(self, cache: Flavoured) -> None:
        await cache.set("value", ["v"])
        await cache.set("tagged", "v", tags=["x"])
        await cache.incr("counter", 5)
        await cache.plan("write", "page", PAGE, 60, kind=Kind.PAGE)
        await cache.plan("keep", "kept", "v", 60.0, 60.0)
