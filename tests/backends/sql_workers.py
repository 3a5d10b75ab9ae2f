"""What other processes do in the tests of SQLCacheBackend; a module of its own, which they import fast."""

import os
import time
from contextlib import suppress

from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.backends.sql_replies import Statement
from asynccache.errors import BackendUnavailableError
from asynccache.plan.io import BLOCKING, run
from asynccache.service import CacheService


def write_all(url, number):
    """Store a hundred entries and count a hundred visits."""
    cache = SQLCacheBackend(url, deadline=60, on_error="raise")
    for turn in range(100):
        assert cache.set(f"{number} {turn}", [number, turn]) is True
        cache.incr("visits")
    cache.close()


def use_first(url, table, number):
    """Use a table that may not be there, and give the numbers that were counted."""
    cache = SQLCacheBackend(url, table=table, deadline=60, on_error="raise")
    cache.set(f"k{number}", number)
    visits = [cache.incr("visits") for _ in range(50)]
    cache.close()
    return visits


def load_slowly(url, key, seconds, loads):
    """Read a key through, and count in a list of all processes who loads; the load takes a while."""
    service = CacheService(default=SQLCacheBackend(url, deadline=10))

    def factory():
        loads.append(os.getpid())
        time.sleep(seconds)
        return os.getpid()

    with service:
        return service.get_or_set(key, factory, ttl=60)


def hold_the_notebook(url, key_prefix, held):
    """Begin a transaction as every change begins, say so, and do not go on."""
    cache = SQLCacheBackend(url, key_prefix=key_prefix, deadline=1.0)
    begin = ["BEGIN IMMEDIATE" if url.startswith("sqlite") else "BEGIN"]
    if url.startswith("postgresql"):
        from asynccache.backends.sql_psycopg import PostgreSQL

        begin.append(PostgreSQL(deadline=1.0)._bounds)
    statements = [Statement(text, fits=lambda rows: True) for text in begin]
    enter = cache._order(cache.stored_key("")).enter()
    while not held.is_set():
        with suppress(BackendUnavailableError):  # on a loaded machine
            run(
                cache._database.ask(BLOCKING, "hold", [*statements, enter], patience=1.0)
            )  # of no transaction by itself
            held.set()
    time.sleep(60)
