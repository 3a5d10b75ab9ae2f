"""A chain keeps the contract, falls back while it runs, and comes back without what is outdated."""

import asyncio
import logging
from functools import partial

import pytest

from asynccache import BackendUnavailableError, CacheService, ConfigurationError, NotAnIntegerError, SerializationError
from asynccache.backends import fallback_link
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.fallback_journal import Journal
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.core.entry import Kind
from asynccache.core.events import BackendDown, BackendUp, EntryDamaged
from asynccache.model import Capability
from asynccache.plan.io import LOOP
from asynccache.testing import BackendContract
from asynccache.testing.contract import CounterContract, KindContract, ManyContract, ValueContract
from tests.servers import Redis
from tests.servers.process import free_port

PATIENT = 5.0
SETTLED = fallback_link.SETTLE_SECONDS + 0.1


def dead_redis(**options):
    """A Redis that nobody runs."""
    return RedisCacheBackend(f"127.0.0.1:{free_port()}", **options)


def over(*makers, **options):
    return FallbackCacheBackend([make(**options) for make in makers])


class TestHealthyChain(BackendContract):
    @pytest.fixture
    def backend_factory(self, redis_server):
        return partial(over, partial(RedisCacheBackend, redis_server.url, deadline=PATIENT), LocalMemCacheBackend)

    async def test_tags_are_known_to_all_who_share_a_store_with_fences(self, make_cache):
        """Its own are, although the chain grants no rights."""
        cache, other = make_cache(), make_cache()
        await cache.set("k", "v", tags=["x"])
        assert await other.get("k") == "v"
        await other.invalidate_tags("x")
        assert await cache.get("k") is None


class SharesItsLastStore:
    """A new chain of each test is to see what the one before stored, as with a server."""

    @pytest.fixture
    def last(self, memcached_server):
        return partial(MemcachedCacheBackend, servers=memcached_server.url, deadline=PATIENT)


class TestChainWhoseFirstIsDead(SharesItsLastStore, ValueContract, CounterContract, ManyContract, KindContract):
    @pytest.fixture
    def backend_factory(self, last):
        return partial(over, dead_redis, last)


class Stores:
    """Redis, and local memory behind it."""

    def __init__(self, server, **options):
        self.server = server
        self.redis = RedisCacheBackend(server.url, deadline=0.5, **options)
        self.local = LocalMemCacheBackend(**options)
        self.chain = FallbackCacheBackend([self.redis, self.local])

    async def kill(self):
        await asyncio.to_thread(self.server.kill)

    async def restart(self):
        await asyncio.to_thread(self.server.restart)

    async def come_back(self):
        """Use the chain until all keys have returned."""
        async with asyncio.timeout(10):
            while self.chain.stats()["outdated"] or self.chain.stats()["away"]:
                await self.chain.get_async("any")
                await asyncio.sleep(0.01)


@pytest.fixture
async def stores(fresh_redis):
    stores = Stores(fresh_redis)
    yield stores
    await stores.chain.aclose()


async def frozen_while(server, *works):
    server.freeze()
    try:
        return [await work for work in works]
    finally:
        server.thaw()


async def test_every_operation_is_answered_by_the_next_store(stores):
    chain = stores.chain
    await stores.kill()
    assert await chain.set_async("k", {"a": 1}) is True
    assert await chain.get_async("k") == {"a": 1}
    assert await chain.has_key_async("k") is True
    assert await chain.touch_async("k", 60) is True
    assert await chain.add_async("k", 2) is False
    assert await chain.incr_async("n", 3) == 3
    assert await chain.decr_async("n") == 2
    assert await chain.set_many_async({"x": 1, "y": 2}) == []
    assert await chain.get_many_async(["x", "y", "z"]) == {"x": 1, "y": 2}
    assert await chain.delete_many_async(["x", "z"]) == 1
    assert await chain.delete_async("k") is True
    assert chain.get("y") == 2
    assert chain.incr("n") == 3
    assert await chain.write(LOOP, "page", b"body", 60, None, Kind.PAGE) is True
    assert bytes((await chain.read(LOOP, "page", None, Kind.PAGE)).value) == b"body"


async def test_what_was_deleted_in_an_outage_stays_deleted(stores):
    chain, server = stores.chain, stores.server
    await chain.set_many_async({"deleted": 1, "changed": 1, "many": 1, "counted": 1, "expired": 1, "untouched": 1})
    server.freeze()
    await chain.delete_async("deleted")
    await chain.set_async("changed", 2)
    await chain.delete_many_async(["many"])
    assert await chain.incr_async("counted") == 1
    await chain.set_async("expired", 2, ttl=0)
    server.thaw()
    expected = {"deleted": {None}, "changed": {2, None}, "many": {None}, "counted": {1, None}, "expired": {None}}
    for _ in range(50):
        for key, values in expected.items():
            assert await chain.get_async(key) in values
        await asyncio.sleep(SETTLED / 40)
    await stores.come_back()
    assert await chain.get_async("untouched") == 1
    assert await stores.redis.get_many_async(expected) == {}
    assert await stores.local.get_many_async(expected) == {}


