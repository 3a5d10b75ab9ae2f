"""Pages live beside values, under keys of the same kind: seen by key, never mistaken for a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from asynccache.core.entry import Kind
from asynccache.errors import NotAnIntegerError
from asynccache.testing.contract.base import ContractBase

if TYPE_CHECKING:
    from asynccache.core.entry import Entry
    from asynccache.testing.contract.base import Flavoured


class Page(NamedTuple):
    """What a page is to a backend: something with bytes."""

    body: bytes

    def __bytes__(self) -> bytes:
        return self.body


PAGE = Page(b"<html>\0\xff")


def body(entry: Entry | None) -> bytes | None:
    """Give what was stored: a store of bytes returns them, one in memory the very object."""
    return None if entry is None else bytes(entry.value)


class KindContract(ContractBase):
    """Pages and markers are written by plans only."""

    async def write(self, cache: Flavoured, key: str, page: object = PAGE, kind: Kind = Kind.PAGE) -> None:
        assert await cache.plan("write", key, page, 60, None, kind) is True

    async def test_page_is_read_by_its_kind(self, cache: Flavoured) -> None:
        await self.write(cache, "page")
        await self.write(cache, "marker", Page(b""), Kind.MARKER)
        assert body(await cache.plan("read", "page", None, Kind.PAGE)) == PAGE.body
        assert body(await cache.plan("read", "marker", None, Kind.MARKER)) == b""
        assert await cache.plan("read", "page", None, Kind.MARKER) is None
        pages = await cache.plan("read_many", ["page", "marker", "missing"], None, Kind.PAGE)
        assert {key: body(entry) for key, entry in pages.items()} == {"page": PAGE.body}

    async def test_page_is_a_miss_for_those_who_want_a_value(self, cache: Flavoured) -> None:
        await self.write(cache, "k")
        await cache.set("value", "v")
        assert await cache.get("k", default="a miss") == "a miss"
        assert await cache.get_many(["k", "value"]) == {"value": "v"}
        assert await cache.plan("read", "value", None, Kind.PAGE) is None

    async def test_page_is_there_for_those_who_ask_by_key(self, cache: Flavoured) -> None:
        await self.write(cache, "k")
        assert await cache.has_key("k") is True
        assert await cache.touch("k", 60) is True
        assert await cache.add("k", "value") is False
        with pytest.raises(NotAnIntegerError):
            await cache.incr("k")
        assert body(await cache.plan("read", "k", None, Kind.PAGE)) == PAGE.body
        assert await cache.delete("k") is True
        assert await cache.plan("read", "k", None, Kind.PAGE) is None

    async def test_page_and_value_replace_each_other(self, cache: Flavoured) -> None:
        await self.write(cache, "k")
        await cache.set("k", "value")
        assert await cache.get("k") == "value"
        assert await cache.plan("read", "k", None, Kind.PAGE) is None
        await self.write(cache, "k")
        assert await cache.get("k") is None

    async def test_page_with_no_lifetime_is_gone_at_once(self, cache: Flavoured) -> None:
        await self.write(cache, "k")
        await cache.plan("write", "k", PAGE, 0, None, Kind.PAGE)
        assert await cache.has_key("k") is False
