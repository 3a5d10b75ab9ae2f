"""A right that was granted and whose reply was lost, or that could not be given back, keeps nobody waiting here."""

import asyncio

import pytest

from asynccache import CacheService
from asynccache.backends.forsaken import Forsaken
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.core.claims import Held, Lead
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import LOOP

DEADLINE = 0.25
PATIENT = 5.0
MAKERS = {
    "redis": lambda url: RedisCacheBackend(url, deadline=DEADLINE),
    "memcached": lambda url: MemcachedCacheBackend(servers=url, deadline=DEADLINE),
    "postgresql": lambda url: SQLCacheBackend(url, deadline=DEADLINE),
}


@pytest.fixture(params=MAKERS)
def server(request):
    return request.getfixturevalue(f"fresh_{request.param}")


@pytest.fixture
def proxy(server, fault_proxy):
    return fault_proxy(server.host, server.port)


@pytest.fixture
async def cache(request, server, proxy):
    make = MAKERS[request.node.callspec.params["server"]]
    cache = make(server.url.replace(f"{server.host}:{server.port}", proxy.address))
    await cache.set_async("anything", 1)
    yield cache
    await cache.aclose()


@pytest.fixture
async def other(request, server):
    cache = MAKERS[request.node.callspec.params["server"]](server.url)
    yield cache
    await cache.aclose()


async def asked_again(ask):
    """Ask until the store answers again."""
    while True:
        try:
            return await ask()
        except BackendUnavailableError:
            await asyncio.sleep(0.02)


async def test_who_was_granted_a_right_and_did_not_hear_of_it_is_granted_it_again(cache, proxy):
    proxy.set(drop_p=1)
    with pytest.raises(BackendUnavailableError):
        await cache.claim(LOOP, "k")
    proxy.heal()
    assert isinstance(await asked_again(lambda: cache.claim(LOOP, "k")), Lead)


async def test_a_server_that_does_not_answer_is_asked_once(cache, proxy):
    proxy.set(blackhole=True)
    with pytest.raises(BackendUnavailableError):
        await cache.claim(LOOP, "k")
    assert cache.stats()["errors"] == 1


async def test_among_many_too(cache, proxy, other):
    proxy.set(drop_p=1)
    with pytest.raises(BackendUnavailableError):
        await cache.claim_many(LOOP, ["k", "l"])
    theirs = await other.claim(LOOP, "m")
    proxy.heal()
    claims = await asked_again(lambda: cache.claim_many(LOOP, ["k", "l", "m"]))
    assert [type(claims[key]) for key in "klm"] == [Lead, Lead, Held]
    assert await other.land(LOOP, "m", "v", 60, theirs.ticket)


async def test_many_are_given_back_at_once_where_whoever_asked_is_cancelled(fresh_redis, fault_proxy):
    proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
    keys = [f"k{number}" for number in range(300)]
    async with CacheService(default=RedisCacheBackend(f"redis://{proxy.address}/0", deadline=PATIENT)) as slow:
        await slow.get_async("k")
        proxy.set(latency=0.05)
        loading = asyncio.create_task(slow.get_or_set_many_async(keys, dict.fromkeys))
        await asyncio.sleep(0.02)
        async with asyncio.timeout(PATIENT):
            await slow.aclose()
        with pytest.raises(asyncio.CancelledError):
            await loading
        proxy.heal()
        claims = await slow.get_backend().claim_many(LOOP, keys)
    assert {type(claim) for claim in claims.values()} == {Lead}


async def test_many_are_granted_again_at_once(fresh_redis, fault_proxy):
    proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
    keys = [f"k{number}" for number in range(100)]
    cache = RedisCacheBackend(f"redis://{proxy.address}/0", deadline=1)
    await cache.get_async("k")
    proxy.set(drop_p=1)
    with pytest.raises(BackendUnavailableError):
        await cache.claim_many(LOOP, keys)
    proxy.heal()
    await asked_again(lambda: cache.has_key_async("k"))
    proxy.set(latency=0.05)
    async with asyncio.timeout(PATIENT):
        claims = await cache.claim_many(LOOP, keys)
    assert {type(claim) for claim in claims.values()} == {Lead}
    await cache.aclose()


async def test_a_lock_too(cache, proxy):
    proxy.set(drop_p=1)
    with pytest.raises(BackendUnavailableError):
        await cache.claim_lock(LOOP, "k", 30)
    proxy.heal()
    assert isinstance(await asked_again(lambda: cache.claim_lock(LOOP, "k", 30)), Lead)


@pytest.mark.parametrize("end", ["land", "release"])
async def test_what_could_not_be_stored_or_given_back_is_loaded_again_at_once(cache, proxy, end):
    ticket = (await cache.claim(LOOP, "k")).ticket
    proxy.set(blackhole=True)
    if end == "land":
        with pytest.raises(BackendUnavailableError):
            await cache.land(LOOP, "k", "v", 60, ticket)
    else:
        assert await cache.release(LOOP, ticket)
    proxy.reset_all()
    proxy.heal()
    assert isinstance(await asked_again(lambda: cache.claim(LOOP, "k")), Lead)


async def test_rights_of_others_stand(cache, proxy, other):
    theirs = await other.claim(LOOP, "k")
    proxy.set(drop_p=1)
    with pytest.raises(BackendUnavailableError):
        await cache.claim(LOOP, "k")
    proxy.heal()
    assert isinstance(await asked_again(lambda: cache.claim(LOOP, "k")), Held)
    assert await other.land(LOOP, "k", "v", 60, theirs.ticket)


class TestForsaken:
    def test_the_oldest_is_given_first_and_each_once(self):
        forsaken = Forsaken()
        for token in (b"1", b"2", b"1"):
            forsaken.add("k", token)
        assert [forsaken.take("k") for _ in range(3)] == [b"1", b"2", None]
        assert forsaken.take("l") is None

    def test_what_is_forgotten_is_not_given(self):
        forsaken = Forsaken()
        forsaken.add("k", b"1")
        forsaken.forget("k")
        assert forsaken.take("k") is None

    def test_it_is_bounded_however_long_an_outage_is(self):
        forsaken = Forsaken()
        for number in range(20_000):
            forsaken.add(f"k{number}", b"1")
            forsaken.add("k0", b"%d" % number)
        kept = [number for number in range(20_000) if forsaken.take(f"k{number}") is not None]
        assert len(kept) <= 10_000
        assert kept[-1] == 19_999
        tokens = iter(lambda: forsaken.take("k0"), None)
        assert len(list(tokens)) <= 16
