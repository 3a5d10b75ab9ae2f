"""Lifetimes: seconds or a `timedelta`; omitted is the default; 0 or less is gone at once."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from asynccache.core.lifetime import FOREVER
from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured, MakeCache

DAY = 24 * 3600
YEAR = 365 * DAY
ENDING = {
    *("set", "timedelta", "below a second", "add", "set_many", "shortened", "counter", "incr from default"),
    *("default", "None is the default", "add default", "set_many default", "touch to default"),
}
LASTING = {"extended", "overwritten", "for ever", "touched to for ever", "long counter", "default of for ever"}
GONE_AT_ONCE = {
    "zero": 0,
    "zero float": 0.0,
    "negative": -1,
    "negative fraction": -0.001,
    "minus infinity": -math.inf,
    "timedelta": timedelta(0),
    "negative timedelta": timedelta(seconds=-1),
}
LONG = {
    "30 d - 1 s": 30 * DAY - 1,
    "30 d": 30 * DAY,
    "30 d + 1 s": 30 * DAY + 1,
    "100 years": 100 * YEAR,
    "the longest timedelta": timedelta.max,
    "more than 64 bits": 10**30,
    "FOREVER": FOREVER,
}
LONG_LIVED = {"set": 11, "add": 2, "set_many": 3, "touch": 4}


class LifetimeContract(ContractBase):
    """One test waits, for all that is to end; the others never sleep."""

    async def test_entries_end_when_their_lifetime_does(self, make_cache: MakeCache) -> None:
        cache = make_cache(ttl=None)
        brief, margin = (0.6, 0.1) if cache.can(Capability.SUBSECOND_TTL) else (2, 0.3)
        await self._set_what_ends(cache, brief)
        await self._set_what_ends_by_default(make_cache(ttl=brief))
        await self._set_what_lasts(cache, brief)
        await self.pass_time(brief + margin)
        assert set(await cache.get_many(ENDING | LASTING)) == LASTING
        assert {key for key in ENDING | LASTING if await cache.has_key(key)} == LASTING
        assert {key for key in ENDING | LASTING if await cache.get(key, default=self) is not self} == LASTING
        await self._expect_absent(cache, sorted(ENDING))
        await cache.delete_many(ENDING | LASTING)

    async def _set_what_ends(self, cache: Flavoured, brief: float) -> None:
        await cache.set("set", 1, brief)
        await cache.set("timedelta", 1, timedelta(seconds=brief))
        await cache.set("below a second", 1, brief / 4)
        await cache.add("add", 1, brief)
        await cache.set_many({"set_many": 1}, brief)
        await cache.set("shortened", 1, 60)
        assert await cache.touch("shortened", brief) is True
        await cache.set("counter", 1, brief)
        assert await cache.incr("counter") == 2
        assert await cache.decr("counter", 3) == -1

    async def _set_what_ends_by_default(self, cache: Flavoured) -> None:
        await cache.set("default", 1)
        await cache.set("None is the default", 1, None)
        await cache.add("add default", 1)
        await cache.set_many({"set_many default": 1})
        await cache.incr("incr from default")
        await cache.set("touch to default", 1, 60)
        assert await cache.touch("touch to default") is True

    async def _set_what_lasts(self, cache: Flavoured, brief: float) -> None:
        await cache.set("extended", 1, brief)
        assert await cache.touch("extended", 60) is True
        await cache.set("overwritten", 1, brief)
        await cache.set("overwritten", 2, 60)
        await cache.set("for ever", 1, FOREVER)
        await cache.set("touched to for ever", 1, brief)
        assert await cache.touch("touched to for ever", FOREVER) is True
        await cache.set("long counter", 1, 60)
        await cache.incr("long counter")
        await cache.set("default of for ever", 1)

    async def _expect_absent(self, cache: Flavoured, keys: list[str]) -> None:
        deleted, touched, added, counted, *_ = keys
        assert await cache.delete(deleted) is False
        assert await cache.touch(touched, 60) is False
        assert await cache.add(added, "new", 60) is True
        assert await cache.incr(counted) == 1
        assert await cache.delete_many(keys) == 2

    async def test_lifetime_below_a_second_is_not_rounded_down_to_nothing(self, cache: Flavoured) -> None:
        for attempt in range(5):  # a store that counts whole seconds may tick just now
            await cache.set(f"k{attempt}", 1, 0.5)
            if await cache.has_key(f"k{attempt}"):
                return
        pytest.fail("an entry with a ttl of half a second was never there")

    @pytest.mark.parametrize("ttl", GONE_AT_ONCE.values(), ids=GONE_AT_ONCE)
    async def test_ttl_of_zero_or_less_is_gone_at_once(self, cache: Flavoured, ttl: Any) -> None:
        await cache.set_many({"set": "old", "set_many": "old", "touch": "old", "add": "old"})
        await cache.set("set", "new", ttl)
        await cache.set_many({"set_many": "new", "set_many missing": "new"}, ttl)
        assert await cache.touch("touch", ttl) is True
        assert await cache.touch("touch", ttl) is False
        assert await cache.add("add", "new", ttl) is False
        await cache.add("add missing", "new", ttl)
        keys = ["set", "set_many", "set_many missing", "touch", "add", "add missing"]
        assert await cache.get_many(keys) == {"add": "old"}
        assert [key for key in keys if await cache.has_key(key)] == ["add"]

    @pytest.mark.parametrize("ttl", LONG.values(), ids=LONG)
    async def test_long_lifetimes_are_kept(self, cache: Flavoured, ttl: Any) -> None:
        await cache.set("set", 1, ttl)
        await cache.add("add", 2, ttl)
        await cache.set_many({"set_many": 3, "touch": 4}, ttl)
        assert await cache.touch("touch", ttl) is True
        assert await cache.incr("set", 10) == 11
        assert await cache.get_many(LONG_LIVED) == LONG_LIVED
        assert await cache.delete_many(LONG_LIVED) == 4

    async def test_default_lifetime_is_five_minutes(self, make_cache: MakeCache) -> None:
        cache, for_ever = make_cache(), make_cache(ttl=None)
        assert (cache.backend.default_ttl, for_ever.backend.default_ttl) == (300, FOREVER)
        await cache.set("k", "v")
        await cache.incr("n")
        if self.time_is_free:
            await self.pass_time(299)
            assert await cache.get_many(["k", "n"]) == {"k": "v", "n": 1}
            await self.pass_time(2)
            assert await cache.get_many(["k", "n"]) == {}

    async def test_years_pass(self, make_cache: MakeCache) -> None:
        cache = make_cache(ttl=None)
        await cache.set_many({"default": 1, "month": 1, "century": 1, "for ever": 1})
        await cache.set("month", 1, 30 * DAY)
        await cache.touch("century", 100 * YEAR)
        await cache.set("for ever", 1, FOREVER)
        keys = ["default", "month", "century", "for ever"]
        assert set(await cache.get_many(keys)) == set(keys)
        if self.time_is_free:
            await self.pass_time(30 * DAY - 1)
            assert set(await cache.get_many(keys)) == set(keys)
            await self.pass_time(2)
            assert set(await cache.get_many(keys)) == {"default", "century", "for ever"}
            await self.pass_time(100 * YEAR)
            assert set(await cache.get_many(keys)) == {"default", "for ever"}
        await cache.delete_many(keys)

    async def test_touch_tells_whether_there_was_something(self, cache: Flavoured) -> None:
        assert await cache.touch("k", 60) is False
        assert await cache.has_key("k") is False
        await cache.set("k", [1, (2,)], 60)
        assert await cache.touch("k") is True
        assert await cache.touch("k", 60) is True
        assert await cache.get("k") == [1, (2,)]
