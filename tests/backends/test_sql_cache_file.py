"""SQLite: what is in the file survives, is shared by processes, and a file that cannot be written fails nobody."""

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import anyio
import pytest

from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.core.events import BackendDown
from asynccache.errors import BackendUnavailableError
from tests.backends.making import making
from tests.backends.sql_workers import write_all
from tests.conftest import LONG
from tests.storms import Storm, follow_models, in_threads, share_one_service

PATIENT = 5.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache.db"


@pytest.fixture
def make(path):
    with making(SQLCacheBackend, f"sqlite:///{path}", deadline=PATIENT) as make:
        yield make


@pytest.fixture
def other(path, make):
    """Give a connection of somebody else, to lock and to spoil the file."""
    make().create_table()
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    yield connection
    connection.close()


def _tell(cache, pragma):
    """Limit the connection that the next operations of this thread use; after an error they open another one."""
    cache._database._opened = partial(_limited, cache._database._opened, pragma)
    cache.close()


def _limited(opened, pragma, due):
    line = opened(due)
    line.connection.execute(pragma)
    return line


class TestSharing:
    def test_what_is_stored_survives_the_process(self, path, make):
        code = f"""
from asynccache.backends.sql_cache import SQLCacheBackend
cache = SQLCacheBackend("sqlite:///{path}")
cache.set_many({{"k": {{1, 2}}, "brief": 1}})
cache.incr("n", 7)
import os, signal
os.kill(os.getpid(), signal.SIGKILL)
"""
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
        assert make().get_many(["k", "n"]) == {"k": {1, 2}, "n": 7}
        assert make().incr("n") == 8

    def test_eight_processes_write_and_nothing_is_lost(self, path, make):
        with get_context("spawn").Pool(8) as pool:
            pool.starmap(write_all, [(f"sqlite:///{path}", number) for number in range(8)])
        expected = {f"{number} {turn}": [number, turn] for number in range(8) for turn in range(100)}
        assert make().get_many(expected) == expected
        assert make().get("visits") == 800

    def test_sixteen_threads_and_four_loops_share_one_service(self, make):
        share_one_service(make(deadline=60))

    @pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
    def test_forked_children_have_connections_of_their_own(self, make):
        cache = make(deadline=60)
        cache.set("n", 0)
        children = []
        for _ in range(3):
            if (child := os.fork()) == 0:
                fine = (
                    not cache._database._idle
                    and all(cache.incr("n") for _ in range(50))
                    and asyncio.run(cache.get_async("n")) >= 50
                )
                os._exit(0 if fine else 1)
            children.append(child)
        assert all(cache.incr("n") for _ in range(50))
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
        assert cache.get("n") == 200

    def test_file_that_was_removed_is_made_anew_and_seen_by_all(self, path, make):
        one, another = make(on_error="raise"), make(on_error="raise")
        one.set("k", 1)
        assert another.get("k") == 1
        for file in path.parent.iterdir():
            file.unlink()
        assert one.get("k") is None
        assert one.set("k", 2) is True
        assert another.get("k") == 2

    def test_trio_can_use_it(self, make):
        cache = make()

        async def visit():
            assert await cache.set_async("k", [1]) is True
            assert await cache.get_async("k") == [1]
            assert await cache.incr_async("n") == 1
            await cache.aclose()

        anyio.run(visit, backend="trio")


class TestCancelled:
    @pytest.mark.timeout(1200 if LONG else 120)
    async def test_cancelled_operations_disturb_nobody(self, make):
        cache = make(deadline=60, ttl=None)
        storm = Storm(cache, 100_000 if LONG else 10_000)
        await storm.run()
        assert set(storm.seen) == {"right"}
        assert cache.stats()["errors"] == cache.stats()["damaged"] == 0

    async def test_results_of_cancelled_neighbours_reach_nobody(self, make):
        cache = make(deadline=60)
        differences = await asyncio.gather(*[follow_models(cache, seed, 20) for seed in range(20)])
        assert [difference for found in differences for difference in found] == []


