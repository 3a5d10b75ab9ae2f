"""What other processes do in the tests of SQLCacheBackend; a module of its own, which they import fast."""

from asynccache.backends.sql_cache import SQLCacheBackend


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
