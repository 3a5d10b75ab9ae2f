"""Processes, servers and bytes that come to a halt and go on later: what they still do must not count any more."""

import asyncio
import signal
import subprocess
import sys

import pytest
import redis.asyncio

from asynccache import CacheService
from asynccache.backends.redis import RedisCacheBackend
from asynccache.core.claims import LEASE_SECONDS


@pytest.fixture
async def node(fresh_redis):
    async with CacheService(default=RedisCacheBackend(fresh_redis.url, deadline=5)) as cache:
        yield cache


@pytest.fixture
def leader(fresh_redis):
    """Have another process load; it has begun to."""
    command = [sys.executable, "-m", "tests.coherence.leading", fresh_redis.url, "key", "0.3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "loading\n"
        yield process
        process.kill()


async def test_what_a_stopped_process_loads_is_its_own_once_its_right_has_ended(leader, node):
    calls = []

    def load():
        calls.append(1)
        return "the next one's"

    leader.send_signal(signal.SIGSTOP)
    async with asyncio.timeout(LEASE_SECONDS + 3):
        assert await node.get_or_set_async("key", load) == "the next one's"
    leader.send_signal(signal.SIGCONT)
    assert await asyncio.to_thread(leader.communicate) == ("its own\n", None)
    assert await node.get_async("key") == "the next one's"
    assert len(calls) == 1


async def test_a_process_that_is_killed_while_it_loads_is_followed_by_another(leader, node):
    leader.kill()
    async with asyncio.timeout(LEASE_SECONDS + 3):
        assert await node.get_or_set_async("key", lambda: "the next one's") == "the next one's"


async def test_a_set_that_was_given_up_does_not_land_over_a_newer_delete(fresh_redis, fault_proxy, node):
    proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
    async with CacheService(default=RedisCacheBackend(f"redis://{proxy.address}/0")) as slow:
        assert await slow.set_async("key", "first")
        proxy.blackhole()
        assert await slow.set_async("key", "late") is False
        await node.delete_async("key")
        before = await scripts_run(fresh_redis)
        proxy.heal()
        await until_more_scripts_ran(fresh_redis, before)
        assert await node.get_async("key") is None


async def test_a_set_to_a_frozen_server_does_not_land_over_a_newer_delete(fresh_redis, node):
    async with CacheService(default=RedisCacheBackend(fresh_redis.url)) as hasty:
        assert await hasty.set_async("key", "first")
        fresh_redis.freeze()
        try:
            assert await hasty.set_async("key", "late") is False
            deleting = asyncio.create_task(node.delete_async("key"))
            await asyncio.sleep(0.1)
        finally:
            fresh_redis.thaw()
        await deleting
        assert await node.get_async("key") is None


async def scripts_run(server):
    async with redis.asyncio.Redis.from_url(server.url) as client:
        return (await client.info("commandstats"))["cmdstat_evalsha"]["calls"]


async def until_more_scripts_ran(server, before):
    async with asyncio.timeout(5):
        while await scripts_run(server) == before:
            await asyncio.sleep(0.01)
