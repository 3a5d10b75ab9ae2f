"""Tags: whatever has one goes with it, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from asynccache.core.entry import Kind
from asynccache.model import Capability
from asynccache.testing.contract.base import ContractBase
from asynccache.testing.contract.kinds import PAGE, body

if TYPE_CHECKING:
    from asynccache.testing.contract.base import Flavoured, MakeCache

ODD_TAGS = ("a:b", "a%3Ab", "ä", "\U0001f375", "two words", "line\nbreak", "\ud800", "*", "~", "x" * 1000)
NO_TAGS: dict[str, tuple[type[Exception], Any]] = {
    "bare str": (TypeError, "product"),
    "number": (TypeError, [7]),
    "bytes": (TypeError, [b"product"]),
    "None": (TypeError, [None]),
    "empty": (ValueError, ["fine", ""]),
    "NUL": (ValueError, ["pro\0duct"]),
}


class TagContract(ContractBase):
    """`tags=` and `invalidate_tags`; a store without fences keeps to them within one backend object."""

    async def test_invalidated_tag_takes_its_entries_and_no_others(self, cache: Flavoured) -> None:
        assert await cache.set("one", 1, tags=["x"]) is True
        await cache.set("both", [2], 60, tags=("y", "x", "x"))
        await cache.set("other", 3, tags={"y"})
        await cache.set("none", 4)
        await cache.invalidate_tags("x")
        assert await cache.get_many(["one", "both", "other", "none"]) == {"other": 3, "none": 4}
        assert [await cache.get("one"), await cache.get("both"), await cache.get("other")] == [None, None, 3]

    async def test_what_was_invalidated_is_absent_for_every_operation(self, cache: Flavoured) -> None:
        for key in ("looked for", "touched", "deleted", "added", "counted"):
            await cache.set(key, 5, tags=["x"])
        await cache.invalidate_tags("x")
        assert await cache.has_key("looked for") is False
        assert await cache.touch("touched", 60) is False
        assert await cache.delete("deleted") is False
        assert await cache.add("added", "new") is True
        assert await cache.incr("counted", 2) == 2
        assert await cache.get_many(["touched", "deleted", "added", "counted"]) == {"added": "new", "counted": 2}

    async def test_several_tags_are_invalidated_together(self, cache: Flavoured) -> None:
        for tag in "abc":
            await cache.set(tag, tag, tags=[tag])
        await cache.invalidate_tags("a", "b", "a", "nobody has this")
        assert await cache.get_many("abc") == {"c": "c"}
        await cache.invalidate_tags()
        assert await cache.get_many("abc") == {"c": "c"}

    async def test_what_is_set_again_lives_by_its_new_tags(self, cache: Flavoured) -> None:
        for key in ("bare", "moved", "kept"):
            await cache.set(key, "old", tags=["x"])
        await cache.set("bare", "new")
        await cache.set("moved", "new", tags=["y"])
        await cache.invalidate_tags("x")
        assert await cache.get_many(["bare", "moved", "kept"]) == {"bare": "new", "moved": "new"}
        await cache.set("kept", "new", tags=["x"])
        assert await cache.get("kept") == "new"
        await cache.invalidate_tags("y")
        assert await cache.get_many(["bare", "moved", "kept"]) == {"bare": "new", "kept": "new"}

    async def test_tags_stay_when_an_entry_is_touched_or_counted(self, cache: Flavoured) -> None:
        await cache.set("touched", "v", tags=["x"])
        await cache.set("counted", 5, tags=["x"])
        assert await cache.touch("touched", 60) is True
        assert [await cache.incr("counted"), await cache.decr("counted", 10)] == [6, -4]
        assert await cache.get_many(["touched", "counted"]) == {"touched": "v", "counted": -4}
        await cache.invalidate_tags("x")
        assert await cache.get_many(["touched", "counted"]) == {}
        assert await cache.incr("counted") == 1

    async def test_tags_may_be_many_and_odd(self, cache: Flavoured) -> None:
        many = [f"tag {number}" for number in range(60)]
        await cache.set("many", "v", tags=many)
        for number, tag in enumerate(ODD_TAGS):
            await cache.set(f"{number}", tag, tags=[tag])
        await cache.invalidate_tags(many[-1])
        assert await cache.get("many") is None
        for number, tag in enumerate(ODD_TAGS):
            assert await cache.get(f"{number}") == tag
            await cache.invalidate_tags(tag)
            assert await cache.get(f"{number}") is None

    @pytest.mark.parametrize("mistake", NO_TAGS)
    async def test_what_is_no_tag_is_an_error_and_changes_nothing(self, cache: Flavoured, mistake: str) -> None:
        error, tags = NO_TAGS[mistake]
        await cache.set("k", "v", tags=["fine"])
        with pytest.raises(error):
            await cache.set("k", "new", tags=tags)
        if not isinstance(tags, str):
            with pytest.raises(error):
                await cache.invalidate_tags(*tags)
        assert await cache.get("k") == "v"

    async def test_pages_have_tags_too(self, cache: Flavoured) -> None:
        for key in ("page", "other"):
            await cache.plan("write", key, PAGE, 60, kind=Kind.PAGE, tags=(key,))
            assert body(await cache.plan("read", key, None, Kind.PAGE)) == PAGE.body
        await cache.invalidate_tags("page")
        assert await cache.plan("read", "page", None, Kind.PAGE) is None
        assert await cache.plan("look", "page", None, Kind.PAGE) is None
        assert body(await cache.plan("read", "other", None, Kind.PAGE)) == PAGE.body
        if cache.backend.peek is not None:
            assert cache.backend.peek("page", None, Kind.PAGE) is None
            assert cache.can(Capability.SHARED) or cache.backend.peek("other", None, Kind.PAGE) == PAGE

    async def test_what_was_invalidated_stands_in_for_nothing(self, cache: Flavoured) -> None:
        await cache.plan("keep", "k", "v", 60.0, 60.0, tags=("x",))
        assert (await cache.plan("look", "k")).value == "v"
        await cache.invalidate_tags("x")
        assert await cache.plan("look", "k") is None

    async def test_tags_are_those_of_one_prefix_and_version(self, make_cache: MakeCache, prefix: str) -> None:
        cache, other = make_cache(), make_cache(key_prefix=f"{prefix}-other")
        for store, version in ((cache, None), (cache, 2), (other, None)):
            await store.set("k", "v", version=version, tags=["x"])
        await cache.invalidate_tags("x")
        assert await cache.get("k") is None
        assert await other.get("k") == "v"
        if cache.can(Capability.FENCES):
            assert await cache.get("k", 2) == "v"
        await cache.invalidate_tags("x", version=2)
        assert await cache.get("k", 2) is None

    async def test_tags_are_known_to_all_who_share_a_store_with_fences(self, make_cache: MakeCache) -> None:
        cache, other = make_cache(), make_cache()
        await cache.set("k", "v", tags=["x"])
        if {Capability.FENCES, Capability.SHARED} <= cache.backend.capabilities:
            await self.replicated()
            assert await other.get("k") == "v"
            await other.invalidate_tags("x")
            assert await cache.get("k") is None
        else:
            assert await other.get("k") is None
