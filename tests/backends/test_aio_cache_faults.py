"""A wire that cuts, mixes up and loses what aiomcache reads misleads nobody."""

import asyncio
import time

import pytest

from asynccache.backends.aio_cache import AioMemCacheBackend
from tests.outages import DEADLINE, survive_the_network
from tests.servers import Memcached
from tests.storms import seconds_until_hit, work_on_a_lying_wire

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
    for close in (proxy.half_close, proxy.reset_all):
        await cache.set_async("k", 1)
        close()
        await asyncio.sleep(0.05)
        assert await cache.get_async("k") == 1
    await cache.aclose()


@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
async def test_stray_and_lost_replies_mislead_nobody(memcached_server, fault_proxy, unique_prefix, stray):
    proxy = fault_proxy(memcached_server.host, memcached_server.port)
    cache = AioMemCacheBackend(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
    wrong: list[str] = []
    proxy.set(prepend_p=0.05, drop_p=0.02, prepend=stray)
    await asyncio.gather(*[work_on_a_lying_wire(cache, f"worker {number}", wrong) for number in range(20)])
    assert wrong == []
    proxy.heal()
    assert await seconds_until_hit(cache) <= 0.5
    await asyncio.gather(*[work_on_a_lying_wire(cache, f"worker {number}", wrong) for number in range(10)])
    assert wrong == []
    await cache.aclose()


@pytest.mark.parametrize("state", ["alive", "frozen", "killed"])
async def test_closing_takes_a_second_at_most(launch, state):
    server = launch(Memcached())
    cache = AioMemCacheBackend(servers=server.url, deadline=5)
    await cache.set_async("k", 1)
    await asyncio.to_thread(cache.get, "k")
    if state == "frozen":
        server.freeze()
    elif state == "killed":
        await asyncio.to_thread(server.kill)
    under_way = asyncio.create_task(cache.get_async("k"))
    await asyncio.sleep(0.01)
    began = time.monotonic()
    await cache.aclose()
    await asyncio.to_thread(cache.close)
    assert time.monotonic() - began <= 1
    under_way.cancel()
    await asyncio.wait([under_way])
