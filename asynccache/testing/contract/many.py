"""Many keys at once: dicts of hits, lists of failures, numbers of deletions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured


class ManyContract(ContractBase):
    """Any iterable of keys, also empty, with duplicates, or only once iterable."""

    async def test_nothing_is_asked_and_nothing_given(self, cache: Flavoured) -> None:
        assert await cache.get_many([]) == {}
        assert await cache.set_many({}) == []
        assert await cache.delete_many([]) == 0

    async def test_hits_only_are_returned(self, cache: Flavoured) -> None:
        assert await cache.set_many({"a": 1, "b": None, "c": [2]}) == []
        assert await cache.get_many(["a", "missing", "b", "c", "also missing"]) == {"a": 1, "b": None, "c": [2]}
        assert await cache.get_many(["missing"]) == {}

    async def test_duplicates_count_once(self, cache: Flavoured) -> None:
        await cache.set_many({"a": 1, "b": 2})
        assert await cache.get_many(["a", "a", "b", "a"]) == {"a": 1, "b": 2}
        assert await cache.delete_many(["a", "a", "missing", "missing"]) == 1
        assert await cache.get_many(["a", "b"]) == {"b": 2}

    async def test_keys_may_come_from_any_iterable(self, cache: Flavoured) -> None:
        await cache.set_many({"a": 1, "b": 2, "c": 3})
        assert await cache.get_many(key for key in "abc") == {"a": 1, "b": 2, "c": 3}
        assert await cache.get_many({"a": "ignored"}.keys()) == {"a": 1}
        assert await cache.get_many(("b",)) == {"b": 2}
        assert await cache.delete_many(key for key in "ab") == 2
        assert await cache.get_many({"a", "b", "c"}) == {"c": 3}

    async def test_many_and_single_operations_meet(self, cache: Flavoured) -> None:
        await cache.set("a", 1)
        await cache.set_many({"a": 2, "b": 3})
        assert await cache.get("a") == 2
        assert await cache.incr("b") == 4
        assert await cache.delete("a") is True
        assert await cache.get_many(["a", "b"]) == {"b": 4}

    async def test_a_thousand_keys_at_once(self, cache: Flavoured) -> None:
        values = {f"k{number}": number if number % 2 else f"text {number}" for number in range(1000)}
        assert await cache.set_many(values) == []
        assert await cache.get_many(values) == values
        assert await cache.delete_many(values) == 1000
        assert await cache.get_many(values) == {}

    async def test_one_bad_key_is_an_error(self, cache: Flavoured) -> None:
        for call in (cache.get_many(["a", 1]), cache.delete_many(["a", None]), cache.set_many({b"a": 1})):
            with pytest.raises(TypeError):
                await call
