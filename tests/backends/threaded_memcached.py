"""What both memcached backends over blocking clients have to survive; each test class says which backend it is."""

import asyncio
from itertools import chain

import pytest

from asynccache.errors import BackendUnavailableError
from tests.backends.wire import stat
from tests.conftest import LONG
from tests.outages import (
    DEADLINE,
    NETWORK_FAULTS,
    count_from_everywhere,
    follow_on_error,
    keep_the_deadline_in_blocking_calls,
    lose_invalidations,
    replace_connections,
    survive_a_frost,
    survive_a_kill,
    survive_strays,
    survive_the_network,
)
from tests.servers import Memcached
from tests.storms import (
    Storm,
    follow_models,
    share_one_service,
)

# The machine that runs the tests is busy.
PATIENT = 5.0
MEBI = 1024 * 1024
OWN_CONNECTION = 1  # that of `stat`
STRAYS = {
    "another's value": b"VALUE another 0 5\r\nSTRAY\r\nEND\r\n",
    "a miss": b"END\r\n",
    "stored": b"STORED\r\n",
    "deleted": b"DELETED\r\n",
    "not found": b"NOT_FOUND\r\n",
    "an error": b"SERVER_ERROR out of memory storing object\r\n",
    "another protocol": b"$5\r\nSTRAY\r\n",
}


def connections_of_clients(server):
    return stat(server, "curr_connections") - OWN_CONNECTION


class NobodyGetsAnothersData:
    @pytest.mark.timeout(1200 if LONG else 120)
    async def test_cancelled_operations_disturb_nobody(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url, deadline=PATIENT)
        storm = Storm(cache, 1_000_000 if LONG else 100_000)
        await storm.run()
        assert set(storm.seen) == {"right"}
        assert cache.stats()["errors"] == cache.stats()["damaged"] == 0
        assert connections_of_clients(fresh_memcached) <= 10 + OWN_CONNECTION
        await cache.aclose()

    async def test_results_of_cancelled_neighbours_reach_nobody(self, memcached_unix, unique_prefix, make):
        cache = make(servers=memcached_unix.path, key_prefix=unique_prefix, deadline=PATIENT)
        differences = await asyncio.gather(*[follow_models(cache, seed, 50) for seed in range(20)])
        assert list(chain(*differences)) == []
        assert cache.stats()["errors"] == 0
        await cache.aclose()

    @pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
    async def test_stray_and_lost_replies_mislead_nobody(
        self, memcached_server, fault_proxy, unique_prefix, make, stray
    ):
        proxy = fault_proxy(memcached_server.host, memcached_server.port)
        cache = make(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
        await survive_strays(cache, proxy, stray)

    def test_sixteen_threads_and_four_loops_share_one_service(self, memcached_server, unique_prefix, make):
        share_one_service(make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT))

    async def test_rivals_from_everywhere_count_exactly(self, memcached_server, unique_prefix, make):
        cache = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        await count_from_everywhere(cache, 50)
        await cache.aclose()


@pytest.mark.timed
class ItKeepsWorking:
    async def test_server_that_is_killed_and_restarted(self, fresh_memcached, make):
        await survive_a_kill(make(servers=fresh_memcached.url, deadline=DEADLINE), fresh_memcached)

    async def test_server_that_is_frozen_and_thawed(self, fresh_memcached, make):
        await survive_a_frost(make(servers=fresh_memcached.url, deadline=DEADLINE), fresh_memcached)

    @pytest.mark.parametrize("fault", NETWORK_FAULTS, ids=lambda fault: next(iter(fault)))
    async def test_network_that_goes_wrong(self, memcached_server, fault_proxy, unique_prefix, make, fault):
        proxy = fault_proxy(memcached_server.host, memcached_server.port)
        cache = make(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
        await survive_the_network(cache, proxy, fault)

    @pytest.mark.parametrize("fault", [{"blackhole": True}, {"drop_p": 1.0}, {"garbage_p": 1.0}], ids=str)
    def test_sync_calls_keep_the_deadline_too(self, memcached_server, fault_proxy, unique_prefix, make, fault):
        proxy = fault_proxy(memcached_server.host, memcached_server.port)
        cache = make(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
        keep_the_deadline_in_blocking_calls(cache, proxy, fault)

    async def test_connections_closed_by_the_server_are_replaced(
        self, memcached_server, fault_proxy, unique_prefix, make
    ):
        proxy = fault_proxy(memcached_server.host, memcached_server.port)
        cache = make(servers=proxy.address, key_prefix=unique_prefix, deadline=PATIENT, on_error="raise")
        await replace_connections(cache, proxy, pause=0.2)

    async def test_invalidation_that_is_lost_is_never_silent(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url)
        await lose_invalidations(cache, fresh_memcached)
        await cache.aclose()

    async def test_reads_and_set_follow_on_error(self, fresh_memcached, make):
        lenient = make(servers=fresh_memcached.url)
        strict = make(servers=fresh_memcached.url, on_error="raise")
        await follow_on_error(lenient, strict, fresh_memcached)

    async def test_one_dead_server_of_three_takes_its_own_keys_only(self, launch, make):
        servers = [launch(Memcached()) for _ in range(3)]
        cache = make(servers=[server.address for server in servers], deadline=PATIENT)
        values = {f"k{number}": number for number in range(150)}
        assert await cache.set_many_async(values) == []
        assert await cache.get_many_async(values) == values
        await asyncio.to_thread(servers[1].kill)
        found = await cache.get_many_async(values)
        assert 75 < len(found) < 125
        assert set(await cache.set_many_async(values)) == values.keys() - found.keys()
        with pytest.raises(BackendUnavailableError, match=servers[1].address):
            await cache.delete_many_async(values)
        assert await cache.get_many_async(found) == {}
        await cache.aclose()
