"""A database server that is killed, frozen, slow or confused fails nobody, and nobody gets another's data."""

import asyncio
import gc
from contextlib import closing, suppress
from functools import partial

import psycopg
import pymysql
import pytest
from sqlalchemy import make_url

from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.errors import BackendUnavailableError
from tests.backends.sql_strays import STRAYS
from tests.conftest import LONG
from tests.outages import (
    DEADLINE,
    NETWORK_FAULTS,
    bring_into,
    close_meanwhile,
    keep_the_deadline_in_blocking_calls,
    lose_invalidations,
    survive_a_frost,
    survive_a_kill,
    survive_crowds,
    survive_strays,
    survive_the_network,
    take_turns,
)
from tests.servers.process import wait_until
from tests.storms import (
    Storm,
    follow_models,
    in_threads,
    share_one_service,
)

PATIENT = 5.0
CROWDED = 60.0
"""Seconds for the last one of a crowd, however slow the machine: its turn is what is tested, not the deadline."""


@pytest.fixture(params=STRAYS)
def kind(request):
    return request.param


@pytest.fixture
def server(request, kind):
    """Give a server that other tests use too."""
    return request.getfixturevalue(f"{kind}_server")


@pytest.fixture
def fresh_server(request, kind):
    """Give a server of this test's own."""
    return request.getfixturevalue(f"fresh_{kind}")


@pytest.fixture
def through_proxy(server, fault_proxy, unique_prefix):
    """Give a proxy, and a function that makes a backend behind it."""
    proxy = fault_proxy(server.host, server.port)
    url = make_url(server.url).set(host=proxy.host, port=proxy.port).render_as_string(hide_password=False)
    return proxy, partial(SQLCacheBackend, url, key_prefix=unique_prefix)


def clients_of(server):
    """Count the server's connections, less the one that asks."""
    url = make_url(server.url)
    where = {"host": url.host, "port": url.port, "user": url.username, "password": url.password}
    if url.drivername == "postgresql":
        count = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        connection = psycopg.connect(**where, dbname=url.database)
    else:
        count = "SELECT COUNT(*) FROM information_schema.processlist WHERE user = CURRENT_USER() OR db IS NOT NULL"
        connection = pymysql.connect(**where, database=url.database)
    with connection, connection.cursor() as cursor:
        cursor.execute(count)
        return cursor.fetchone()[0] - 1


def nobody_is_left(server, before=0):
    """Wait until the server, too, has seen that connections were closed."""
    wait_until(lambda: clients_of(server) <= before, "all connections are closed")


class TestNobodyGetsAnothersData:
    @pytest.mark.timeout(2400 if LONG else 120)
    async def test_cancelled_operations_disturb_nobody(self, fresh_server):
        cache = SQLCacheBackend(fresh_server.url, deadline=PATIENT, ttl=None)
        storm = Storm(cache, 100_000 if LONG else 20_000)
        await storm.run()
        assert set(storm.seen) == {"right"}
        assert cache.stats()["errors"] == cache.stats()["damaged"] == 0
        nobody_is_left(fresh_server, before=10)
        await cache.aclose()
        nobody_is_left(fresh_server)

    async def test_results_of_cancelled_neighbours_reach_nobody(self, server, unique_prefix):
        cache = SQLCacheBackend(server.url, key_prefix=unique_prefix, deadline=PATIENT)
        differences = await asyncio.gather(*[follow_models(cache, seed, 20) for seed in range(20)])
        assert [difference for found in differences for difference in found] == []
        assert cache.stats()["errors"] == 0
        await cache.aclose()

    @pytest.mark.parametrize(
        ("kind", "stray"),
        [pytest.param(kind, stray, id=f"{kind}, {name}") for kind in STRAYS for name, stray in STRAYS[kind].items()],
    )
    async def test_stray_and_lost_replies_mislead_nobody(self, through_proxy, stray):
        proxy, make = through_proxy
        cache = make(deadline=DEADLINE)
        await cache.set_async("k", 1)
        await survive_strays(cache, proxy, stray)

    @pytest.mark.parametrize(
        ("kind", "stray"), [(kind, STRAYS[kind][name]) for kind in STRAYS for name in list(STRAYS[kind])[:2]]
    )
    async def test_a_stray_reply_that_comes_alone_is_no_value_and_no_number(self, through_proxy, stray):
        """Nothing more has come when it is read: only what the reply itself says can tell."""
        proxy, make = through_proxy
        cache = make(deadline=PATIENT)
        await cache.set_many_async({"a": "value of a", "n": 1_000})
        proxy.set(prepend_p=0.2, slice=len(stray), prepend=stray)
        for _ in range(100):
            assert await cache.get_async("a") in (None, "value of a")
            assert (await cache.get_many_async(["a", "b"])).get("a") in (None, "value of a")
            with suppress(BackendUnavailableError):
                assert (await cache.incr_async("n", 1_000)) % 1_000 == 0
        await cache.aclose()

    def test_sixteen_threads_and_four_loops_share_one_service(self, server, unique_prefix):
        share_one_service(SQLCacheBackend(server.url, key_prefix=unique_prefix, deadline=PATIENT))


