"""Rows of docs/migrating/aiocache.md that are more than another name: aiocache beside ours."""

import asyncio

import aiocache
import pytest

from asynccache import FOREVER, CachePolicy, cached
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.config import backend_of

A_CENTURY = 100 * 365 * 86_400.0


async def test_a_stored_none_is_a_default_there_and_a_value_here(ours):
    theirs = aiocache.SimpleMemoryCache()
    await theirs.set("key", None)
    await ours.set_async("key", None)
    assert (await theirs.get("key", default=7), await ours.get_async("key", default=7)) == (7, None)


async def test_many_are_a_list_there_and_a_dict_here(ours):
    theirs = aiocache.SimpleMemoryCache()
    assert await theirs.multi_set([("a", 1), ("b", 2)]) is True
    assert await ours.set_many_async({"a": 1, "b": 2}) == []
    assert await theirs.multi_get(["a", "c", "b"]) == [1, None, 2]
    assert await ours.get_many_async(["a", "c", "b"]) == {"a": 1, "b": 2}


async def test_a_second_add_is_an_error_there_and_false_here(ours):
    theirs = aiocache.SimpleMemoryCache()
    await theirs.add("key", 1)
    assert await ours.add_async("key", 1)
    with pytest.raises(ValueError, match="already exists"):
        await theirs.add("key", 2)
    assert not await ours.add_async("key", 2)


async def test_0_is_no_expiry_there_and_the_end_here(ours):
    theirs = aiocache.SimpleMemoryCache()
    await theirs.set("key", 1, ttl=0)
    await ours.set_async("key", 1, ttl=0)
    assert (await theirs.get("key"), await ours.get_async("key")) == (1, None)

    await ours.set_async("key", 1)
    assert await theirs.expire("key", 0)
    assert await ours.touch_async("key", 0)
    assert (await theirs.exists("key"), await ours.has_key_async("key")) == (True, False)


async def test_counters_and_deletions_answer_alike(ours, clock):
    theirs = aiocache.SimpleMemoryCache()
    assert await theirs.increment("visits", -2) == await ours.incr_async("visits", -2) == -2
    assert (await theirs.delete("visits"), await ours.delete_async("visits")) == (1, True)
    assert (await theirs.delete("visits"), await ours.delete_async("visits")) == (0, False)
    await ours.add_async("visits", 0, FOREVER)
    await ours.incr_async("visits")
    clock.advance(A_CENTURY)
    assert await ours.incr_async("visits") == 2


def test_namespaces_run_into_keys_there_and_not_here():
    theirs = aiocache.SimpleMemoryCache()
    assert theirs.build_key("bc", namespace="a") == theirs.build_key("c", namespace="ab")
    first, second = LocalMemCacheBackend(key_prefix="a"), LocalMemCacheBackend(key_prefix="ab")
    assert first.stored_key("bc") != second.stored_key("c")


async def test_a_call_has_one_entry_however_it_is_written(ours, calls):
    @aiocache.cached()
    async def theirs(number, other=1):
        calls.append("theirs")
        return number

    @cached()
    async def mine(number, other=1):
        calls.append("ours")
        return number

    for function in (theirs, mine):
        assert [await function(1), await function(number=1), await function(1, 1)] == [1, 1, 1]
    assert (calls.count("theirs"), calls.count("ours")) == (3, 1)


async def test_a_returned_none_is_stored_unless_a_condition_says_no(ours, calls):
    @cached(policy=CachePolicy(condition=lambda value: value is not None))
    async def skipping():
        calls.append("skipping")

    @cached()
    async def storing():
        calls.append("storing")

    @aiocache.cached()
    async def theirs():
        calls.append("theirs")

    for function in (skipping, storing, theirs):
        assert [await function(), await function()] == [None, None]
    assert calls == ["skipping", "skipping", "storing", "theirs", "theirs"]


async def test_reading_or_writing_can_be_left_out_for_a_call(ours, calls):
    @cached()
    async def found(number):
        calls.append(number)
        return len(calls)

    assert [await found(7), await found(7)] == [1, 1]
    assert await found.refresh_async(7) == 2
    assert await found.__wrapped__(7) == 3
    assert await found(7) == 2


async def test_a_fixed_key_is_a_function_here(ours, calls):
    @cached(name="rates", key=lambda *args, **kwargs: "all")
    async def rates(day, *, session=None):
        calls.append(day)

    await rates(1, session=object())
    await rates(2, session=object())
    assert calls == [1]
    assert rates.key(1) == rates.key(2)
    assert rates.key(1).startswith("rates")


async def test_ten_callers_load_once(ours, calls):
    @cached()
    async def slow():
        calls.append(1)
        await asyncio.sleep(0.01)

    await asyncio.gather(*(slow() for _ in range(10)))
    assert calls == [1]


def test_options_of_the_client_are_in_the_url():
    redis = backend_of("redis://:password@localhost:6379/0?pool_size=5&deadline=0.5&key_prefix=shop")
    memcached = backend_of("memcached://localhost:11211?deadline=0.5")
    assert (redis.stored_key("key"), memcached.stored_key("key")) == ("shop:1:key", ":1:key")
