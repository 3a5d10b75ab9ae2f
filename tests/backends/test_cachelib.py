"""cachelib's caches as a pair of functions: in memory, in files, on Redis, on memcached."""

import functools

import cachelib
import pymemcache
import pytest
import redis

from asynccache import CacheModule, CacheService
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.testing import BackendContract
from asynccache.testing.contract import CounterContract, KindContract, LifetimeContract, ValueContract


def over(cache):
    return functools.partial(CallableCacheBackend, cache.get, cache.set, cache.delete)


class TestSimpleCache(BackendContract):
    @pytest.fixture
    def backend_factory(self):
        return over(cachelib.SimpleCache(threshold=100_000))


class TestFileSystemCache(LifetimeContract, CounterContract):
    @pytest.fixture
    def backend_factory(self, tmp_path):
        return over(cachelib.FileSystemCache(str(tmp_path), threshold=0))


class TestRedisCache(LifetimeContract, KindContract):
    @pytest.fixture
    def backend_factory(self, redis_server):
        client = redis.Redis.from_url(redis_server.url)
        yield over(cachelib.RedisCache(client, key_prefix="theirs:"))
        client.close()


class TestMemcachedCache(ValueContract, LifetimeContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        client = pymemcache.PooledClient(memcached_server.address, default_noreply=False)
        yield over(cachelib.MemcachedCache(client, key_prefix="theirs:"))
        client.close()


class TestMemcachedCacheOverPylibmc(KindContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        return over(cachelib.MemcachedCache([memcached_server.address]))


# The seeds' own words


def test_its_functions_are_used_as_a_pair():
    flask_cache = cachelib.SimpleCache()
    module = CacheModule.use(flask_cache.get, flask_cache.set)
    assert module.service.set("k", None) is True
    assert module.service.get("k", default="a miss") is None
    assert module.service.delete("k") is True
    assert module.service.get("k", default="a miss") == "a miss"


@pytest.mark.parametrize("make", [cachelib.SimpleCache, lambda: cachelib.FileSystemCache("unused")])
def test_get_my_item(make, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    theirs = make()
    cache = CacheModule.use(theirs.get, theirs.set, theirs.delete).service
    calculated = []

    def calculate_value():
        calculated.append(1)
        return {"price": 7}

    def get_my_item():
        rv = cache.get("my-item")
        if rv is None:
            rv = calculate_value()
            cache.set("my-item", rv, ttl=5 * 60)
        return rv

    assert [get_my_item(), get_my_item()] == [{"price": 7}] * 2
    assert len(calculated) == 1


def test_our_service_can_be_given_to_it_as_a_client():
    service = CacheService(default="local")
    theirs = cachelib.MemcachedCache(service, key_prefix="shop:")
    assert theirs.set("k", {"a": 1}) is True
    assert theirs.get("k") == {"a": 1}
    assert service.get("shop:k") == {"a": 1}
    assert theirs.delete("k") is True
    assert theirs.get("k") is None
