"""Tags and clearing of a chain whose stores come and go."""

import asyncio

import pytest

from asynccache import BackendUnavailableError, CacheService, ConfigurationError
from asynccache.backends import fallback_link
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.model import Capability
from asynccache.plan.io import LOOP
from tests.backends.followed_store import Log, Node


@pytest.fixture
def stores(monkeypatch):
    monkeypatch.setattr(fallback_link, "SETTLE_SECONDS", 0.1)
    monkeypatch.setattr(fallback_link, "PROBE_SECONDS", 0.02)
    first, second = Node(Log()), Node(Log())
    return first, second, FallbackCacheBackend([first, second])


async def come_back(chain):
    async with asyncio.timeout(5):
        while chain.stats()["away"] or any(len(wide) for wide in chain._chain._wide):
            await chain.get_async("any")
            await asyncio.sleep(0.005)


INVALIDATE = {
    "tag": lambda chain: chain.invalidate_tags_async("t"),
    "clear": lambda chain: chain.clear_async(),
    "sync": lambda chain: asyncio.to_thread(chain.invalidate_tags, "t"),
}


@pytest.mark.parametrize("how", INVALIDATE)
async def test_all_stores_do_it(stores, how):
    first, second, chain = stores
    await first.set_async("k", "old", tags=["t"])
    await second.set_async("k", "old", tags=["t"])
    await INVALIDATE[how](chain)
    assert await first.get_async("k") is await second.get_async("k") is await chain.get_async("k") is None


@pytest.mark.parametrize("how", INVALIDATE)
@pytest.mark.parametrize("away", [0, 1])
async def test_one_that_was_away_does_it_before_it_is_asked_again(stores, how, away):
    first, second, chain = stores
    store = stores[away]
    await store.set_async("k", "old", tags=["t"])
    store.link["is_cut"] = True
    await INVALIDATE[how](chain)
    assert await chain.get_async("k") is None
    store.link["is_cut"] = False
    assert await store.get_async("k") == "old"
    async with asyncio.timeout(5):
        while await store.get_async("k") is not None:
            assert await chain.get_async("k") is None
            await asyncio.sleep(0.001)
    await come_back(chain)
    assert await chain.set_async("k", "new") is True
    assert await first.get_async("k") == "new"
    assert await second.get_async("k") is None


async def test_where_no_store_does_it_that_is_said(stores):
    first, second, chain = stores
    first.link["is_cut"] = second.link["is_cut"] = True
    for doing in (chain.invalidate_tags_async("t"), chain.clear_async()):
        with pytest.raises(BackendUnavailableError) as failed:
            await doing
        assert failed.value.queued is True


async def test_closing_does_what_is_left(stores):
    first, _, chain = stores
    await first.set_async("k", "old", tags=["t"])
    first.link["is_cut"] = True
    await chain.invalidate_tags_async("t")
    first.link["is_cut"] = False
    await chain.aclose()
    assert await first.get_async("k") is None


@pytest.mark.parametrize("how", INVALIDATE)
async def test_what_was_being_loaded_is_not_stored(stores, how):
    *_, chain = stores
    async with CacheService(default=chain) as cache:

        async def load():
            await INVALIDATE[how](chain)
            return "old"

        assert await cache.get_or_set_async("k", load, tags=["t"]) == "old"
        assert await cache.get_async("k") is None
        assert await cache.get_or_set_async("k", lambda: "new", tags=["t"]) == "new"
        assert await cache.get_async("k") == "new"


@pytest.mark.parametrize("how", INVALIDATE)
async def test_what_was_being_stored_is_taken_along(stores, how, monkeypatch):
    """The tag is invalidated after the right was looked at, and before the entry is written."""
    first, _, chain = stores
    store = Node._store

    async def late(self, *args):
        if self.log is first.log:
            monkeypatch.setattr(Node, "_store", store)
            await INVALIDATE[how](chain)
        return await store(self, *args)

    ticket = (await chain.claim(LOOP, "k")).ticket
    monkeypatch.setattr(Node, "_store", late)
    assert await chain.land(LOOP, "k", "old", 60, ticket, tags=("t",)) is False
    assert await chain.get_async("k") is None


def test_a_chain_grants_no_rights(stores):
    *_, chain = stores
    assert Capability.CLEARS in chain.capabilities
    assert not chain.capabilities & {Capability.FENCES, Capability.LOCKS}


async def test_a_store_that_cannot_be_cleared_keeps_the_chain_from_it(stores, monkeypatch):
    first, *_ = stores
    monkeypatch.setattr(Node, "capabilities", Node.capabilities - {Capability.CLEARS})
    chain = FallbackCacheBackend([first, Node(Log())])
    await first.set_async("k", "v")
    with pytest.raises(ConfigurationError, match="cannot be cleared"):
        await chain.clear_async()
    assert await first.get_async("k") == "v"


@pytest.mark.parametrize(("how", "step"), [("tag", "_void"), ("clear", "_empty")])
async def test_what_is_made_meanwhile_of_what_was_still_there_is_not_stored(stores, monkeypatch, how, step):
    chain = stores[2]
    begun, go, loads = asyncio.Event(), asyncio.Event(), []
    real = getattr(Node, step)

    async def load():
        part = await cache.get_async("part")
        begun.set()
        await go.wait()
        return f"of {part}"

    async def do(self, *args):
        if not loads:
            loads.append(asyncio.create_task(cache.get_or_set_async("whole", load, tags=["t"])))
            await begun.wait()
        return await real(self, *args)

    monkeypatch.setattr(Node, step, do)
    async with CacheService(default=chain) as cache:
        await cache.set_async("part", "old", tags=["t"])
        await INVALIDATE[how](chain)
        go.set()
        assert await loads[0] == "of old"
        assert await cache.get_async("whole") is None
