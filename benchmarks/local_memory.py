"""Table A: local memory against bare dicts and against other caches: hits, sets, hit ratios, bytes of an entry."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from types import FunctionType
from typing import Any

from asynccache import CacheService, cached
from asynccache.backends.local_cache import LocalMemCacheBackend
from benchmarks.measuring import Subject, Table, attempt, in_turns, on
from benchmarks.memory_bytes import bytes_of_entries
from benchmarks.memory_peers import AWAITED, OURS, PEERS, SERVICE, Get, GetAsync, django, service
from benchmarks.memory_ratios import hit_ratios, hit_ratios_of
from benchmarks.memory_sets import sets
from benchmarks.options import Options
from benchmarks.patterns import Trace, zipf

VALUES = {f"key:{number:06}": "a value that is shared" for number in range(10_000)}
KEYS = list(VALUES)
HOT = 1000
COUNT = 20_000
ASKED_FOR = {
    "1,000 hot keys in turn": KEYS[:HOT] * (COUNT // HOT),
    "10,000 keys, zipf 0.99": [KEYS[rank] for rank in zipf(random.Random(1), len(KEYS), 0.99, COUNT)],
}


def run(options: Options) -> Iterator[Table]:
    if options.trace is not None:
        yield from hit_ratios_of(Trace.read(options.trace))
        return
    more = 1 if options.quick else 4
    for name, keys in ASKED_FOR.items():
        yield hits(name, keys, 11 * more)
    for name, keys in ASKED_FOR.items():
        yield awaited_hits(name, keys, options, 5 * more)
    yield read_through_hits(5 * more)
    yield from sets(5 * more)
    yield hit_ratios(20_000, 100_000 * more)
    yield bytes_of_entries((10_000, 50_000) if options.quick else (10_000, 100_000, 1_000_000))


def hits(name: str, keys: list[str], rounds: int) -> Table:
    def filled(make: Callable[[int], tuple[Get, Any]]) -> Subject:
        get, put = make(2 * len(VALUES))
        for key, value in VALUES.items():
            put(key, value)
        return _calling(get, keys)

    ours = LocalMemCacheBackend()
    ours.set_many(VALUES)
    subjects = {"dict.get": _getting(VALUES, keys), OURS: _getting(ours, keys)}
    for peer, make in ({SERVICE: service} | PEERS | {"Django LocMem": django}).items():
        subjects[peer] = attempt(lambda make=make: filled(make))  # type: ignore[misc]  # a default binds it now
    wanted = {
        OURS: "<= 2.5 x",
        SERVICE: "<= 4 x",
        "cachetools LRU": ">= 1.8 x ours",
        "theine": ">= 6 x ours",
        "Django LocMem": ">= 15 x ours",
    }
    rows = in_turns(subjects, COUNT, rounds)
    return Table(f"Hits, sync, {name}", rows, "dict.get", wanted, ours=OURS)


def _getting(cache: dict[str, str] | LocalMemCacheBackend, keys: list[str]) -> Subject:
    def loop(count: int) -> None:
        for key in keys:
            cache.get(key)

    return of_its_own(loop)


def _calling(get: Get, keys: list[str]) -> Subject:
    def loop(count: int) -> None:
        for key in keys:
            get(key)

    return of_its_own(loop)


def of_its_own(loop: Any) -> Any:
    """Copy a function: the interpreter adapts the bytecode of each to what it calls."""
    return FunctionType(loop.__code__.replace(), globals(), closure=loop.__closure__)


def awaited_hits(name: str, keys: list[str], options: Options, rounds: int) -> Table:
    ours = LocalMemCacheBackend()
    ours.set_many(VALUES)
    through = CacheService(default=ours)

    async def bare(key: str) -> object:
        return VALUES.get(key)

    with ExitStack() as runners:

        def filled(make: Callable[[dict[str, str]], Awaitable[GetAsync]]) -> Subject:
            async def made() -> GetAsync:
                return await make(VALUES)

            runner = runners.enter_context(asyncio.Runner())  # of its own, since some have tasks in the background
            return _awaiting(runner, runner.run(made()), keys)

        runner = runners.enter_context(asyncio.Runner())
        gets: dict[str, GetAsync] = {"bare async def": bare, OURS: ours.get_async, SERVICE: through.get_async}
        subjects = {peer: _awaiting(runner, get, keys) for peer, get in gets.items()}
        for peer, make in AWAITED.items():
            subjects[peer] = attempt(lambda make=make: filled(make))  # type: ignore[misc]  # a default binds it now
        if keys is ASKED_FOR["1,000 hot keys in turn"]:
            subjects["Ellar"] = options.elsewhere("ellar", "benchmarks.memory_peers:ellar", str(HOT))
        rows = in_turns(subjects, COUNT, rounds)
    wanted = {OURS: "<= 2 x", "aiocache": ">= 20 x ours", "Ellar": ">= 20 x ours"}
    return Table(f"Hits, awaited, {name}", rows, "bare async def", wanted, ours=OURS)


def _awaiting(runner: asyncio.Runner, get: GetAsync, keys: list[str]) -> Subject:
    async def loop(count: int) -> None:
        for key in keys:
            await get(key)

    return on(runner, of_its_own(loop))


def read_through_hits(rounds: int) -> Table:
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
        rows = in_turns(subjects, COUNT, rounds)
    return Table("Hits, awaited, read-through, of a service", rows, "get_async")
