"""Values: what you get back equals what you set, has its type, and is yours."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from asynccache.errors import SerializationError
from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured, MakeCache

KIBI, MEBI = 1024, 1024 * 1024
VALUES: dict[str, Any] = {
    "None": None,
    "False": False,
    "True": True,
    "zero": 0,
    "one": 1,
    "minus_one": -1,
    "greatest_int64": 2**63 - 1,
    "least_int64": -(2**63),
    "greatest_uint64": 2**64 - 1,
    "big_int": 10**40,
    "big_negative_int": -(10**40),
    "zero_float": 0.0,
    "minus_zero": -0.0,
    "whole_float": 2.0,
    "float": 1.5e-300,
    "infinity": float("inf"),
    "nan": float("nan"),
    "empty_str": "",
    "str": "text",
    "number_like_str": "1",
    "unicode_str": "\0 \N{LATIN SMALL LETTER E WITH ACUTE} \N{GRINNING FACE}",
    "empty_bytes": b"",
    "bytes": bytes(range(256)),
    "empty_list": [],
    "list": [1, [2.0, [None]]],
    "empty_tuple": (),
    "tuple": (1, (2, [3])),
    "empty_dict": {},
    "dict": {"a": {"b": [1]}},
    "dict_with_odd_keys": {1: "int", None: "None", 1.5: "float", b"b": "bytes", (1, "a"): "tuple", date(2026, 1, 2): 0},
    "empty_set": set(),
    "set": {1, "a", (2, 3)},
    "frozenset": frozenset({1, frozenset({2})}),
    "naive_datetime": datetime(2026, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001  # naive ones are values too
    "utc_datetime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    "aware_datetime": datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    "date": date(2026, 1, 2),
    "time": time(3, 4, 5, 6),
    "aware_time": time(3, 4, tzinfo=UTC),
    "timedelta": timedelta(days=-1, microseconds=1),
    "Decimal": Decimal("1.10"),
    "UUID": UUID(int=7),
    "Path": Path("a/b.txt"),
    "mixture": [{"a": (1, {2}, b"3")}, frozenset({Decimal("4.0")}), {UUID(int=5): [date(2026, 6, 7)]}],
}


class Unknown:
    """No serializer knows this class."""


def shape(value: Any) -> Any:
    """Give what tells two values apart that `==` takes for one: types, all the way down, and signs of zeros."""
    match value:
        case list() | tuple():
            return type(value), [shape(item) for item in value]
        case set() | frozenset():
            return type(value), sorted(str(shape(item)) for item in value)
        case dict():
            return type(value), [(shape(key), shape(item)) for key, item in value.items()]
    return type(value), repr(value)


class ValueContract(ContractBase):
    """Every value that the default serializer takes."""

    @pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
    async def test_value_comes_back_with_its_type(self, cache: Flavoured, value: Any) -> None:
        assert await cache.set("k", value) is True
        assert shape(await cache.get("k", default="a miss")) == shape(value)
        assert await cache.has_key("k") is True

    async def test_values_of_all_types_come_back_together(self, cache: Flavoured) -> None:
        assert await cache.set_many(VALUES) == []
        found = await cache.get_many(VALUES)
        assert {key: shape(found[key]) for key in VALUES} == {key: shape(VALUES[key]) for key in VALUES}

    async def test_changing_what_was_set_changes_nothing_in_the_cache(self, cache: Flavoured) -> None:
        mine = [1, {"a": [2]}]
        await cache.set("set", mine)
        await cache.add("add", mine)
        await cache.set_many({"set_many": mine, "inside a tuple": (mine,)})
        mine[1]["a"].append(3)  # type: ignore[index]  # a list of whatever
        mine.append(4)
        for key in ("set", "add", "set_many"):
            assert await cache.get(key) == [1, {"a": [2]}]
        assert await cache.get("inside a tuple") == ([1, {"a": [2]}],)

    async def test_changing_what_was_got_changes_nothing_in_the_cache(self, cache: Flavoured) -> None:
        await cache.set_many({"list": [1, {"a": [2]}], "tuple": ([1],)})
        for _ in range(2):
            got, many = await cache.get("list"), await cache.get_many(["list", "tuple"])
            assert got == many["list"] == [1, {"a": [2]}]
            assert many["tuple"] == ([1],)
            got[1]["a"].append(3)
            many["list"].clear()
            many["tuple"][0].clear()

    async def test_default_is_for_misses_only(self, cache: Flavoured) -> None:
        await cache.set_many({"none": None, "zero": 0, "empty": ""})
        fallback = object()
        assert await cache.get("missing") is None
        assert await cache.get("missing", default=fallback) is fallback
        assert await cache.get("none", default=fallback) is None
        assert await cache.get("zero", default=fallback) == 0
        assert await cache.get("empty", default=fallback) == ""

    async def test_none_is_a_value(self, cache: Flavoured) -> None:
        await cache.set("k", None)
        assert await cache.has_key("k") is True
        assert await cache.add("k", 1) is False
        assert await cache.get_many(["k", "missing"]) == {"k": None}
        assert await cache.touch("k") is True
        assert await cache.delete("k") is True
        assert await cache.get("k", default="a miss") == "a miss"

    async def test_set_overwrites_with_another_type(self, cache: Flavoured) -> None:
        for value in ("text", 5, [1], None, 6, b"bytes"):
            await cache.set("k", value)
            assert shape(await cache.get("k", default="a miss")) == shape(value)

    async def test_add_stores_only_where_nothing_is(self, cache: Flavoured) -> None:
        assert await cache.add("k", "first") is True
        assert await cache.add("k", "second") is False
        assert await cache.get("k") == "first"
        await cache.delete("k")
        assert await cache.add("k", "third") is True
        assert await cache.get("k") == "third"

    async def test_delete_tells_whether_there_was_something(self, cache: Flavoured) -> None:
        await cache.set("k", "v")
        assert await cache.delete("k") is True
        assert await cache.delete("k") is False
        assert await cache.has_key("k") is False
        assert await cache.get("k") is None

    async def test_value_that_cannot_be_stored_takes_the_old_one_with_it(self, cache: Flavoured) -> None:
        await cache.set_many({"k": "old", "nested": "old", "first": "old", "second": "old"})
        with pytest.raises(SerializationError, match="Unknown"):
            await cache.set("k", Unknown())
        with pytest.raises(SerializationError, match="Unknown"):
            await cache.set("nested", {"a": [Unknown()]})
        with pytest.raises(SerializationError, match="Unknown"):
            await cache.set_many({"first": "new", "second": Unknown()})
        left = await cache.get_many(["k", "nested", "first", "second"])
        assert "old" not in left.values()
        assert left.keys() <= {"first"}

    async def test_add_refuses_what_cannot_be_stored(self, cache: Flavoured) -> None:
        with pytest.raises(SerializationError, match="Unknown"):
            await cache.add("k", Unknown())
        assert await cache.has_key("k") is False

    @pytest.mark.parametrize("size", [0, MEBI - KIBI, MEBI - 1, MEBI, MEBI + 1, 5 * MEBI])
    async def test_value_of_any_size_is_kept_or_refused_without_a_stale_rest(self, cache: Flavoured, size: int) -> None:
        value = b"x" * size
        await cache.set_many({"k": "old", "many": "old"})
        stored = await cache.set("k", value)
        failed = await cache.set_many({"many": value, "other": "small"})
        assert failed == ([] if stored else ["many"])
        assert await cache.get_many(["k", "many"]) == ({"k": value, "many": value} if stored else {})
        assert await cache.get("other") == "small"
        assert await cache.add("added", value) is stored
        assert await cache.has_key("added") is stored

    async def test_versions_are_apart_in_every_operation(self, cache: Flavoured) -> None:
        await cache.set("k", "one")
        assert await cache.get("k", 2) is None
        assert await cache.has_key("k", 2) is False
        assert await cache.delete("k", 2) is False
        assert await cache.touch("k", 60, 2) is False
        assert await cache.get_many(["k"], 2) == {}
        assert await cache.delete_many(["k"], 2) == 0
        assert await cache.add("k", "two", None, 2) is True
        assert await cache.set_many({"k": 3}, None, "three") == []
        assert await cache.incr("k", 1, "three") == 4
        assert await cache.decr("k", 2, "four") == -2
        found = [await cache.get("k", version) for version in (None, 1, 2, "three", "four")]
        assert found == ["one", "one", "two", 4, -2]

    async def test_version_is_compared_as_text(self, cache: Flavoured) -> None:
        await cache.set("k", "v", version=7)
        assert await cache.get("k", version="7") == "v"

    async def test_prefixes_versions_and_keys_never_meet(self, make_cache: MakeCache, prefix: str) -> None:
        triples = [
            *[(f"{prefix}:x", version, key) for version, key in ((1, "z"), ("1:z", ""), ("", "z"))],
            *[(prefix, version, key) for version, key in (("x", "1:z"), ("x:1", "z"), ("x:1:z", ""), ("x", "y:z"))],
            *[(f"{prefix}{tail}", 1, "z") for tail in ("", ":", "::", "%3A", "%", "~", "{}", "{x}", ":1", ":1:z")],
        ]
        caches = {name: make_cache(key_prefix=name) for name in {triple[0] for triple in triples}}
        for triple in triples:
            name, version, key = triple
            assert await caches[name].add(key, list(triple), None, version) is True
        for triple in triples:
            name, version, key = triple
            assert await caches[name].get(key, version) == list(triple)
