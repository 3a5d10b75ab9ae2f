"""What both memcached backends over blocking clients have to survive; each test class says which backend it is."""

import asyncio
import os
import sys
import threading
import time
from functools import partial
from itertools import chain
from pathlib import Path
from traceback import format_exception

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynccache.core.keys import memcached_key
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import LOOP
from tests.backends.peer import DELETES, READS, STARTS, WRITES, Peer
from tests.backends.wire import ask, plant, stat
from tests.conftest import LONG
from tests.outages import (
    DEADLINE,
    NETWORK_FAULTS,
    survive_a_frost,
    survive_a_kill,
    survive_crowds,
    survive_the_network,
)
from tests.servers import Memcached
from tests.storms import (
    Storm,
    follow_models,
    in_threads,
    seconds_until_hit,
    share_one_service,
    work_on_a_lying_wire,
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
        wrong: list[str] = []
        proxy.set(prepend_p=0.05, drop_p=0.02, prepend=stray)
        await asyncio.gather(*[work_on_a_lying_wire(cache, f"worker {number}", wrong) for number in range(20)])
        assert wrong == []
        proxy.heal()
        assert await seconds_until_hit(cache) <= 0.5
        await asyncio.gather(*[work_on_a_lying_wire(cache, f"worker {number}", wrong) for number in range(10)])
        assert wrong == []
        await cache.aclose()

    def test_sixteen_threads_and_four_loops_share_one_service(self, memcached_server, unique_prefix, make):
        share_one_service(make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT))

    async def test_rivals_from_everywhere_count_exactly(self, memcached_server, unique_prefix, make):
        cache = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        await cache.set_async("n", 0, 60)

        async def count() -> list[int]:
            return await asyncio.gather(*[cache.incr_async("n") for _ in range(50)])

        numbers = await asyncio.gather(count(), *[asyncio.to_thread(asyncio.run, count()) for _ in range(3)])
        assert sorted(chain(*numbers)) == list(range(1, 201))
        await cache.aclose()


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
        cache.set("a", 1)
        proxy.set(**fault)
        began = time.monotonic()
        for _ in range(10):
            cache.get("a")
        assert time.monotonic() - began < 3 * DEADLINE + 1
        proxy.heal()
        while time.monotonic() < began + 5 and not cache.set("a", 1):
            time.sleep(0.01)
        assert cache.get("a") == 1
        cache.close()

    async def test_connections_closed_by_the_server_are_replaced(
        self, memcached_server, fault_proxy, unique_prefix, make
    ):
        proxy = fault_proxy(memcached_server.host, memcached_server.port)
        cache = make(servers=proxy.address, key_prefix=unique_prefix, deadline=PATIENT, on_error="raise")
        for close in (proxy.half_close, proxy.reset_all):
            await cache.set_async("k", 1)
            close()
            await asyncio.sleep(0.2)
            assert await cache.get_async("k") == 1
        await cache.aclose()

    async def test_invalidation_that_is_lost_is_never_silent(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url)
        await cache.set_async("k", 1)
        await asyncio.to_thread(fresh_memcached.kill)
        for operation in (
            cache.delete_async("k"),
            cache.delete_many_async(["k", "l"]),
            cache.incr_async("k"),
            cache.decr_async("k"),
            cache.add_async("k", 1),
            cache.touch_async("k"),
        ):
            with pytest.raises(BackendUnavailableError, match=fresh_memcached.address):
                await operation
        for operation in (cache.delete, cache.incr, cache.touch):
            with pytest.raises(BackendUnavailableError):
                operation("k")
        await cache.aclose()

    async def test_reads_and_set_follow_on_error(self, fresh_memcached, make):
        lenient = make(servers=fresh_memcached.url)
        strict = make(servers=fresh_memcached.url, on_error="raise")
        await asyncio.to_thread(fresh_memcached.kill)
        assert await lenient.get_async("k", default="a miss") == "a miss"
        assert await lenient.get_many_async(["k"]) == {}
        assert await lenient.has_key_async("k") is False
        assert await lenient.set_async("k", 1) is False
        assert await lenient.set_many_async({"k": 1, "l": 2}) == ["k", "l"]
        for operation in (
            strict.get_async("k"),
            strict.get_many_async(["k"]),
            strict.has_key_async("k"),
            strict.set_async("k", 1),
            strict.set_many_async({"k": 1}),
        ):
            with pytest.raises(BackendUnavailableError):
                await operation

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


