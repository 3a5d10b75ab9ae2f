"""Connections of the memcached backends over blocking clients: how many there are, and who has them."""

import sys
from functools import partial

import pytest

from tests.backends.memcached_connections import belongings, count_in_forked_children
from tests.backends.wire import stat
from tests.outages import (
    bring_into,
    close_and_leave,
    survive_crowds,
    take_turns,
)
from tests.servers import Memcached
from tests.storms import (
    in_threads,
)

# The machine that runs the tests is busy.
PATIENT = 5.0
MEBI = 1024 * 1024
OWN_CONNECTION = 1  # that of `stat`


def connections_of_clients(server):
    return stat(server, "curr_connections") - OWN_CONNECTION


class Connections:
    async def test_two_thousand_operations_wait_for_their_turn(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url, deadline=PATIENT)
        await cache.set_async("k", "v")
        before = stat(fresh_memcached, "total_connections")
        await take_turns(cache)
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
        await bring_into(state, cache, server)
        await close_and_leave(cache, cache.get_async("k"))

    def test_opening_and_closing_leaves_nothing_behind(self, memcached_server, unique_prefix, make):
        def open_and_close() -> None:
            cache = make(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
            cache.set("k", 1)
            cache.get("k")
            cache.close()

        open_and_close()
        before = belongings()
        for _ in range(200):
            open_and_close()
        assert all(now <= then for now, then in zip(belongings(), before, strict=True))

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_forked_children_have_connections_of_their_own(self, fresh_memcached, make):
        cache = make(servers=fresh_memcached.url, deadline=PATIENT)
        count_in_forked_children(cache)

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
