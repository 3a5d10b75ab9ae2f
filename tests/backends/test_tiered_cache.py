"""Two tiers keep the contract, from the moment on at which the near one hears of changes."""

import time
from functools import partial

import pytest

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.testing import BackendContract
from asynccache.testing.contract import CounterContract, KindContract, TagContract
from tests.backends.test_tiered_cache_near import eventually

PATIENT = 5.0


def before(make_store, **options):
    return TieredCacheBackend(LocalMemCacheBackend(), make_store(**options))


def in_step(make_store, **options):
    """Give tiers that hold what they get."""
    tiers = before(make_store, **options)
    until = time.monotonic() + PATIENT
    while tiers._watch.ground(tiers.stored_key("k")) is None and time.monotonic() < until:
        time.sleep(0.0005)
    return tiers


class HeardOf:
    """What of the contract is so a moment later."""

    async def test_tags_are_known_to_all_who_share_a_store_with_fences(self, make_cache):
        cache, other = make_cache(), make_cache()
        await cache.set("k", "v", tags=["x"])
        assert await other.get("k") == "v"
        await other.invalidate_tags("x")
        await eventually(lambda: cache.get("k"), None, 1.0)


class TestBeforeRedis(HeardOf, BackendContract):
    @pytest.fixture
    def backend_factory(self, redis_server):
        return partial(in_step, partial(RedisCacheBackend, redis_server.url, deadline=PATIENT))


class TestBeforeMemcached(CounterContract, KindContract, TagContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        return partial(before, partial(MemcachedCacheBackend, servers=memcached_server.url, deadline=PATIENT))


class TestBeforeSQLite(HeardOf, CounterContract, KindContract, TagContract):
    @pytest.fixture
    def backend_factory(self, tmp_path):
        return partial(in_step, partial(SQLCacheBackend, f"sqlite:///{tmp_path}/cache.db", deadline=PATIENT))