class Connections:
    async def test_two_thousand_operations_wait_for_their_turn(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url, deadline=PATIENT)
        await cache.set_async("k", "v")
        before = stat(fresh_memcached, "total_connections")
        values = await asyncio.gather(*[cache.get_async("k") for _ in range(2_000)])
        assert values == ["v"] * 2_000
        assert cache.stats()["errors"] == 0
        assert stat(fresh_memcached, "total_connections") - before <= 10
        await cache.aclose()

    def test_two_hundred_threads_wait_for_their_turn(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url, deadline=PATIENT, pool_size=5)
        assert in_threads(*[partial(cache.incr, "n") for _ in range(200)]) == []
        assert cache.get("n") == 200
        assert stat(fresh_memcached, "total_connections") <= 5 + 3
        cache.close()

    async def test_crowd_that_is_cancelled_leaves_every_connection_free(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url, pool_size=3, deadline=PATIENT)
        await survive_crowds(cache)
        assert connections_of_clients(fresh_memcached) <= 3 + OWN_CONNECTION
        await cache.aclose()

    @pytest.mark.parametrize("state", ["alive", "frozen", "killed"])
    async def test_closing_takes_a_second_at_most(self, launch, make, state):
        server = launch(Memcached())
        cache = make(servers=server.url, deadline=3)
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

    def test_opening_and_closing_leaves_nothing_behind(self, memcached_server, unique_prefix, make):
        def belongings() -> tuple[int, int]:
            return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

        def open_and_close() -> None:
            cache = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
            cache.set("k", 1)
            cache.get("k")
            cache.close()

        open_and_close()
        before = belongings()
        for _ in range(200):
            open_and_close()
        assert belongings() == before

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_forked_children_have_connections_of_their_own(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url, deadline=PATIENT)
        cache.set("n", 0)
        children = []
        for _ in range(3):
            if (child := os.fork()) == 0:
                fine = all(cache.incr("n") for _ in range(50)) and asyncio.run(cache.get_async("n")) >= 50
                os._exit(0 if fine else 1)
            children.append(child)
        assert all(cache.incr("n") for _ in range(50))
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        assert cache.get("n") == 200
        cache.close()

    def test_child_that_ends_in_peace_closes_nothing_of_its_parents(self, fresh_memcached, make):
        code = f"""
import os, sys
from {make.__module__} import {make.__name__}
cache = {make.__name__}(servers={fresh_memcached.url!r}, on_error="raise", deadline=5)
cache.set("k", 1)
if os.fork() == 0:
    sys.exit()
os.wait()
line = next(iter(cache._lines.values()))._idle[0]
assert cache.get("k") == 1
assert next(iter(cache._lines.values()))._idle[0] is line
cache.close()
"""
        before = stat(fresh_memcached, "total_connections")
        done = in_another_process(code)
        assert done == ""
        assert stat(fresh_memcached, "total_connections") == before + 1 + OWN_CONNECTION


def in_another_process(code: str) -> str:
    """Run code in a Python like this one, and give what it complained of."""
    import subprocess

    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    return done.stderr


