"""Table A: local memory against bare dicts and against other caches: hits, hit ratios, bytes of an entry."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Callable, Mapping
from time import process_time

from asynccache import CacheService, cached
from asynccache.backends.local_cache import LocalMemCacheBackend
from benchmarks.measuring import Row, Table, in_turns
from benchmarks.memory_peers import ASKED, AWAITED, OURS, SYNC, Get, GetAsync, missing, present
from benchmarks.patterns import patterns, zipf

VALUES = {f"key:{number:06}": "a value that is shared" for number in range(10_000)}
KEYS = list(VALUES)
COUNT = 20_000
ASKED_FOR = {
    "1,000 hot keys in turn": KEYS[:1000] * (COUNT // 1000),
    "10,000 keys, zipf 0.99": [KEYS[rank] for rank in zipf(random.Random(1), len(KEYS), 0.99, COUNT)],
}


def run() -> list[Table]:
    return [
        *(hits(name, keys) for name, keys in ASKED_FOR.items()),
        *(awaited_hits(name, keys) for name, keys in ASKED_FOR.items()),
        read_through_hits(),
        hit_ratios(20_000, 100_000),
    ]


def hits(name: str, keys: list[str]) -> Table:
    ours = LocalMemCacheBackend()
    ours.set_many(VALUES)
    subjects = {"dict.get": _getting(VALUES, keys), OURS: _getting(ours, keys)}
    for peer, make in present(SYNC).items():
        subjects[peer] = _calling(make(VALUES), keys)
    rows = in_turns(subjects, COUNT, rounds=15, cpu=True)
    wanted = {
        OURS: "<= 2.5 x",
        "cachetools LRU": ">= 1.8 x ours",
        "theine": ">= 6 x ours",
        "Django LocMem": ">= 15 x ours",
    }
    return Table(f"Hits, sync, {name} (CPU)", rows, "dict.get", wanted, _times_ours(rows) | missing(SYNC), OURS)


def _getting(cache: dict[str, str] | LocalMemCacheBackend, keys: list[str]) -> Callable[[int], None]:
    def loop(count: int) -> None:
        for key in keys:
            cache.get(key)

    # A function per subject: the interpreter adapts each one's bytecode to what it calls.
    return type(loop)(loop.__code__.replace(), globals(), closure=loop.__closure__)


def _calling(get: Get, keys: list[str]) -> Callable[[int], None]:
    def loop(count: int) -> None:
        for key in keys:
            get(key)

    return type(loop)(loop.__code__.replace(), globals(), closure=loop.__closure__)


def awaited_hits(name: str, keys: list[str]) -> Table:
    ours = LocalMemCacheBackend()
    ours.set_many(VALUES)

    async def bare(key: str) -> object:
        return VALUES.get(key)

    with asyncio.Runner() as runner:
        gets: dict[str, GetAsync] = {"bare async def": bare, OURS: ours.get_async}
        gets |= {peer: runner.run(make(VALUES)) for peer, make in present(AWAITED).items()}
        subjects = {peer: _awaiting(runner, get, keys) for peer, get in gets.items()}
        rows = in_turns(subjects, COUNT, rounds=9, cpu=True)
    wanted = {OURS: "<= 2 x", "aiocache": ">= 20 x ours", "Ellar": ">= 20 x ours"}
    return Table(
        f"Hits, awaited, {name} (CPU)", rows, "bare async def", wanted, _times_ours(rows) | missing(AWAITED), OURS
    )


def _awaiting(runner: asyncio.Runner, get: GetAsync, keys: list[str]) -> Callable[[int], None]:
    async def loop() -> None:
        for key in keys:
            await get(key)

    own = type(loop)(loop.__code__.replace(), globals(), closure=loop.__closure__)
    return lambda count: runner.run(own())


def _times_ours(rows: list[Row]) -> dict[str, str]:
    ours = next(row for row in rows if row.name == OURS)
    return {f"{row.name}, times ours": f"{row.middle / ours.middle:.2f}" for row in rows[2:]}


def read_through_hits() -> Table:
    """Measure what it costs to find a value that would have been loaded otherwise."""

    @cached(ttl=60)
    async def load(key: str) -> str:
        return VALUES[key]

    with CacheService(default="local") as cache, asyncio.Runner() as runner:
        cache.set_many(VALUES)
        gets: dict[str, GetAsync] = {
            "get_async": cache.get_async,
            "get_or_set_async": lambda key: cache.get_or_set_async(key, dict),
            "@cached": load,
        }
        keys = ASKED_FOR["1,000 hot keys in turn"]
        subjects = {name: _awaiting(runner, get, keys) for name, get in gets.items()}
        rows = in_turns(subjects, COUNT, rounds=9, cpu=True)
    return Table("Hits, awaited, read-through, of a service (CPU)", rows, "get_async")


def hit_ratios(keys: int, count: int) -> Table:
    makers = present(ASKED)
    rows = {name: Row(name, []) for name in makers}
    ratios: dict[str, dict[str, float]] = {}
    for pattern, asked_for in patterns(keys, count):
        for part in (0.01, 0.1):
            found = ratios[f"{pattern}, room for {part:.0%}"] = {}
            for name, make in makers.items():
                ask, started = make(int(keys * part)), process_time()
                found[name] = sum(map(ask, asked_for)) / count
                rows[name].seconds.append((process_time() - started) / count)
    ratios["mean (wanted: theine's - 0.1 points)"] = {
        name: sum(found[name] for found in ratios.values()) / len(ratios) for name in makers
    }
    return Table(
        "A get, and a set where it missed (CPU, spread over the patterns)",
        list(rows.values()),
        "theine" if "theine" in makers else OURS,
        {OURS: "<= 0.2 x"},
        {f"hits, {pattern}": _percentages(found) for pattern, found in ratios.items()} | overheads() | missing(ASKED),
    )


def _percentages(found: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {100 * ratio:.2f} %" for name, ratio in found.items())


def overheads() -> dict[str, float]:
    """Measure entries of which none was evicted, and those of a cache where each new one evicts another."""
    return {
        f"bytes of an entry beyond key and value, {entries:,} entries, {what} (wanted: <= 140)": _overhead(
            entries, sets
        )
        for entries in (10_000, 100_000)
        for what, sets in (("filled", entries), ("evicting", 2 * entries))
    }


def _overhead(entries: int, sets: int) -> float:
    keys = [f"key:{number:08}" for number in range(sets)]
    values = [f"value:{number:08}" for number in range(sets)]
    gc.collect()
    tracemalloc.start()
    cache = LocalMemCacheBackend(max_entries=entries, max_bytes=1 << 40)
    for key, value in zip(keys, values, strict=True):
        cache.set(key, value)
    gc.collect()
    occupied, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return round(occupied / entries, 1)
