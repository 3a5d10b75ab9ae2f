"""Ten thousand keys at once: `get_many` and `set_many` against redis.asyncio's commands and pipelines."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator

import redis.asyncio

from asynccache.backends.redis import RedisCacheBackend
from benchmarks.measuring import Table, in_turns, on
from benchmarks.redis_peers import PATIENCE, TTL, VALUE
from tests.servers import Redis

KEYS = [f"key{number}" for number in range(10_000)]
VALUES = dict.fromkeys(KEYS, VALUE)
GET, SET = "get_many_async", "set_many_async"
PIPED_GET, PIPED_SET, MGET = "redis.asyncio, pipeline of GET", "redis.asyncio, pipeline of SET", "redis.asyncio, MGET"

Bulk = Callable[[], Awaitable[object]]


def bulk(seconds: float) -> Iterator[Table]:
    with Redis() as server, asyncio.Runner() as runner:
        ours = RedisCacheBackend(server.url, deadline=PATIENCE)
        theirs = redis.asyncio.Redis.from_url(server.url)
        gets: dict[str, Bulk] = {
            GET: lambda: ours.get_many_async(KEYS),
            PIPED_GET: lambda: _piped(theirs, lambda pipe, key: pipe.get(key)),
            MGET: lambda: theirs.mget(KEYS),
        }
        sets: dict[str, Bulk] = {
            SET: lambda: ours.set_many_async(VALUES),
            PIPED_SET: lambda: _piped(theirs, lambda pipe, key: pipe.set(key, VALUE, ex=TTL)),
        }
        yield _table(runner, "sets of 10,000 keys", sets, seconds, {PIPED_SET: ">= 1 x ours"})
        yield _table(runner, "gets of 10,000 keys", gets, seconds, {PIPED_GET: ">= 1 x ours", MGET: ">= 1 x ours"})
        runner.run(ours.aclose())
        runner.run(theirs.aclose())


async def _piped(client: redis.asyncio.Redis, add: Callable[[redis.asyncio.client.Pipeline, str], object]) -> object:
    async with client.pipeline(transaction=False) as pipe:
        for key in KEYS:
            add(pipe, key)
        return await pipe.execute()


def _table(runner: asyncio.Runner, what: str, bulks: dict[str, Bulk], seconds: float, wanted: dict[str, str]) -> Table:
    rows = in_turns({name: on(runner, _times(one)) for name, one in bulks.items()}, 1, rounds=9, seconds=seconds)
    facts = {f"peak MB, {name}": round(runner.run(_peak(one)) / 1e6, 1) for name, one in bulks.items()}
    return Table(f"B. Redis, {what}", rows, ours=rows[0].name, wanted=wanted, facts=facts, clock="wall")


def _times(one: Bulk) -> Callable[[int], Awaitable[object]]:
    async def run(count: int) -> None:
        for _ in range(count):
            await one()

    return run


async def _peak(one: Bulk) -> int:
    tracemalloc.start()
    try:
        await one()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
