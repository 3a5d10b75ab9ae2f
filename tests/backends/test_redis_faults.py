"""Redis that is killed, frozen, slow or confused fails nobody, and nobody gets another's data."""

import asyncio
import time
from contextlib import suppress
from functools import partial

import pytest
import redis

from asynccache.backends import redis_questions as ask
from asynccache.backends.redis import RedisCacheBackend
from asynccache.core.fence import cells_of
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import LOOP
from tests.conftest import LONG
from tests.outages import (
    DEADLINE,
    NETWORK_FAULTS,
    bring_into,
    close_and_leave,
    follow_on_error,
    keep_the_deadline_in_blocking_calls,
    lose_invalidations,
    survive_a_frost,
    survive_a_kill,
    survive_crowds,
    survive_strays,
    survive_the_network,
    take_turns,
)
from tests.servers import Redis
from tests.servers.process import wait_until
from tests.storms import (
    Storm,
    follow_models,
    in_threads,
    share_one_service,
)

PATIENT = 5.0
STRAYS = {
    "a value": b"$5\r\nSTRAY\r\n",
    "a miss": b"$-1\r\n",
    "a status": b"+OK\r\n",
    "a number": b":1\r\n",
    "a list": b"*1\r\n$5\r\nSTRAY\r\n",
    "an error": b"-ERR stray\r\n",
    "another protocol": b"STORED\r\n",
}


def clients_of(server):
    """Count the server's connections, less the one that asks."""
    with redis.Redis.from_url(getattr(server, "unix_url", server.url)) as raw:
        return len(raw.client_list()) - 1


def nobody_is_left(server, before=0):
    """Wait until the server, too, has seen that connections were closed."""
    wait_until(lambda: clients_of(server) <= before, "all connections are closed")


class TestNobodyGetsAnothersData:
    @pytest.mark.timeout(1200 if LONG else 120)
    @pytest.mark.parametrize(("unix", "cancels"), [(True, 1_000_000 if LONG else 100_000), (False, 5_000)])
    async def test_cancelled_operations_disturb_nobody(self, launch, unix, cancels):
        server = launch(Redis("--tcp-backlog", "4096"))  # where dropped connections pile up while it gets no turn
        cache = RedisCacheBackend(server.unix_url if unix else server.url, deadline=PATIENT)
        storm = Storm(cache, cancels)
        await storm.run()
        assert set(storm.seen) == {"right"}
        assert cache.stats()["errors"] == cache.stats()["damaged"] == 0
        nobody_is_left(server, before=1)
        await cache.aclose()

    async def test_results_of_cancelled_neighbours_reach_nobody(self, fresh_redis):
        cache = RedisCacheBackend(fresh_redis.path, deadline=PATIENT)
        differences = await asyncio.gather(*[follow_models(cache, seed, 100) for seed in range(20)])
        assert [difference for found in differences for difference in found] == []
        assert cache.stats()["errors"] == 0
        await cache.aclose()

    @pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
    async def test_stray_and_lost_replies_mislead_nobody(self, redis_server, fault_proxy, unique_prefix, stray):
        proxy = fault_proxy(redis_server.host, redis_server.port)
        cache = RedisCacheBackend(proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
        await survive_strays(cache, proxy, stray)

    @pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS)
    async def test_a_stray_reply_that_comes_alone_is_no_value_and_no_number(
        self, redis_server, fault_proxy, unique_prefix, stray
    ):
        """Nothing more has come when it is read: only what the reply itself says can tell."""
        proxy = fault_proxy(redis_server.host, redis_server.port)
        cache = RedisCacheBackend(proxy.address, key_prefix=unique_prefix, deadline=PATIENT)
        await cache.set_many_async({"a": "value of a", "n": 1_000})
        proxy.set(prepend_p=0.2, slice=len(stray), prepend=stray)
        for _ in range(200):
            assert await cache.get_async("a") in (None, "value of a")
            assert (await cache.get_many_async(["a", "b"])).get("a") in (None, "value of a")
            with suppress(BackendUnavailableError):
                assert (await cache.incr_async("n", 1_000)) % 1_000 == 0
        await cache.aclose()

    def test_sixteen_threads_and_four_loops_share_one_service(self, redis_server, unique_prefix):
        share_one_service(RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=PATIENT))


