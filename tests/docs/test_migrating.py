"""What docs/migrating says of all moves: rows that are more than another name, and both caches side by side."""

import pickle
from datetime import timedelta

import aiocache
import cashews
import pytest
from cachelib import RedisCache as CachelibRedis
from cachelib import SimpleCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache
from fastapi_cache.backends.inmemory import InMemoryBackend

from asynccache import FOREVER, CacheService
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend

A_CENTURY = 100 * 365 * 86_400.0


@pytest.mark.parametrize("value", [None, False, 0, "", []])
def test_falsy_values_are_hits(ours, value):
    ours.set("key", value)
    assert ours.get("key", default="a miss") == value
    assert ours.get_or_set("key", lambda: "loaded") == value


@pytest.mark.parametrize(("ttl", "seconds"), [(None, 300), (0.5, 0.5), (timedelta(minutes=1), 60), (0, 0), (-1, 0)])
def test_an_entry_ends_when_its_ttl_says(ours, clock, ttl, seconds):
    ours.set("key", 1, ttl=ttl)
    clock.advance(seconds - 0.1)
    assert ours.has_key("key") == (seconds > 0)
    clock.advance(0.2)
    assert not ours.has_key("key")


def test_what_is_for_ever_and_a_backend_without_a_ttl_do_not_expire(ours, clock):
    endless = LocalMemCacheBackend(clock=clock, ttl=None)
    ours.set("key", 1, FOREVER)
    endless.set("key", 1)
    clock.advance(A_CENTURY)
    assert ours.get("key") == endless.get("key") == 1


def of_cashews():
    theirs = cashews.Cache("moving")
    theirs.setup("mem://?check_interval=0")
    return theirs


@pytest.mark.parametrize(
    "make", [SimpleCache, aiocache.SimpleMemoryCache, lambda: LocMemCache("store", {}), of_cashews]
)
async def test_a_store_that_is_there_can_stay(make):
    theirs = make()
    backend = CallableCacheBackend(theirs.get, theirs.set, theirs.delete, key_prefix="shop")
    async with CacheService(default=backend) as service:
        assert await service.set_async("key", None, ttl=60)
        assert await service.get_async("key", default="a miss") is None
        assert await service.incr_async("visits") == 1
        assert await service.delete_async("key")
        assert await service.get_async("key", default="a miss") == "a miss"


async def test_a_store_that_is_there_can_stay_without_a_way_to_delete():
    theirs = InMemoryBackend()
    async with CacheService(default=CallableCacheBackend(theirs.get, theirs.set)) as service:
        assert await service.set_async("key", None, ttl=60)
        assert await service.delete_async("key")
        assert await service.get_async("key", default="a miss") == "a miss"


def test_one_prefix_on_one_server_spoils_both_caches_and_two_prefixes_spoil_none(redis_server, unique_prefix):
    theirs = RedisCache(redis_server.url, {"KEY_PREFIX": unique_prefix})
    same = RedisCacheBackend(redis_server.url, key_prefix=unique_prefix)
    other = RedisCacheBackend(redis_server.url, key_prefix=f"new-{unique_prefix}")
    assert theirs.make_key("key") == same.stored_key("key") != other.stored_key("key")

    theirs.set("key", "theirs")
    other.set("key", "ours")
    assert (theirs.get("key"), other.get("key")) == ("theirs", "ours")

    assert same.get("key", default="a miss") == "a miss"
    assert theirs.get("key", "a miss") == "a miss"
    same.set("key", "ours")
    with pytest.raises(pickle.UnpicklingError):
        theirs.get("key")
    for backend in (same, other):
        backend.close()


def test_clearing_theirs_by_prefix_keeps_ours_if_our_prefix_begins_otherwise(redis_server, unique_prefix):
    theirs = CachelibRedis(redis_server.host, redis_server.port, key_prefix=unique_prefix)
    taken = RedisCacheBackend(redis_server.url, key_prefix=f"{unique_prefix}-new")
    kept = RedisCacheBackend(redis_server.url, key_prefix=f"new-{unique_prefix}")
    for cache in (theirs, taken, kept):
        cache.set("key", 1)
    theirs.clear()
    assert [cache.get("key") for cache in (theirs, taken, kept)] == [None, None, 1]
    for backend in (taken, kept):
        backend.close()


def test_a_counted_up_version_is_a_clean_start_for_all_keys():
    first, second = LocalMemCacheBackend(version=1), LocalMemCacheBackend(version=2)
    assert first.stored_key("key") == second.stored_key("key", version=1) != second.stored_key("key")
