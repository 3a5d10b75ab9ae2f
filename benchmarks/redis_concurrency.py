"""Table B: gets of 512 bytes from Redis, by how many tasks ask at once, against redis.asyncio and a raw socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import redis.asyncio

from asynccache.backends.redis import RedisCacheBackend
from benchmarks.measuring import Row, Table, in_turns
from tests.servers import Redis

VALUE = b"x" * 512
KEYS = [f"key{number}" for number in range(100)]


def run() -> list[Table]:
    with Redis() as server, asyncio.Runner() as runner:
        ours = RedisCacheBackend(server.url, deadline=5, pool_size=100)
        theirs = redis.asyncio.Redis(
            connection_pool=redis.asyncio.BlockingConnectionPool.from_url(server.url, max_connections=100)
        )
        runner.run(_fill(ours, theirs))
        try:
            return [_table(runner, server, ours, theirs, tasks) for tasks in (1, 100)]
        finally:
            runner.run(ours.aclose())
            runner.run(theirs.aclose())


async def _fill(ours: RedisCacheBackend, theirs: redis.asyncio.Redis) -> None:
    for key in KEYS:
        await ours.set_async(key, VALUE)
        await theirs.set(key, VALUE)


def _table(
    runner: asyncio.Runner, server: Redis, ours: RedisCacheBackend, theirs: redis.asyncio.Redis, tasks: int
) -> Table:
    def spread(get: Callable[[str], Awaitable[object]]) -> Callable[[int], object]:
        async def worker(count: int) -> None:
            for number in range(count):
                await get(KEYS[number % len(KEYS)])

        async def all_of_them(count: int) -> None:
            await asyncio.gather(*(worker(count // tasks) for _ in range(tasks)))

        return lambda count: runner.run(all_of_them(count))

    rows: list[Row] = in_turns(
        {
            "redis.asyncio, pool": spread(theirs.get),
            "asynccache get_async": spread(ours.get_async),
            "raw blocking socket": lambda count: _raw(server.port, count),
        },
        count=4_000,
        rounds=5,
    )
    wanted = {"asynccache get_async": f"<= 1/{20 if tasks > 1 else 4} x"}
    return Table(f"B. Redis, {tasks} task(s) at once", rows, "redis.asyncio, pool", wanted)


def _raw(port: int, count: int) -> None:
    command = b"*2\r\n$3\r\nGET\r\n$4\r\nkey1\r\n"
    with socket.create_connection(("127.0.0.1", port)) as link, link.makefile("rb") as replies:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(count):
            link.sendall(command)
            replies.read(int(replies.readline()[1:]) + 2)