@pytest.mark.timed
class TestItKeepsWorking:
    async def test_server_that_is_killed_and_restarted(self, fresh_server):
        await survive_a_kill(SQLCacheBackend(fresh_server.url, deadline=DEADLINE), fresh_server)

    async def test_server_that_is_frozen_and_thawed(self, fresh_server):
        await survive_a_frost(SQLCacheBackend(fresh_server.url, deadline=DEADLINE), fresh_server)

    @pytest.mark.parametrize("fault", [*NETWORK_FAULTS, {"blackhole": True}], ids=lambda fault: next(iter(fault)))
    async def test_network_that_goes_wrong(self, through_proxy, fault):
        proxy, make = through_proxy
        await survive_the_network(make(deadline=DEADLINE), proxy, fault)

    @pytest.mark.parametrize("fault", [{"blackhole": True}, {"drop_p": 1.0}, {"garbage_p": 1.0}], ids=str)
    def test_sync_calls_keep_the_deadline_too(self, through_proxy, fault):
        proxy, make = through_proxy
        cache = make(deadline=DEADLINE)
        keep_the_deadline_in_blocking_calls(cache, proxy, fault)

    async def test_restarted_server_is_used_at_once_by_idle_connections(self, fresh_server):
        cache = SQLCacheBackend(fresh_server.url, deadline=PATIENT, on_error="raise")
        await asyncio.gather(*[cache.set_async("a", 1) for _ in range(50)])
        await asyncio.to_thread(cache.get, "a")
        await asyncio.to_thread(fresh_server.restart)
        for _ in range(50):
            assert await cache.get_async("a") == 1
            assert await asyncio.to_thread(cache.get, "a") == 1
        await cache.aclose()

    async def test_invalidation_that_is_lost_is_never_silent(self, fresh_server):
        cache = SQLCacheBackend(fresh_server.url)
        errors = await lose_invalidations(cache, fresh_server)
        assert all(make_url(fresh_server.url).password not in str(error) for error in errors)
        assert await cache.get_async("k", default="a miss") == "a miss"
        assert await cache.set_async("k", 1) is False
        assert await cache.set_many_async({"k": 1, "l": 2}) == ["k", "l"]
        await cache.aclose()


class TestConnections:
    async def test_two_thousand_operations_wait_for_their_turn(self, fresh_server):
        cache = SQLCacheBackend(fresh_server.url, deadline=CROWDED)
        await cache.set_async("k", "v")
        await take_turns(cache)
        assert clients_of(fresh_server) <= 10
        await cache.aclose()

    def test_two_hundred_threads_wait_for_their_turn(self, fresh_server):
        with closing(SQLCacheBackend(fresh_server.url, deadline=CROWDED, pool_size=5)) as cache:
            assert in_threads(*[partial(cache.incr, "n") for _ in range(200)]) == []
            assert cache.get("n") == 200
            assert clients_of(fresh_server) <= 5
        nobody_is_left(fresh_server)

    async def test_crowd_that_is_cancelled_leaves_every_connection_free(self, fresh_server):
        cache = SQLCacheBackend(fresh_server.url, pool_size=3, deadline=CROWDED)
        await survive_crowds(cache)
        nobody_is_left(fresh_server, before=3)
        await cache.aclose()
        nobody_is_left(fresh_server)

    @pytest.mark.parametrize("state", ["alive", "frozen", "killed"])
    async def test_closing_takes_a_second_at_most(self, fresh_server, state):
        cache = SQLCacheBackend(fresh_server.url, deadline=5)
        await bring_into(state, cache, fresh_server)
        under_way = await close_meanwhile(cache, cache.set_async("k", b"x" * 10_000_000))
        assert await under_way in (True, False)

    async def test_closing_is_no_outage_of_those_who_are_refused(self, fresh_server):
        cache = SQLCacheBackend(fresh_server.url, deadline=5, pool_size=3)
        events = []
        cache.listeners.append(events.append)
        await bring_into("frozen", cache, fresh_server)
        crowd = [asyncio.create_task(cache.get_async("k", default="a miss")) for _ in range(20)]
        await asyncio.sleep(0.01)
        await cache.aclose()
        assert await asyncio.gather(*crowd) == ["a miss"] * 20
        assert events == []
        cache.close()

    async def test_connections_given_up_in_the_making_are_closed_at_once(self, through_proxy):
        proxy, make = through_proxy
        cache = make(deadline=0.1)
        proxy.blackhole()
        gc.disable()  # it is not to be relied on
        try:
            assert await asyncio.gather(*[cache.get_async("k") for _ in range(5)]) == [None] * 5
            assert proxy.counts["connections"] == 5
            proxy.heal()
            await asyncio.to_thread(wait_until, lambda: not proxy.connections, "all connections are closed")
        finally:
            gc.enable()
        await cache.aclose()

    async def test_opening_and_closing_leaves_nothing(self, fresh_server):
        for _ in range(30):
            cache = SQLCacheBackend(fresh_server.url, deadline=PATIENT)
            await cache.set_async("k", 1)
            await asyncio.to_thread(cache.get, "k")
            await cache.aclose()
        nobody_is_left(fresh_server)
        assert {task.get_name() for task in asyncio.all_tasks()} == {asyncio.current_task().get_name()}

    def test_loops_that_end_without_closing_leave_nothing(self, fresh_server):
        cache = SQLCacheBackend(fresh_server.url, deadline=PATIENT)
        for number in range(10):
            assert asyncio.run(cache.incr_async("n")) == number + 1
        nobody_is_left(fresh_server)