async def test_what_nobody_asks_for_is_removed_all_the_same(stores):
    keys = [f"k{number}" for number in range(1_200)]
    await stores.chain.set_many_async(dict.fromkeys(keys, "old"))
    stores.server.freeze()
    await stores.chain.delete_many_async(keys)
    stores.server.thaw()
    await stores.come_back()
    assert await stores.redis.get_many_async(keys) == {}


@pytest.mark.parametrize("close", [FallbackCacheBackend.aclose, lambda chain: asyncio.to_thread(chain.close)])
async def test_closing_removes_what_is_outdated(stores, close):
    keys = [f"k{number}" for number in range(1_200)]
    await stores.chain.set_many_async(dict.fromkeys(keys, "old"))
    await stores.chain.set_many_async(dict.fromkeys(keys, "old"), version=2)
    stores.server.freeze()
    await stores.chain.delete_many_async(keys)
    await stores.chain.delete_many_async(keys, version=2)
    stores.server.thaw()
    await asyncio.sleep(fallback_link.PROBE_SECONDS + 0.05)
    await close(stores.chain)
    redis = RedisCacheBackend(stores.server.url, deadline=PATIENT)
    assert await redis.get_many_async(keys) == await redis.get_many_async(keys, version=2) == {}
    await redis.aclose()


async def test_values_of_one_outage_are_gone_in_the_next(stores):
    chain, server = stores.chain, stores.server
    server.freeze()
    await chain.set_async("k", "of the first outage")
    server.thaw()
    await stores.come_back()
    await chain.set_async("k", "newer")
    assert await frozen_while(server, chain.get_async("k")) == [None]


async def test_a_write_that_arrives_late_does_not_come_back(fresh_redis, fault_proxy):
    """What was sent into a hole arrives when that is healed, after newer values were stored."""
    proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
    chain = over(partial(RedisCacheBackend, proxy.address, deadline=0.1), LocalMemCacheBackend)
    await chain.set_async("k", "first")
    proxy.blackhole()
    await chain.set_async("k", "second")
    await chain.set_async("k", "third")
    proxy.heal()
    for _ in range(50):
        assert await chain.get_async("k") in ("third", None)
        await asyncio.sleep(SETTLED / 40)
    await chain.aclose()


async def test_a_value_that_cannot_be_stored_leaves_no_old_one(stores):
    await stores.chain.set_many_async({"k": "old", "many": "old"})
    await stores.kill()
    await stores.chain.set_many_async({"k": "newer", "many": "newer"})
    with pytest.raises(SerializationError):
        await stores.chain.set_async("k", object())
    with pytest.raises(SerializationError):
        await stores.chain.set_many_async({"many": object()})
    assert await stores.chain.get_many_async(["k", "many"]) == {}


async def test_a_refusal_for_the_value_is_no_outage(stores):
    await stores.chain.set_async("k", "text")
    with pytest.raises(NotAnIntegerError):
        await stores.chain.incr_async("k")
    assert stores.chain.stats()["fallbacks"] == 0
    assert stores.chain.stats()["away"] == 0


async def test_versions_are_kept_apart(stores):
    await stores.chain.set_async("k", "old", version=2)
    await stores.chain.set_async("k", "old")
    await frozen_while(stores.server, stores.chain.delete_async("k", version="1"))
    assert await stores.chain.get_async("k") is None
    assert await stores.chain.get_async("k", version=2) == "old"


async def test_it_is_said_once(stores, caplog):
    events = []
    stores.chain.listeners.append(events.append)
    await stores.chain.set_async("k", 1)
    await stores.kill()
    with caplog.at_level(logging.WARNING, "asynccache.backends.fallback_link"):
        for number in range(20):
            await stores.chain.set_async(f"k{number}", 1)
        assert stores.chain.stats()["away"] == 1
        assert stores.chain.stats()["fallbacks"] == 20
        await stores.restart()
        await stores.come_back()
    said = [record.getMessage() for record in caplog.records if record.name.endswith("fallback_link")]
    assert len(said) == 2
    assert "RedisCacheBackend does not answer, LocalMemCacheBackend does instead: " in said[0]
    assert stores.server.address in said[0]
    assert "RedisCacheBackend answers again" in said[1]
    assert [type(event) for event in events] == [BackendDown, BackendUp]


