"""Counters: signed 64 bits, atomic, and no other value is ever taken for one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from asynccache.errors import NotAnIntegerError
from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase
from asynccache.testing.contract.values import shape

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured

GREATEST, LEAST = 2**63 - 1, -(2**63)
NO_COUNTERS: dict[str, Any] = {
    "number-like str": "1",
    "empty str": "",
    "number-like bytes": b"1 1",
    "float": 1.0,
    "True": True,
    "False": False,
    "None": None,
    "list": [1],
    "one more than 64 bits": GREATEST + 1,
    "one less than 64 bits": LEAST - 1,
}


class CounterContract(ContractBase):
    """`incr`, `decr`, and `add` as the lock that many use it for."""

    async def test_missing_counter_starts_from_zero(self, cache: Flavoured) -> None:
        assert await cache.incr("up") == 1
        assert await cache.incr("up", 41) == 42
        assert await cache.decr("down") == -1
        assert await cache.decr("down", 9) == -10
        assert await cache.incr("same", 0) == 0
        assert await cache.get_many(["up", "down", "same"]) == {"up": 42, "down": -10, "same": 0}

    async def test_set_then_incr_then_get_is_an_int(self, cache: Flavoured) -> None:
        await cache.set("k", 10)
        assert shape(await cache.incr("k", -15)) == (int, "-5")
        assert shape(await cache.get("k")) == (int, "-5")
        assert await cache.add("k", 1) is False
        assert await cache.decr("k", -5) == 0
        assert await cache.has_key("k") is True

    async def test_counter_can_be_overwritten_and_deleted(self, cache: Flavoured) -> None:
        await cache.incr("k", 5)
        await cache.set("k", "text")
        assert await cache.get("k") == "text"
        assert await cache.delete("k") is True
        assert await cache.incr("k") == 1
        assert await cache.delete("k") is True
        assert await cache.get("k") is None

    @pytest.mark.parametrize("value", NO_COUNTERS.values(), ids=NO_COUNTERS)
    async def test_what_is_no_counter_is_refused_and_stays(self, cache: Flavoured, value: Any) -> None:
        await cache.set("k", value)
        with pytest.raises(NotAnIntegerError):
            await cache.incr("k")
        with pytest.raises(NotAnIntegerError):
            await cache.decr("k", 2)
        assert shape(await cache.get("k", default="a miss")) == shape(value)

    async def test_counter_that_would_leave_64_bits_stays(self, cache: Flavoured) -> None:
        await cache.set_many({"greatest": GREATEST - 1, "least": LEAST + 1})
        assert await cache.incr("greatest") == GREATEST
        assert await cache.decr("least") == LEAST
        for change in (cache.incr("greatest"), cache.decr("least"), cache.incr("least", LEAST)):
            with pytest.raises(NotAnIntegerError):
                await change
        for change in (cache.decr("new", LEAST), cache.incr("new", 2**63), cache.incr("new", 2**64)):
            with pytest.raises(NotAnIntegerError):
                await change
        assert await cache.get_many(["greatest", "least", "new"]) == {"greatest": GREATEST, "least": LEAST}

    async def test_extreme_steps_are_exact(self, cache: Flavoured) -> None:
        assert await cache.incr("k", GREATEST) == GREATEST
        assert await cache.decr("k", GREATEST) == 0
        assert await cache.incr("k", LEAST) == LEAST
        assert await cache.incr("k", GREATEST) == -1
        assert await cache.incr("k", 2**53 + 2) == 2**53 + 1

    @pytest.mark.parametrize("delta", [1.0, "1", None, True, [1]], ids=repr)
    async def test_counters_change_by_integers_only(self, cache: Flavoured, delta: Any) -> None:
        await cache.set("k", 1)
        for operation in (cache.incr, cache.decr):
            with pytest.raises(TypeError):
                await operation("k", delta)
        assert await cache.get("k") == 1

    async def test_concurrent_changes_are_all_counted(self, cache: Flavoured) -> None:
        results = await asyncio.gather(*[cache.incr("k") for _ in range(100)], *[cache.decr("k") for _ in range(50)])
        assert len(results) == 150
        if cache.can(Capability.ATOMIC_COUNTERS):
            assert await cache.get("k") == 50

    async def test_each_concurrent_caller_gets_a_number_of_its_own(self, cache: Flavoured) -> None:
        numbers = await asyncio.gather(*[cache.incr("k") for _ in range(100)])
        if cache.can(Capability.ATOMIC_COUNTERS):
            assert sorted(numbers) == list(range(1, 101))

    async def test_threads_and_tasks_count_together(self, cache: Flavoured) -> None:
        backend = cache.backend
        in_threads = [asyncio.to_thread(lambda: [backend.incr("k") for _ in range(25)]) for _ in range(4)]
        await asyncio.gather(*in_threads, *[backend.incr_async("k") for _ in range(100)])
        if cache.can(Capability.ATOMIC_COUNTERS):
            assert await cache.get("k") == 200

    async def test_one_of_many_concurrent_adds_wins(self, cache: Flavoured) -> None:
        won = await asyncio.gather(*[cache.add("k", number) for number in range(50)])
        if cache.can(Capability.ATOMIC_COUNTERS):
            assert won.count(True) == 1
            assert await cache.get("k") == won.index(True)
        assert True in won
