"""What a read-through costs where there is nothing to load: hits in the memory of this process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from itertools import count
from threading import Lock
from typing import Any

from asynccache import CacheService, cached
from benchmarks import stampede_peers
from benchmarks.measuring import Subject, Table, attempt, in_turns, on

CALLS = 5_000
KEYS = 1_000
BARE, PLAIN = "await a bare async def around a dict", "functools.lru_cache"
OURS, OURS_PLAIN = "asynccache @cached, async", "asynccache @cached, plain"
Loading = Callable[[], Awaitable[str]]


def tables(rounds: int, seconds: float) -> Iterator[Table]:
    with asyncio.Runner() as runner:
        service = runner.run(CacheService(default="local").__aenter__())
        yield _awaited(runner, service, rounds, seconds)
        yield _several(runner, service, rounds, seconds)
        runner.run(service.__aexit__())
    with CacheService(default="local") as service:
        yield _plain(service, rounds, seconds)


def _awaited(runner: asyncio.Runner, service: CacheService, rounds: int, seconds: float) -> Table:
    held = {"key": "value"}

    async def load() -> str:
        return "value"

    async def bare(key: str) -> str:
        return held[key]

    @cached(ttl=60)
    async def ours(key: str) -> str:
        return await load()

    ways: dict[str, Callable[[], Callable[[], Awaitable[Any]]]] = {
        BARE: lambda: lambda: bare("key"),
        "asynccache get_async": lambda: lambda: service.get_async("key"),
        "asynccache get_or_set_async": lambda: lambda: service.get_or_set_async("key", load),
        OURS: lambda: lambda: ours("key"),
    }
    for name in ("aiocache @cached", "cashews @cache", "theine @Memoize", "fastapi-cache2 @cache"):
        ways[name] = lambda make=stampede_peers.PEERS[name]: _fetching(make(), load)  # type: ignore[misc]  # bound here
    runner.run(service.get_or_set_async("key", load))
    subjects = {name: attempt(lambda make=make: _often(runner, make())) for name, make in ways.items()}
    wanted = {"asynccache get_or_set_async": "<= 1.5 x asynccache get_async"}
    title = "E. Read-through, hits on a loop, local memory"
    return Table(title, in_turns(subjects, CALLS, rounds, seconds=seconds), BARE, wanted, ours=OURS)


def _fetching(fetch: stampede_peers.Fetch, load: Loading) -> Callable[[], Awaitable[Any]]:
    return lambda: fetch("key", load)


def _often(runner: asyncio.Runner, once: Callable[[], Awaitable[Any]]) -> Subject:
    async def subject(times: int) -> None:
        for _ in range(times):
            await once()

    runner.run(subject(1))
    return on(runner, subject)


def _plain(service: CacheService, rounds: int, seconds: float) -> Table:
    def load() -> str:
        return "value"

    limit = lru_cache(lambda key: load())

    @cached(ttl=60)
    def ours(key: str) -> str:
        return load()

    ways: dict[str, Callable[[], Callable[[], Any]]] = {
        PLAIN: lambda: lambda: limit("key"),
        "asynccache get": lambda: lambda: service.get("key"),
        "asynccache get_or_set": lambda: lambda: service.get_or_set("key", load),
        OURS_PLAIN: lambda: lambda: ours("key"),
        "cachetools @cached(lock=), TTLCache": lambda: _cachetools(load),
        "theine @Memoize": lambda: _theine(load),
    }
    service.get_or_set("key", load)
    subjects = {name: attempt(lambda make=make: _repeating(make())) for name, make in ways.items()}
    title = "E. Read-through, hits off a loop, local memory"
    return Table(title, in_turns(subjects, CALLS, rounds, seconds=seconds), PLAIN, ours=OURS_PLAIN)


def _repeating(once: Callable[[], Any]) -> Subject:
    def subject(times: int) -> None:
        for _ in range(times):
            once()

    once()
    return subject


def _cachetools(load: Callable[[], str]) -> Callable[[], Any]:
    import cachetools

    @cachetools.cached(cachetools.TTLCache(10_000, 60), lock=Lock())
    def fetch(key: str) -> str:
        return load()

    return lambda: fetch("key")


def _theine(load: Callable[[], str]) -> Callable[[], Any]:
    from datetime import timedelta

    from theine import Memoize

    @Memoize(10_000, timedelta(seconds=60))
    def fetch(key: str) -> str:
        return load()

    fetch.key(lambda key: key)
    return lambda: fetch("key")


def _several(runner: asyncio.Runner, service: CacheService, rounds: int, seconds: float) -> Table:
    """Measure many keys at once: hits, and loads that one call of the factory makes."""
    there, numbers = [f"there{number}" for number in range(KEYS)], count()

    async def many(keys: list[str]) -> dict[str, str]:
        return dict.fromkeys(keys, "value")

    async def one() -> str:
        return "value"

    async def hits(keys: int) -> None:
        await service.get_or_set_many_async(there, many)

    async def got(keys: int) -> None:
        await service.get_many_async(there)

    async def loads(keys: int) -> None:
        await service.get_or_set_many_async(_new(numbers, keys), many)

    async def single(keys: int) -> None:
        for key in _new(numbers, keys):
            await service.get_or_set_async(key, one)

    runner.run(service.get_or_set_many_async(there, many))
    ways = {
        "get_many_async, hits": got,
        "get_or_set_many_async, hits": hits,
        "get_or_set_many_async, misses": loads,
        "get_or_set_async, misses": single,
    }
    rows = in_turns({name: on(runner, way) for name, way in ways.items()}, KEYS, rounds, seconds=seconds)
    return Table(f"E. Read-through of {KEYS} keys, local memory: per key", rows, "get_many_async, hits")


def _new(numbers: Any, keys: int) -> list[str]:
    round_ = next(numbers)
    return [f"{round_}:{key}" for key in range(keys)]
