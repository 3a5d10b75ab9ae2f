"""Sentinels change the master, planned or not: no error, no write that was said to be done is lost, and soon back."""

import asyncio
import time

import pytest

from asynccache.backends.redis import RedisCacheBackend
from asynccache.core.events import BackendDown, BackendUp
from asynccache.errors import BackendUnavailableError
from asynccache.testing import recorded_events
from tests.failovers import BACK, DEADLINE, lose_no_write, survive_a_failover
from tests.load import under_load
from tests.servers.process import wait_until
from tests.servers.redis_cluster import is_master, tell
from tests.servers.redis_sentinel import SERVICE


@pytest.fixture
def servers(fresh_redis_sentinels):
    return fresh_redis_sentinels


@pytest.fixture
def cache(servers):
    backend = RedisCacheBackend(servers.url, deadline=DEADLINE)
    yield backend
    backend.close()


@pytest.mark.timed
class TestPlanned:
    async def test_no_write_that_was_said_to_be_done_is_lost(self, servers, cache):
        """The old master says OK to writes for ten seconds more."""
        old = await asyncio.to_thread(servers.master)
        await lose_no_write(cache, servers.fail_over)
        assert is_master(old)
        await cache.aclose()

    async def test_who_comes_while_a_failover_is_under_way_waits_for_its_end(self, servers, cache):
        old = await asyncio.to_thread(servers.master)
        tell(servers.sentinels[0], "SENTINEL FAILOVER", SERVICE)
        change = asyncio.create_task(asyncio.to_thread(servers.wait_for_another, old))
        done = {}
        while not change.done():
            if await cache.set_async(f"k{len(done)}", len(done), None):
                done[f"k{len(done)}"] = len(done)
            await asyncio.sleep(0.002)
        await change
        wait_until(lambda: cache.set("back", 1), "it is in use again")
        assert await cache.get_many_async(list(done)) == done
        await cache.aclose()

    async def test_reads_go_on_while_writes_are_held_up(self, servers, cache):
        await cache.set_async("a", 1)
        old = await asyncio.to_thread(servers.master)
        tell(servers.sentinels[0], "SENTINEL FAILOVER", SERVICE)
        wait_until(lambda: not cache.set("b", 1), "writes are held up")
        with pytest.raises(BackendUnavailableError, match="the sentinels are changing the master"):
            await cache.delete_async("a")
        assert await cache.get_async("a") == 1
        assert cache.get("a") == 1
        await asyncio.to_thread(servers.wait_for_another, old)
        await cache.aclose()

    async def test_a_master_changed_by_hand_is_found_by_the_write_that_it_refuses(self, servers):
        """No sentinel says that it begins or is over."""
        cache = RedisCacheBackend(servers.url, deadline=5.0)
        assert await cache.set_async("a", 1) is True
        assert cache.set("a", 1) is True
        old, new = servers.nodes[:2]
        tell(new, "REPLICAOF NO ONE")
        tell(old, "REPLICAOF", new.host, new.port)
        for sentinel in servers.sentinels:
            tell(sentinel, "SENTINEL REMOVE", SERVICE)
            tell(sentinel, "SENTINEL MONITOR", SERVICE, new.host, new.port, 2)
        time.sleep(0.1)
        assert await cache.incr_async("a") == 2
        assert cache.incr("a") == 3
        assert tell(new, "EXISTS", cache.stored_key("a")) == 1
        assert cache.stats()["errors"] == 0
        await cache.aclose()


@pytest.mark.timed
class TestUnplanned:
    @pytest.mark.parametrize("how", ["kill", "freeze"])
    async def test_the_next_master_takes_over(self, servers, cache, how):
        old = await asyncio.to_thread(servers.master)
        with recorded_events(cache) as events:
            await survive_a_failover(cache, getattr(old, how), lambda: servers.wait_for_another(old))
        assert [type(event) for event in events] == [BackendDown, BackendUp]
        if how == "freeze":
            old.thaw()
            assert (await under_load(cache, 0.5)).faultless()
        await cache.aclose()

    async def test_it_goes_on_without_sentinels(self, servers, cache):
        assert await cache.set_async("a", 1) is True
        for sentinel in servers.sentinels:
            await asyncio.to_thread(sentinel.kill)
        report = await under_load(cache, 0.5)
        assert report.faultless()
        assert report.hits
        assert await cache.get_async("a") == 1
        await asyncio.to_thread(servers.sentinels[0].restart)
        await asyncio.to_thread(servers.sentinels[1].restart)
        await cache.aclose()

    async def test_without_a_master_nothing_is_done_and_nobody_waits_long(self, servers):
        lenient = RedisCacheBackend(servers.url, deadline=DEADLINE)
        for server in (*servers.sentinels, *servers.nodes):
            await asyncio.to_thread(server.kill)
        began = time.monotonic()
        for _ in range(20):
            assert await lenient.get_async("a") is None
            assert lenient.set("a", 1) is False
        assert time.monotonic() - began <= 1
        with pytest.raises(BackendUnavailableError):
            await lenient.delete_async("a")
        began = time.monotonic()
        await lenient.aclose()
        assert time.monotonic() - began <= 1

    async def test_closing_does_not_wait_for_the_frozen(self, servers, cache):
        await cache.set_async("a", 1)
        cache.get("a")
        for server in (*servers.sentinels, *servers.nodes):
            server.freeze()
        began = time.monotonic()
        await cache.aclose()
        cache.close()
        assert time.monotonic() - began <= BACK
