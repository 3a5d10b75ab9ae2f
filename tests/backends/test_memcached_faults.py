"""memcached that is killed, frozen, slow or confused fails nobody."""

import asyncio

import pytest

from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.errors import BackendUnavailableError
from tests.backends.wire import stat
from tests.outages import (
    DEADLINE,
    NETWORK_FAULTS,
    bring_into,
    close_and_leave,
    follow_on_error,
    lose_invalidations,
    replace_connections,
    survive_a_frost,
    survive_a_kill,
    survive_strays,
    survive_the_network,
)
from tests.servers import Memcached

STRAYS = {
    "another's value": b"VA 5 O1\r\nSTRAY\r\nMN\r\n",
    "a value and no end": b"VA 5 O3\r\nSTRAY\r\n",
    "a miss": b"EN O2\r\nMN\r\n",
    "a miss that answers nobody": b"EN\r\nMN\r\n",
    "an empty answer": b"MN\r\n",
    "stored": b"HD O2\r\nMN\r\n",
    "not found": b"NF\r\nMN\r\n",
    "an error": b"SERVER_ERROR out of memory storing object\r\nMN\r\n",
    "classic text": b"STORED\r\n",
}


@pytest.mark.timed
async def test_server_that_is_killed_and_restarted(fresh_memcached):
    await survive_a_kill(MemcachedCacheBackend(servers=fresh_memcached.url, deadline=DEADLINE), fresh_memcached)


@pytest.mark.timed
async def test_server_that_is_frozen_and_thawed(fresh_memcached):
    await survive_a_frost(MemcachedCacheBackend(servers=fresh_memcached.url, deadline=DEADLINE), fresh_memcached)


@pytest.mark.parametrize("fault", NETWORK_FAULTS, ids=lambda fault: next(iter(fault)))
@pytest.mark.timed
async def test_network_that_goes_wrong(memcached_server, fault_proxy, unique_prefix, fault):
    proxy = fault_proxy(memcached_server.host, memcached_server.port)
    cache = MemcachedCacheBackend(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
    await survive_the_network(cache, proxy, fault)


async def test_connections_closed_by_the_server_are_replaced(memcached_server, fault_proxy, unique_prefix):
    proxy = fault_proxy(memcached_server.host, memcached_server.port)
    cache = MemcachedCacheBackend(servers=proxy.address, key_prefix=unique_prefix, on_error="raise")
    await replace_connections(cache, proxy)


async def test_invalidation_that_is_lost_is_never_silent(fresh_memcached):
    cache = MemcachedCacheBackend(servers=fresh_memcached.url)
    await lose_invalidations(cache, fresh_memcached)
    await cache.aclose()


async def test_reads_and_set_follow_on_error(fresh_memcached):
    lenient = MemcachedCacheBackend(servers=fresh_memcached.url)
    strict = MemcachedCacheBackend(servers=fresh_memcached.url, on_error="raise")
    await follow_on_error(lenient, strict, fresh_memcached)


async def test_one_dead_server_of_three_takes_its_own_keys_only(launch):
    servers = [launch(Memcached()) for _ in range(3)]
    cache = MemcachedCacheBackend(servers=[server.address for server in servers])
    values = {f"k{number}": number for number in range(300)}
    assert await cache.set_many_async(values) == []
    notebook = 1
    sizes = [stat(server, "curr_items") - notebook for server in servers]
    assert sum(sizes) == 300
    assert min(sizes) > 50
    await asyncio.to_thread(servers[1].kill)
    found = await cache.get_many_async(values)
    assert len(found) == 300 - sizes[1]
    failed = await cache.set_many_async(values)
    assert set(failed) == values.keys() - found.keys()
    assert [await cache.get_async(key) for key in found] == list(found.values())
    assert {await cache.get_async(key) for key in failed} == {None}
    with pytest.raises(BackendUnavailableError, match=servers[1].address):
        await cache.delete_many_async(values)
    assert [stat(server, "curr_items") for server in servers[::2]] == [notebook, notebook]
    await cache.aclose()


@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
async def test_stray_and_lost_replies_mislead_nobody(memcached_server, fault_proxy, unique_prefix, stray):
    proxy = fault_proxy(memcached_server.host, memcached_server.port)
    cache = MemcachedCacheBackend(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
    await survive_strays(cache, proxy, stray)


@pytest.mark.parametrize("state", ["alive", "frozen", "killed"])
async def test_closing_takes_a_second_at_most(launch, state):
    server = launch(Memcached())
    cache = MemcachedCacheBackend(servers=server.url, deadline=5)
    await bring_into(state, cache, server)
    await close_and_leave(cache, cache.get_async("k"))
