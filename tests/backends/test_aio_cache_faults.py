"""A wire that cuts, mixes up and loses what aiomcache reads misleads nobody."""

import pytest

from asynccache.backends.aio_cache import AioMemCacheBackend
from tests.outages import (
    DEADLINE,
    bring_into,
    close_and_leave,
    replace_connections,
    survive_strays,
    survive_the_network,
)
from tests.servers import Memcached

STRAYS = {
    "another's value": b"VALUE another 0 5\r\nSTRAY\r\nEND\r\n",
    "a miss": b"END\r\n",
    "stored": b"STORED\r\n",
}
CUTS = [{"garbage_p": 0.5}, {"half_close_p": 0.1}, {"truncate_p": 0.1}]


@pytest.mark.parametrize("fault", CUTS, ids=lambda fault: next(iter(fault)))
@pytest.mark.timed
async def test_network_that_goes_wrong(memcached_server, fault_proxy, unique_prefix, fault):
    proxy = fault_proxy(memcached_server.host, memcached_server.port)
    cache = AioMemCacheBackend(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
    await survive_the_network(cache, proxy, fault)


async def test_connections_closed_by_the_server_are_replaced(memcached_server, fault_proxy, unique_prefix):
    proxy = fault_proxy(memcached_server.host, memcached_server.port)
    cache = AioMemCacheBackend(servers=proxy.address, key_prefix=unique_prefix, on_error="raise")
    await replace_connections(cache, proxy)


@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
async def test_stray_and_lost_replies_mislead_nobody(memcached_server, fault_proxy, unique_prefix, stray):
    proxy = fault_proxy(memcached_server.host, memcached_server.port)
    cache = AioMemCacheBackend(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
    await survive_strays(cache, proxy, stray)


@pytest.mark.parametrize("state", ["alive", "frozen", "killed"])
async def test_closing_takes_a_second_at_most(launch, state):
    server = launch(Memcached())
    cache = AioMemCacheBackend(servers=server.url, deadline=5)
    await bring_into(state, cache, server)
    await close_and_leave(cache, cache.get_async("k"))