@pytest.mark.timed
class TestItKeepsWorking:
    async def test_server_that_is_killed_and_restarted(self, fresh_redis):
        await survive_a_kill(RedisCacheBackend(fresh_redis.url, deadline=DEADLINE), fresh_redis)

    async def test_server_that_is_frozen_and_thawed(self, fresh_redis):
        await survive_a_frost(RedisCacheBackend(fresh_redis.url, deadline=DEADLINE), fresh_redis)

    @pytest.mark.parametrize("fault", [*NETWORK_FAULTS, {"blackhole": True}], ids=lambda fault: next(iter(fault)))
    async def test_network_that_goes_wrong(self, redis_server, fault_proxy, unique_prefix, fault):
        proxy = fault_proxy(redis_server.host, redis_server.port)
        cache = RedisCacheBackend(proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
        await survive_the_network(cache, proxy, fault)

    @pytest.mark.parametrize("fault", [{"blackhole": True}, {"drop_p": 1.0}, {"garbage_p": 1.0}], ids=str)
    def test_sync_calls_keep_the_deadline_too(self, redis_server, fault_proxy, unique_prefix, fault):
        proxy = fault_proxy(redis_server.host, redis_server.port)
        cache = RedisCacheBackend(proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
        keep_the_deadline_in_blocking_calls(cache, proxy, fault)

    async def test_restarted_server_is_used_at_once_by_idle_connections(self, fresh_redis):
        cache = RedisCacheBackend(fresh_redis.url, deadline=PATIENT, on_error="raise")
        await asyncio.gather(*[cache.set_async("a", 1) for _ in range(50)])
        in_threads(*[partial(cache.get, "a") for _ in range(20)])
        await asyncio.to_thread(fresh_redis.restart)
        for _ in range(50):
            assert await cache.get_async("a") is None
            assert cache.get("a") is None
        await cache.aclose()

    async def test_a_crowd_does_not_keep_a_server_down_that_is_back(self, fresh_redis, fault_proxy):
        """Those who are not let through meanwhile cut off nobody who asks whether it is back."""
        proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
        cache = RedisCacheBackend(proxy.address, deadline=1.0)
        await cache.set_async("k", "v")
        proxy.refuse()
        while not cache._place.guard_of(None).is_down:
            await cache.get_async("k")
        proxy.set(latency=0.02)  # so that it takes a while to find out
        proxy._do(proxy._listen())
        until = time.monotonic() + 10
        found = []

        async def ask_again_and_again():
            while not found and time.monotonic() < until:
                if await cache.get_async("k") == "v":
                    found.append("v")
                await asyncio.sleep(0.001)

        await asyncio.gather(*[ask_again_and_again() for _ in range(10)])
        assert found
        await cache.aclose()

    async def test_invalidation_that_is_lost_is_never_silent(self, fresh_redis):
        cache = RedisCacheBackend(fresh_redis.url)
        await lose_invalidations(cache, fresh_redis)
        await cache.aclose()

    async def test_reads_and_set_follow_on_error(self, fresh_redis):
        lenient = RedisCacheBackend(fresh_redis.url)
        strict = RedisCacheBackend(fresh_redis.url, on_error="raise")
        await follow_on_error(lenient, strict, fresh_redis)


class TestConnections:
    async def test_two_thousand_operations_wait_for_their_turn(self, fresh_redis):
        cache = RedisCacheBackend(fresh_redis.url, deadline=PATIENT)
        await cache.set_async("k", "v")
        await take_turns(cache)
        assert clients_of(fresh_redis) == 1
        await cache.aclose()

    def test_two_hundred_threads_wait_for_their_turn(self, fresh_redis):
        cache = RedisCacheBackend(fresh_redis.url, deadline=PATIENT, pool_size=5)
        assert in_threads(*[partial(cache.incr, "n") for _ in range(200)]) == []
        assert cache.get("n") == 200
        assert clients_of(fresh_redis) <= 5
        cache.close()
        nobody_is_left(fresh_redis)

    async def test_crowd_that_is_cancelled_leaves_the_connection_free(self, fresh_redis):
        cache = RedisCacheBackend(fresh_redis.url, deadline=PATIENT)
        await survive_crowds(cache)
        assert clients_of(fresh_redis) == 1
        await cache.aclose()
        nobody_is_left(fresh_redis)

    async def test_a_crowd_that_is_too_late_is_no_outage(self, fresh_redis, fault_proxy):
        proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
        cache = RedisCacheBackend(proxy.address, pool_size=1, deadline=0.5)
        events = []
        cache.listeners.append(events.append)
        await cache.set_async("k", "v")
        cache.get("k")
        proxy.set(latency=0.05)
        assert {*await asyncio.gather(*[cache.get_async("k") for _ in range(50)])} == {"v"}
        assert await asyncio.to_thread(in_threads, *[partial(cache.get, "k") for _ in range(50)]) == []
        assert events == []
        proxy.heal()
        assert await cache.get_async("k") == "v"
        await cache.aclose()

    async def test_who_waits_for_news_holds_up_nobody(self, fresh_redis):
        """A server that is asked to wait answers nothing else on that connection meanwhile."""
        cache = RedisCacheBackend(fresh_redis.url, deadline=0.5, on_error="raise")
        await cache.set_async("k", "v")
        part = cache._parts_of.spot(cache.stored_key("k")).part
        news = [ask.look(part.notebook), ask.changes(part.log, int(time.time() * 2e6), 1, wait=2.0)]
        waiting = asyncio.create_task(cache._place.read(LOOP, "follow", news, [], 2.0))
        await asyncio.sleep(0.05)
        assert await asyncio.gather(*[cache.get_async("k") for _ in range(50)]) == ["v"] * 50
        assert not waiting.done()
        assert clients_of(fresh_redis) == 2
        assert (await waiting)[1] is None
        await cache.aclose()
        nobody_is_left(fresh_redis)

    async def test_marks_of_tags_that_others_asked_for_are_nobodys(self, redis_server, fault_proxy, unique_prefix):
        """Marks look all alike; those of the crowd before, and their notebook, come in the place of one's own."""
        proxy = fault_proxy(redis_server.host, redis_server.port)
        cache = RedisCacheBackend(proxy.address, key_prefix=unique_prefix, deadline=PATIENT)
        await cache.set_async("a", "value", tags=["t"])
        part = cache._parts_of.spot(cache.stored_key("a")).part
        old = cells_of(("other",))
        marks, book = await cache._place.read(LOOP, "get", [ask.marks(part.table, old), ask.look(part.notebook)], [])
        await cache.invalidate_tags_async("t")
        stamps = b"".join(b":%d\r\n" % stamp for stamp in marks)
        raw = book.reply[0]
        stray = b"*%d\r\n%b*1\r\n$%d\r\n%b\r\n" % (len(marks), stamps, len(raw), raw)
        seen = []
        for _ in range(20):
            proxy.set(prepend_p=0.5, prepend=stray)
            seen.append(await cache.get_async("a"))
        assert set(seen) == {None}
        await cache.aclose()

    async def test_a_connection_that_is_lost_is_one_failure_however_many_wait_on_it(self, fresh_redis, fault_proxy):
        proxy = fault_proxy(fresh_redis.host, fresh_redis.port)
        cache = RedisCacheBackend(proxy.address, deadline=PATIENT)
        events = []
        cache.listeners.append(events.append)
        await cache.set_async("k", "v")
        for _ in range(5):
            assert await cache.get_async("k") == "v"
            proxy.set(blackhole=True)
            crowd = [asyncio.create_task(cache.get_async("k")) for _ in range(50)]
            await asyncio.sleep(0.02)
            await asyncio.to_thread(proxy.reset_all)
            assert set(await asyncio.gather(*crowd)) == {None}
            proxy.heal()
        assert await asyncio.gather(*[cache.get_async("k") for _ in range(50)]) == ["v"] * 50
        assert events == []
        assert cache.stats()["errors"] == 5 * 50
        await cache.aclose()

    @pytest.mark.parametrize("state", ["alive", "frozen", "killed"])
    async def test_closing_takes_a_second_at_most(self, launch, state):
        server = launch(Redis())
        cache = RedisCacheBackend(server.url, deadline=5)
        await bring_into(state, cache, server)
        await close_and_leave(cache, cache.set_async("k", b"x" * 10_000_000))

    async def test_opening_and_closing_leaves_nothing(self, redis_server):
        before = clients_of(redis_server)
        for _ in range(200):
            cache = RedisCacheBackend(redis_server.url, deadline=PATIENT)
            await cache.set_async("k", 1)
            cache.get("k")
            await cache.aclose()
        nobody_is_left(redis_server, before)
        assert {task.get_name() for task in asyncio.all_tasks()} == {asyncio.current_task().get_name()}

    def test_loops_that_end_without_closing_leave_nothing(self, fresh_redis):
        cache = RedisCacheBackend(fresh_redis.url, deadline=PATIENT)
        for number in range(20):
            assert asyncio.run(cache.incr_async("n")) == number + 1
        nobody_is_left(fresh_redis)