class HostileBytes:
    @pytest.mark.parametrize("flags", [0, 1, 2, 4, 8, 16, 4_294_967_295])
    @pytest.mark.parametrize("raw", [b"", b"text", b"cos\nabort\n(tR.", b"\x00" * 200, b"END\r\n", b"\r\n"])
    async def test_what_others_stored_is_a_miss_and_goes(self, memcached_server, unique_prefix, make, raw, flags):
        cache = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        wire = memcached_key(cache.stored_key("k"))
        plant(memcached_server, wire, raw, flags=flags)
        assert await cache.get_async("k", default="a miss") == "a miss"
        assert cache.stats() == {"hits": 0, "misses": 1, "errors": 0, "damaged": 1}
        assert ask(memcached_server, b"get %s\r\n" % wire) == b"END\r\n"
        plant(memcached_server, wire, raw, flags=flags)
        assert await cache.incr_async("k") == 1
        plant(memcached_server, wire, raw, flags=flags)
        assert await cache.get_many_async(["k", "l"]) == {}
        await cache.aclose()

    async def test_entry_of_another_key_is_a_miss_and_its_connection_goes(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url, pool_size=2, deadline=PATIENT)
        await cache.set_many_async({"mine": "mine", "theirs": "theirs"})
        theirs = await cache._fetch(LOOP, cache.stored_key("theirs"))
        plant(fresh_memcached, memcached_key(cache.stored_key("mine")), theirs)
        before = stat(fresh_memcached, "total_connections")
        assert await cache.get_async("mine") is None
        assert cache.stats()["damaged"] == 1
        assert await cache.get_async("theirs") == "theirs"
        assert stat(fresh_memcached, "total_connections") == before + 1 + OWN_CONNECTION
        await cache.aclose()

    @pytest.mark.parametrize("size", [MEBI - 2048, MEBI, 5 * MEBI])
    async def test_value_too_large_is_refused_and_the_old_one_is_gone(self, fresh_memcached, make, size):
        cache = make(servers=fresh_memcached.url, pool_size=1, deadline=PATIENT, on_error="raise")
        await cache.set_async("k", "old")
        kept = await cache.set_async("k", b"x" * size)
        assert kept is (size < MEBI)
        assert (await cache.get_async("k") is not None) is kept
        assert await cache.add_async("added", b"x" * size) is kept
        assert await cache.set_many_async({"k": b"x" * size, "small": 1}) == ([] if kept else ["k"])
        assert await cache.get_async("small") == 1
        assert cache.stats()["errors"] == 0
        await cache.aclose()

    async def test_server_that_is_full_refuses_and_is_not_down(self, launch, make):
        server = launch(Memcached("-M", "-m", "2"))  # full: errors, instead of evictions
        cache = make(servers=server.address, deadline=PATIENT)
        stored = [await cache.set_async(f"k{number}", b"x" * 100_000) for number in range(60)]
        assert set(stored) == {True, False}
        assert await cache.get_async("k0") == b"x" * 100_000
        assert cache.stats()["errors"] == 0
        await cache.aclose()

    async def test_counter_keeps_its_lifetime_and_touch_renews_it(self, memcached_server, unique_prefix, make):
        cache = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        await cache.set_many_async({"brief": 1, "renewed": 1}, 2)
        await cache.touch_async("renewed", 60)
        began = time.monotonic()
        while time.monotonic() < began + 2.2:
            await asyncio.sleep(0.2)
            await cache.incr_async("brief", 0)
        assert await cache.get_many_async(["brief", "renewed"]) == {"brief": 0, "renewed": 1}
        await cache.aclose()


class Nonsense:
    @pytest.mark.parametrize("reply", READS.values(), ids=READS)
    async def test_reply_to_a_read_that_makes_no_sense_is_no_value(self, make, reply):
        async with Peer(make, reply).cache() as cache:
            assert await cache.get_async("k", default="a miss") == "a miss"
            assert cache.stats()["errors"] == 1
            for operation in (cache.incr_async("k"), cache.touch_async("k")):
                with pytest.raises(BackendUnavailableError):
                    await operation

    @pytest.mark.parametrize("reply", WRITES)
    async def test_reply_to_a_write_that_makes_no_sense_is_no_success(self, make, reply):
        async with Peer(make, reply).cache() as cache:
            assert await cache.set_async("k", 1) is False
            assert await cache.set_many_async({"k": 1}) == ["k"]
            with pytest.raises(BackendUnavailableError):
                await cache.add_async("k", 1)

    @pytest.mark.parametrize("reply", DELETES)
    async def test_reply_to_a_delete_that_makes_no_sense_is_no_success(self, make, reply):
        async with Peer(make, reply).cache() as cache:
            with pytest.raises(BackendUnavailableError):
                await cache.delete_async("k")
            with pytest.raises(BackendUnavailableError):
                await cache.delete_many_async(["k"])

    @pytest.mark.parametrize("start", STARTS)
    async def test_bytes_that_may_be_a_value_get_into_no_log_and_no_error(self, make, start, caplog):
        caplog.set_level("DEBUG")
        async with Peer(make, start + b"canary" * 5 + b"\r\n").cache(on_error="raise") as cache:
            for operation in (cache.get_async, cache.delete_async, cache.incr_async, cache.get_async):
                with pytest.raises(BackendUnavailableError) as raised:
                    await operation("k")
                assert "canary" not in "".join(format_exception(raised.value))
        assert "canary" not in caplog.text
        assert "down" in caplog.text


class AnyKey:
    def test_any_text_is_a_key_of_its_own(self, memcached_server, make):
        cache = make(servers=memcached_server.url, key_prefix="any text", deadline=PATIENT)

        @given(keys=st.lists(st.text(st.characters(), max_size=400), min_size=1, max_size=20, unique=True))
        def use(keys: list[str]) -> None:
            values = {key: number for number, key in enumerate(keys)}
            assert cache.set_many(values) == []
            assert cache.get_many(keys) == values
            for key, value in values.items():
                assert cache.add(key, 0) is False
                assert cache.incr(key) == value + 1
                assert cache.touch(key, 9) is True
                assert cache.delete(key) is True
            assert cache.delete_many(keys) == 0

        use()
        assert cache.stats()["errors"] == cache.stats()["damaged"] == 0
        cache.close()
