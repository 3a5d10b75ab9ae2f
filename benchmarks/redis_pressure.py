"""Much at once: small gets while large values are fetched, and more commands than a connection takes."""

from __future__ import annotations

import asyncio
import resource
import statistics
from collections.abc import Awaitable, Callable, Iterator
from time import perf_counter

import redis.asyncio

from asynccache.backends.redis import RedisCacheBackend
from benchmarks.measuring import Row, Table, Taken
from benchmarks.options import Options
from benchmarks.redis_peers import PATIENCE, VALUE
from tests.servers import Redis

_LARGE = 5 * 1024 * 1024
_GETS = 100
_LARGE_ONE, _SMALL, _THEIRS = "a value of 5 MiB", "asynccache, the slowest of 100", "redis.asyncio, pool, likewise"
Get = Callable[[str], Awaitable[object]]


def pressure(options: Options) -> Iterator[Table]:
    with Redis() as server, asyncio.Runner() as runner:
        backend = RedisCacheBackend(server.url, deadline=PATIENCE)
        client = redis.asyncio.Redis.from_url(server.url)
        yield runner.run(_behind_large_ones(backend, client, rounds=3 if options.quick else 9))
        yield runner.run(_queued(backend, 50_000 if options.quick else 1_000_000))
        runner.run(backend.aclose())
        runner.run(client.aclose())


async def _behind_large_ones(backend: RedisCacheBackend, client: redis.asyncio.Redis, rounds: int) -> Table:
    for key, value in {"small": VALUE, "large": b"x" * _LARGE}.items():
        await backend.set_async(key, value)
        await client.set(key, value)
    rows = {name: Row(name) for name in (_LARGE_ONE, _SMALL, _THEIRS)}
    for _ in range(rounds):
        large, small = await _beside(backend.get_async)
        rows[_LARGE_ONE].add(_wall(large))
        rows[_SMALL].add(_wall(small))
        rows[_THEIRS].add(_wall((await _beside(client.get))[1]))
    title = "B. Redis, small gets while values of 5 MiB are fetched one after the other"
    return Table(title, list(rows.values()), limit=_LARGE_ONE, wanted={_SMALL: "<= 2 x"}, clock="wall")


async def _beside(get: Get) -> tuple[float, float]:
    """Give what a large value takes, and the slowest of the small ones that are asked for meanwhile."""
    large: list[float] = []

    async def fetch() -> None:
        while True:
            large.append(await _seconds(get("large")))

    fetching = asyncio.create_task(fetch())
    await asyncio.sleep(0)
    small = [await _seconds(get("small")) for _ in range(_GETS)]
    fetching.cancel()
    await asyncio.wait([fetching])
    return statistics.quantiles(large, n=20)[-1] if len(large) > 1 else max(large), max(small)


async def _seconds(asked: Awaitable[object]) -> float:
    started = perf_counter()
    await asked
    return perf_counter() - started


def _wall(seconds: float) -> Taken:
    return Taken(cpu=seconds, wall=seconds)


async def _queued(backend: RedisCacheBackend, count: int) -> Table:
    """Have so many tasks wait at once, and tell what each needs, beside as many that wait for nothing much."""
    await backend.set_async("small", VALUE)
    gate = asyncio.Event()
    bare = await _memory([gate.wait() for _ in range(count)], gate.set)
    started = perf_counter()
    waiting = await _memory([backend.get_async(f"key{number % 1_000}") for number in range(count)], lambda: None)
    row = Row("each")
    row.add(_wall(perf_counter() - started), count)
    facts = {"bytes of a task that waits for an event": bare, "bytes of a task that waits for a get": waiting}
    return Table(f"B. Redis, {count:,} gets at once", [row], facts=facts, clock="wall")


async def _memory(coroutines: list[Awaitable[object]], go: Callable[[], None]) -> float:
    """Have all of them wait at once; give the bytes that each needs at most."""
    before = _resident()
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    coroutines.clear()
    highest = before
    while not all(task.done() for task in tasks[:: max(1, len(tasks) // 100)]):
        await asyncio.sleep(0)
        highest = max(highest, _resident())
        go()
    await asyncio.gather(*tasks)
    return round((highest - before) / len(tasks))


def _resident() -> int:
    """Give the bytes of memory that this process has now."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * resource.getpagesize()