class TestTrouble:
    async def test_locked_file_can_be_read_and_refuses_writes_in_time(self, make, other):
        cache = make(deadline=0.2)
        events = []
        cache.listeners.append(events.append)
        cache.set("k", "old")
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert await cache.set_async("k", "new") is False
        assert cache.set("k", "new") is False
        for operation in (cache.incr, cache.delete, cache.touch):
            with pytest.raises(BackendUnavailableError, match="writing for too long"):
                operation("k")
        assert time.monotonic() - began < 5 * 0.2 + 1
        assert await cache.get_async("k") == cache.get("k") == "old"
        other.execute("COMMIT")
        assert cache.set("k", "new") is True
        assert events == []

    def test_tables_that_went_in_an_outage_are_made_by_who_finds_it_over(self, make, other):
        """As of a server that was killed before its disk had them: what fails then is no probe, and ends the outage."""
        cache = make()
        guard = cache._database.guard
        while not guard.is_down:
            with pytest.raises(BackendUnavailableError), guard.attempt("get"):
                raise TimeoutError
        other.execute("DROP TABLE asynccache_entries")
        guard.try_now()
        assert cache.set("k", 1) is True
        assert cache.get("k") == 1

    async def test_writers_wait_for_each_other(self, make, other):
        cache = make()
        other.execute("BEGIN IMMEDIATE")
        writing = asyncio.create_task(cache.set_async("k", 1))
        await asyncio.sleep(0.05)
        assert not writing.done()
        other.execute("COMMIT")
        assert await writing is True

    def test_crowd_that_waits_too_long_is_no_outage(self, make, other):
        cache = make(deadline=0.2)
        other.execute("BEGIN IMMEDIATE")
        assert in_threads(*[partial(cache.set, "k", 1) for _ in range(20)]) == []
        other.execute("COMMIT")
        assert cache.set("k", 1) is True

    def test_full_disk_refuses_and_keeps_no_stale_value(self, make):
        cache = make()
        cache.set_many({"k": "old", "l": "old"})
        _tell(cache, "PRAGMA max_page_count = 1")  # which SQLite takes for: no more than now
        assert cache.set("k", b"x" * 100_000) is False
        assert cache.set_many({"l": b"x" * 100_000}) == ["l"]
        with pytest.raises(BackendUnavailableError, match="full"):
            cache.add("new", b"x" * 100_000)
        assert cache.get_many(["k", "l", "new"]) == {}
        assert cache.set("k", "small") is True

    def test_file_that_may_only_be_read_fails_nobody(self, make):
        cache = make()
        cache.set("k", "old")
        _tell(cache, "PRAGMA query_only = ON")
        assert cache.set("k", "new") is False
        with pytest.raises(BackendUnavailableError, match="readonly"):
            cache.delete("k")
        assert cache.set_many({"k": 1}) == ["k"]

    def test_foreign_file_is_an_outage(self, path, make):
        path.write_bytes(b"this is no database" * 1_000)
        cache = make()
        events = []
        cache.listeners.append(events.append)
        assert [cache.set("k", 1) for _ in range(4)] == [False] * 4
        assert cache.get("k") is None
        assert [type(event) for event in events] == [BackendDown]

    def test_damaged_entry_is_a_miss_and_goes(self, make, other):
        cache = make()
        cache.set_many({"k": "value", "n": 1})
        other.execute("UPDATE asynccache_entries SET entry = zeroblob(100)")
        assert cache.get_many(["k", "n"]) == {}
        assert cache.stats()["damaged"] == 2
        assert other.execute("SELECT COUNT(*) FROM asynccache_entries").fetchone() == (0,)
        assert cache.incr("n") == 1

    def test_entry_of_another_key_is_a_miss(self, make, other):
        cache = make()
        cache.set("k", "mine")
        other.execute("UPDATE asynccache_entries SET cache_key = CAST(':1:l' AS BLOB)")
        assert cache.get("l") is None

    def test_backup_of_the_file_is_a_cache(self, path, make, tmp_path):
        cache = make()
        cache.set("k", 1)
        cache.close()
        shutil.copy(path, tmp_path / "copy.db")
        copy = SQLCacheBackend(f"sqlite:///{tmp_path}/copy.db")
        assert copy.get("k") == 1
        copy.close()

    def test_closing_while_an_operation_ends_leaves_nothing_open(self, make):
        cache = make()
        cache.set("k", 1)
        database = cache._database

        class Idle(list):
            def append(self, line):
                closing = threading.Thread(target=cache.close)
                closing.start()
                closing.join(0.1)  # it would have closed all that it sees
                super().append(line)
                ends.append(closing)

        ends, line = [], database._taken()
        database._idle = Idle()
        database._keep(line, database._epoch)
        for closing in ends:
            closing.join()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            line.connection.execute("SELECT 1")

    def test_opening_and_closing_leaves_nothing(self, make):
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(50):
            cache = make()
            cache.set("k", 1)
            asyncio.run(cache.get_async("k"))
            cache.close()
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