async def test_a_refusal_that_comes_again_and_again_is_said_once(launch, caplog, monkeypatch):
    monkeypatch.setattr(fallback_link, "SETTLE_SECONDS", 0.0)
    server = launch(Redis(acl=["user default on nopass ~* &* +@all -pexpire"]))
    chain = over(partial(RedisCacheBackend, server.url, deadline=PATIENT), LocalMemCacheBackend)
    events = []
    chain.listeners.append(events.append)
    for number in range(3):
        await chain.set_async(f"n{number}", 1)
        await chain.touch_async(f"n{number}", 60)
        await chain.get_async("k")
        await chain.get_async("k")
    said = [record.levelname for record in caplog.records if record.name.endswith("fallback_link")]
    assert said == ["WARNING", "WARNING"]
    assert [type(event) for event in events] == [BackendDown, BackendUp] * 3
    await chain.aclose()


async def test_other_events_of_the_stores_are_passed_on(stores):
    events = []
    stores.chain.listeners.append(events.append)
    await stores.chain.set_async("k", 1)
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(stores.server.url) as raw:
        await raw.set(stores.redis.stored_key("k"), b"damaged")
    assert await stores.chain.get_async("k") is None
    assert [type(event) for event in events] == [EntryDamaged]


async def test_without_any_store_it_does_as_the_first_says():
    lenient = over(dead_redis, dead_redis)
    strict = over(dead_redis, dead_redis, on_error="raise")
    assert await lenient.get_async("k", default="a miss") == "a miss"
    assert await lenient.get_many_async(["k"]) == {}
    assert await lenient.has_key_async("k") is False
    assert await lenient.set_async("k", 1) is False
    assert await lenient.set_many_async({"k": 1, "l": 2}) == ["k", "l"]
    for call in (lenient.delete_async, lenient.incr_async, lenient.touch_async, strict.get_async, strict.has_key_async):
        with pytest.raises(BackendUnavailableError):
            await call("k")
    with pytest.raises(BackendUnavailableError):
        await strict.get_many_async(["k"])
    with pytest.raises(BackendUnavailableError):
        await strict.set_async("k", 1)
    assert lenient.stats()["errors"] == 8
    assert lenient.stats()["misses"] == 2


async def test_a_read_through_never_fails_for_want_of_a_store():
    async with CacheService(default=over(dead_redis, dead_redis, on_error="raise")) as cache:
        assert await cache.get_or_set_async("k", lambda: 1) == 1
        assert await asyncio.to_thread(cache.get_or_set, "k", lambda: 2) == 2


async def test_the_given_backends_stay_as_they_were():
    alone = dead_redis()
    FallbackCacheBackend([alone, LocalMemCacheBackend()])
    assert await alone.get_async("k") is None
    assert alone.on_error == "miss"


async def test_what_the_chain_promises_is_what_all_its_stores_promise():
    rights = {Capability.FENCES, Capability.LOCKS}
    assert over(dead_redis).capabilities == dead_redis().capabilities - rights
    assert over(dead_redis, LocalMemCacheBackend).capabilities == dead_redis().capabilities & (
        LocalMemCacheBackend.capabilities - rights
    )
    assert over(LocalMemCacheBackend, DummyCacheBackend).capabilities == frozenset()


def test_options_belong_to_the_stores():
    with pytest.raises(ConfigurationError, match="no key_prefix, ttl of its own"):
        FallbackCacheBackend([LocalMemCacheBackend()], key_prefix="shop", ttl=60)


def test_options_are_those_of_the_first():
    chain = FallbackCacheBackend(
        [LocalMemCacheBackend(key_prefix="shop", version="a", ttl=None), LocalMemCacheBackend(ttl=5)]
    )
    assert chain.stored_key("k") == "shop:a:k"
    assert chain.default_ttl == float("inf")


@pytest.mark.parametrize("backends", [[], "redis", ["redis"], None, LocalMemCacheBackend()])
def test_what_is_no_list_of_backends_is_an_error(backends):
    with pytest.raises(ConfigurationError, match="chain"):
        FallbackCacheBackend(backends)


async def test_a_full_journal_refuses_further_changes_and_forgets_nothing(stores, monkeypatch):
    chain = stores.chain
    keys = [f"k{number}" for number in range(20)]
    await chain.set_many_async(dict.fromkeys(keys, "old"))
    monkeypatch.setattr(chain._chain, "_journal", Journal(2, most_bytes=10 * 163))
    stores.server.freeze()
    taken = [key for key in keys if await chain.set_async(key, "newer")]
    assert 10 <= len(taken) < 20
    with pytest.raises(BackendUnavailableError, match="as many as are remembered"):
        await chain.delete_async(keys[-1])
    assert await chain.delete_async(taken[0]) is True
    stores.server.thaw()
    await stores.come_back()
    assert sorted(await chain.get_many_async(keys)) == sorted(set(keys) - set(taken))
    assert await chain.delete_async(keys[-1]) is True
