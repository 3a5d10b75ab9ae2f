"""Tiers before a database: what other nodes change is read from its table of changes."""

import asyncio

import pytest

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.core.entry import Kind
from tests.backends.test_tiered_cache_near import CHANGES, NOW, eventually
from tests.backends.test_tiered_cache_redis import held

PATIENT = 5.0


@pytest.fixture
async def nodes(tmp_path):
    url = f"sqlite:///{tmp_path}/cache.db"
    made = [
        TieredCacheBackend(LocalMemCacheBackend(), SQLCacheBackend(url, deadline=PATIENT), max_staleness=PATIENT)
        for _ in range(2)
    ]
    yield made
    for node in made:
        await node.aclose()


async def test_what_another_node_changes_is_heard_of(nodes):
    mine, other = nodes
    await mine.set_async("k", "first")
    await held(mine, "k", "first")
    before = mine.stats()["flushes"]  # who looks before the log has begun drops all once it has
    for number, do in enumerate(CHANGES.values()):
        await mine.set_async("k", f"old {number}", tags=["t"])
        await held(mine, "k", f"old {number}")
        await do(other)
        await eventually(lambda number=number: mine.get_async("k"), NOW.get(list(CHANGES)[number]), 1.0)
    assert mine.stats()["flushes"] == before


async def test_what_this_node_changes_is_changed_at_once(nodes):
    mine, _ = nodes
    for change, do in CHANGES.items():
        await mine.set_async("k", "old", tags=["t"])
        await held(mine, "k", "old")
        await do(mine)
        assert await mine.get_async("k") == NOW.get(change)


async def test_hits_read_no_file(nodes, tmp_path):
    mine, _ = nodes
    await mine.set_async("k", {"a": 1})
    await held(mine, "k", {"a": 1})
    asked = mine.l2.stats()["hits"]
    for _ in range(10):
        assert await mine.get_async("k") == {"a": 1}
        assert mine.peek("k", None, Kind.VALUE) == {"a": 1}
        await asyncio.sleep(0)
    assert mine.l2.stats()["hits"] == asked
