"""`@cached` with a policy: what is renewed ahead and what stands in, for functions, coroutines and methods."""

import asyncio

import pytest

from asynccache import CachePolicy, CacheService, cached, current_load
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock

POLICY = CachePolicy(ttl=100, refresh_ahead=0.8, stale_if_error=50)
calls = []
failing = []


@cached(policy=POLICY)
def plain(number):
    calls.append((number, current_load().stale))
    if failing:
        raise KeyError(number)
    return len(calls)


@cached(policy=POLICY)
async def coroutine(number):
    calls.append((number, current_load().stale))
    if failing:
        raise KeyError(number)
    return len(calls)


@cached(ttl=5, policy=CachePolicy(ttl=100, stale_if_error=50))
def brief():
    if failing:
        raise KeyError
    return "brief"


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(autouse=True)
def cache(clock):
    calls.clear()
    failing.clear()
    with CacheService(default=LocalMemCacheBackend(clock=clock)) as service:
        yield service


async def settled(cache):
    async with asyncio.timeout(5):
        while cache.loader.runner.running:
            await asyncio.sleep(0.001)


@pytest.fixture(params=[plain, coroutine], ids=["plain", "coroutine"])
def call(request):
    async def call(*args):
        made = request.param(*args)
        return await made if asyncio.iscoroutine(made) else made

    call.function = request.param
    return call


async def test_it_is_renewed_ahead(cache, clock, call):
    assert await call(7) == 1
    clock.advance(81)
    assert await call(7) == 1
    await settled(cache)
    assert await call(7) == 2
    assert calls == [(7, None), (7, 1)]


async def test_what_is_over_stands_in(clock, call):
    assert await call(7) == 1
    clock.advance(101)
    failing.append(True)
    assert [await call(7), await call(7)] == [1, 1]
    assert len(calls) == 2


async def test_refreshing_sees_the_older_value_and_keeps_it_for_later(clock, call):
    assert await call(7) == 1
    assert await call.function.refresh_async(7) == 2
    assert calls == [(7, None), (7, 1)]
    clock.advance(101)
    failing.append(True)
    assert await call(7) == 2


async def test_invalidating_removes_what_would_stand_in(clock, call):
    await call(7)
    clock.advance(101)
    await call.function.invalidate_async(7)
    failing.append(True)
    with pytest.raises(KeyError):
        await call(7)


def test_an_explicit_ttl_beats_the_policys(cache, clock):
    assert brief() == "brief"
    clock.advance(6)
    assert not cache.has_key(brief.key())
    failing.append(True)
    assert brief() == "brief"
    clock.advance(50)
    with pytest.raises(KeyError):
        brief()


def test_without_a_cache_there_is_no_older_value():
    @cached(enabled=False)
    def alone():
        return current_load().has_stale

    assert alone() is False
