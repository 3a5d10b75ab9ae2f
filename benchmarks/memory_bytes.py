"""What an entry occupies beyond its key and its value, while a cache fills and while each new entry evicts another."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable
from time import perf_counter

from asynccache.backends.local_cache import LocalMemCacheBackend
from benchmarks.measuring import Row, Table, Taken

MOST = "bytes of an entry at most"
CLEAR = "clear of {:,} entries, ms of wall time"


def bytes_of_entries(sizes: Iterable[int]) -> Table:
    """Fill caches with entries that expire in five minutes; the times are of sets, slowed down by the tracing."""
    rows, found = [], {}
    largest = max(sizes)
    for entries in sizes:
        row = Row(f"set, {entries:,} entries")
        for what, rounds in (("filling", 1), ("evicting", 2)):
            found[f"bytes of an entry, {entries:,} entries, {what}"] = _overhead(row, entries, rounds)
        rows.append(row)
    facts: dict[str, float | str] = {MOST: max(found.values()), **found, CLEAR.format(largest): _clear(largest)}
    wanted = {MOST: "<= 140", CLEAR.format(largest): "<= 50"}
    return Table("Bytes of an entry beyond key and value", rows, wanted=wanted, facts=facts)


def _overhead(row: Row, entries: int, rounds: int) -> float:
    keys = [f"key:{number:08}" for number in range(rounds * entries)]
    values = [f"value:{number:08}" for number in range(rounds * entries)]
    gc.collect()
    tracemalloc.start()
    started = perf_counter()
    cache = LocalMemCacheBackend(max_entries=entries, max_bytes=1 << 40)
    for key, value in zip(keys, values, strict=True):
        cache.set(key, value)
    passed = perf_counter() - started
    row.add(Taken(passed, passed), len(keys))
    gc.collect()
    occupied, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(occupied / entries, 1)


def _clear(entries: int) -> float:
    cache = LocalMemCacheBackend(max_entries=entries, max_bytes=1 << 40)
    for number in range(entries):
        cache.set(f"key:{number:08}", number)
    started = perf_counter()
    cache.clear()
    return round(1000 * (perf_counter() - started), 1)
