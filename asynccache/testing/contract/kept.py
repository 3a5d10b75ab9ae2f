"""What is kept beyond its end: there for read-throughs, and for nobody else."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from asynccache.core.entry import Entry
    from asynccache.testing.contract.base import Flavoured, MakeCache

BRIEF = 0.4
MARGIN = 0.1
OVER = ("left", "touched", "added", "raced", "counted", "set", "deleted", "deleted too", "text")


class KeptContract(ContractBase):
    """Two tests wait, each for half a second."""

    async def test_what_is_kept_beyond_its_end_is_there_for_read_throughs_only(self, cache: Flavoured) -> None:
        for key in OVER:
            assert await cache.plan("keep", key, 5, BRIEF, 60.0)
        assert await cache.plan("keep", "lasting", "fresh", 60.0, 60.0)
        assert await cache.get("lasting") == "fresh"
        await self.pass_time(BRIEF + MARGIN)
        assert await cache.get_many([*OVER, "lasting"]) == {"lasting": "fresh"}
        assert [key for key in OVER if await cache.has_key(key)] == []
        assert [key for key in OVER if await cache.get(key, default=self) is not self] == []
        if cache.backend.writes("keep"):
            await self._expect_it_stale(cache, "left")
        await self._expect_it_away(cache)
        await cache.delete_many([*OVER, "lasting"])

    async def _expect_it_stale(self, cache: Flavoured, key: str) -> None:
        entry: Entry = await cache.plan("look", key)
        assert entry.value == 5
        written_at, fresh_until, dead_at = entry.times
        assert fresh_until <= cache.backend.clock() < dead_at
        assert BRIEF - 0.02 <= fresh_until - written_at <= BRIEF + 0.02

    async def _expect_it_away(self, cache: Flavoured) -> None:
        assert await cache.touch("touched", 60) is False
        assert not await cache.has_key("touched")
        assert await cache.add("added", "new", 60) is True
        assert await cache.incr("counted", 2) == 2
        await cache.set("set", "new", 60)
        await cache.delete("deleted")
        await cache.delete_many(["deleted too"])
        for key in ("deleted", "deleted too"):
            assert await cache.plan("look", key) is None
        expected = {"added": "new", "counted": 2, "set": "new"}
        assert await cache.get_many([*OVER]) == expected
        entries = [await cache.plan("look", key) for key in expected]
        assert [entry.value for entry in entries] == list(expected.values())
        if cache.can(Capability.ATOMIC_COUNTERS):
            added: list[Any] = await asyncio.gather(*[cache.add("raced", number, 60) for number in range(8)])
            assert sorted(added) == [False] * 7 + [True]
            assert await cache.get("raced") == added.index(True)

    async def test_what_changes_an_entry_takes_what_was_kept_of_it(self, make_cache: MakeCache) -> None:
        cache = make_cache(ttl=60)
        assert await cache.plan("keep", "touched", 5, BRIEF, 60.0)
        assert await cache.touch("touched", 60) is True
        for key in ("shortened", "counted"):
            assert await cache.plan("keep", key, 5, 60.0, 60.0)
        assert await cache.touch("shortened", 1 if not cache.can(Capability.SUBSECOND_TTL) else BRIEF) is True
        assert await cache.incr("counted", 2) == 7
        assert await cache.incr("counted", 2) == 9
        assert await cache.add("counted", "other") is False
        await self.pass_time(BRIEF + MARGIN if cache.can(Capability.SUBSECOND_TTL) else 2.1)
        assert await cache.get_many(["touched", "shortened", "counted"]) == {"touched": 5, "counted": 9}
        assert await cache.plan("look", "shortened") is None
        await cache.delete_many(["touched", "counted"])
