"""The row that all writers of a namespace wait for: who vanishes with it, or gives up waiting, is in nobody's way."""

import asyncio
import os
import signal
import time
from contextlib import closing
from multiprocessing import get_context

import psycopg
import psycopg.waiting
import pymysql
import pytest
from sqlalchemy import make_url

from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.core.claims import Lead
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import LOOP
from tests.backends.sql_workers import hold_the_notebook
from tests.servers.process import wait_until

HASTY = 0.3
PATIENT = 30.0


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request, tmp_path):
    """Give the URL of each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/cache.db"
    return request.getfixturevalue(f"{request.param}_server").url


@pytest.fixture
def holder(url, unique_prefix):
    """Give a process that has locked the notebook of a cache, and the cache."""
    cache = SQLCacheBackend(url, key_prefix=unique_prefix, deadline=HASTY)
    wait_until(lambda: cache.set("k", 1), "the tables are there")
    context = get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold_the_notebook, args=(url, unique_prefix, held), daemon=True)
    process.start()
    assert held.wait(30)
    assert cache.set("k", 2) is False
    yield process, cache
    process.kill()
    process.join()
    cache.close()


def seconds_until_set(cache):
    began = time.monotonic()
    wait_until(lambda: cache.set("k", 3), "others go on")
    return time.monotonic() - began


@pytest.mark.timed
class TestHolders:
    def test_process_that_is_killed_holds_nobody_up(self, holder):
        process, cache = holder
        os.kill(process.pid, signal.SIGKILL)
        assert seconds_until_set(cache) <= 1

    @pytest.mark.parametrize("url", ["postgresql", "mariadb"], indirect=True)
    def test_process_that_is_frozen_holds_nobody_up_for_long(self, holder):
        """Servers of their own accord would wait for it for ever."""
        process, cache = holder
        os.kill(process.pid, signal.SIGSTOP)
        assert seconds_until_set(cache) <= 3  # twice its deadline, which is a second; and one more


def connected(url):
    """Connect without us."""
    place = make_url(url)
    where = {"host": place.host, "port": place.port, "user": place.username, "password": place.password}
    if place.drivername == "postgresql":
        return psycopg.connect(**where, dbname=place.database)
    return pymysql.connect(**where, database=place.database)


def ask(connection, text):
    with connection.cursor() as cursor:
        cursor.execute(text)
        return cursor.fetchall()


async def nobody_waits(url, watching):
    """Wait until no session of the server waits for a lock."""
    if "postgresql" in url:
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    else:
        waiting = (
            "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Query' AND id <> CONNECTION_ID()"
        )
    await asyncio.to_thread(wait_until, lambda: ask(watching, waiting)[0][0] == 0, "nobody waits")


@pytest.mark.parametrize("url", ["postgresql", "mariadb"], indirect=True)
async def test_who_has_given_up_waiting_leaves_the_server(url, unique_prefix):
    """Otherwise a lock that is held for long would soon take all sessions that the server has."""
    cache = SQLCacheBackend(url, table=unique_prefix, deadline=HASTY)
    assert await cache.set_async("k", "older") is True
    with closing(connected(url)) as holding, closing(connected(url)) as watching:
        with holding.cursor() as cursor:
            cursor.execute(f"UPDATE {unique_prefix}_notes SET mark = 0")
        outcomes = await asyncio.gather(*[cache.add_async(f"new {n}", 1) for n in range(5)], return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [BackendUnavailableError] * 5
        await nobody_waits(url, watching)
        holding.rollback()
    async with asyncio.timeout(20):
        while not await cache.set_async("k", "newer"):
            await asyncio.sleep(0.05)
    assert await cache.get_many_async(["k", *[f"new {n}" for n in range(5)]]) == {"k": "newer"}
    await cache.aclose()


@pytest.mark.parametrize("url", ["postgresql", "mariadb"], indirect=True)
async def test_who_has_given_up_reading_leaves_the_server(url, unique_prefix):
    """A table may be locked for an hour, by VACUUM FULL or ALTER TABLE."""
    cache = SQLCacheBackend(url, table=unique_prefix, deadline=HASTY)
    assert await cache.set_async("k", 1) is True
    lock = "LOCK TABLE {} IN ACCESS EXCLUSIVE MODE" if "postgresql" in url else "LOCK TABLE {} WRITE"
    with closing(connected(url)) as locking, closing(connected(url)) as watching:
        with locking.cursor() as cursor:
            cursor.execute(lock.format(f"{unique_prefix}_entries"))
        assert await asyncio.gather(*[cache.get_async("k") for _ in range(5)]) == [None] * 5
        await nobody_waits(url, watching)
    async with asyncio.timeout(20):
        while await cache.get_async("k") is None:
            await asyncio.sleep(0.05)
    await cache.aclose()


async def granted(cache, key):
    claimed = await cache.claim(LOOP, key)
    assert isinstance(claimed, Lead)
    return claimed.ticket


async def test_no_row_is_locked_while_the_loop_runs_something_else(postgresql_server, unique_prefix, monkeypatch):
    """A process can be stopped there, for long or for ever; so all of a transaction travels together."""
    monkeypatch.setattr(psycopg.waiting, "MAX_BUSY_TIME", 0.0, raising=False)  # psycopg leaves whenever it may
    cache = SQLCacheBackend(postgresql_server.url, table=unique_prefix, deadline=PATIENT, on_error="raise")
    await cache.set_async("k", 1)
    landing, ending = await granted(cache, "landing"), await granted(cache, "ending")
    lock = (await cache.claim_lock(LOOP, "lock", 30.0)).ticket
    changes = [
        cache.set_async("k", 2, tags=["x"]),
        cache.incr_async("n"),
        cache.claim(LOOP, "new"),
        cache.land(LOOP, "landing", 1, 60.0, landing, tags=("x",)),
        cache.release(LOOP, ending),
        cache.release(LOOP, lock),
        cache.invalidate_tags_async("x"),
        cache.delete_async("k"),
        cache.clear_async(),
    ]
    locks = (
        "SELECT count(*) FROM pg_locks JOIN pg_class ON relation = pg_class.oid "
        f"WHERE mode = 'RowExclusiveLock' AND relname = '{unique_prefix}_notes'"
    )
    with closing(connected(postgresql_server.url)) as watching:
        watching.autocommit = True
        for change in changes:
            under_way = asyncio.ensure_future(change)
            while not under_way.done():
                await asyncio.sleep(0)
                wait_until(lambda: ask(watching, locks)[0][0] == 0, "no row is locked", 2)  # and the loop stands still
    await cache.aclose()
