"""Who is asked for table B: each client as two coroutine functions, on a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import redis.asyncio

from asynccache.backends.redis import RedisCacheBackend
from benchmarks.measuring import Subject, attempt, on, with_uvloop
from tests.servers import Redis, RedisCluster, RedisSentinels
from tests.servers.process import HOST
from tests.servers.redis_sentinel import SERVICE

VALUE = b"x" * 512
KEYS = [f"key{number}" for number in range(1_000)]
TTL = 300
PATIENCE = 30
"""Seconds of deadline: what is measured is how much gets through."""


@dataclass
class Peer:
    """A client: how to get, and how to set."""

    get: Callable[[str], Awaitable[object]]
    set: Callable[[str, bytes], Awaitable[object]]


Make = Callable[[AsyncExitStack], Coroutine[Any, Any, Peer]]


@dataclass
class Guest:
    """A peer on a runner of its own, whose client lives until `close`."""

    runner: asyncio.Runner
    peer: Peer
    _leave: asyncio.Event
    _stay: asyncio.Task[None]

    @classmethod
    def of(cls, runner: asyncio.Runner, make: Make) -> Guest:
        return runner.run(_settled(runner, make))

    def gets(self, tasks: int) -> Subject:
        return self._spread(self.peer.get, tasks)

    def sets(self, tasks: int) -> Subject:
        return self._spread(lambda key: self.peer.set(key, VALUE), tasks)

    def _spread(self, ask: Callable[[str], Awaitable[object]], tasks: int) -> Subject:
        """Let so many tasks ask, one after the other, for keys that no other is asking for just then."""

        async def worker(first: int, count: int) -> None:
            for number in range(first, first + count):
                await ask(KEYS[number % len(KEYS)])

        async def all_of_them(count: int) -> None:
            await asyncio.gather(*(worker(number, count // tasks) for number in range(tasks)))

        return on(self.runner, all_of_them)

    def close(self) -> None:
        self._leave.set()
        self.runner.run(_ended(self._stay))
        self.runner.close()


async def _settled(runner: asyncio.Runner, make: Make) -> Guest:
    ready: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()
    leave = asyncio.Event()

    async def stay() -> None:
        async with AsyncExitStack() as stack:
            try:
                ready.set_result(await make(stack))
            except Exception as error:  # noqa: BLE001 - who waits hears it
                ready.set_exception(error)
            else:
                await leave.wait()

    task = asyncio.create_task(stay())
    peer = await ready
    for key in KEYS:
        await peer.set(key, VALUE)
    return Guest(runner, peer, leave, task)


async def _ended(task: asyncio.Task[None]) -> None:
    await task


def ours(*urls: str, tags: tuple[str, ...] = (), **options: Any) -> Make:
    async def make(stack: AsyncExitStack) -> Peer:
        backend = RedisCacheBackend(list(urls), deadline=PATIENCE, **options)
        stack.push_async_callback(backend.aclose)
        return Peer(backend.get_async, partial(backend.set_async, tags=tags) if tags else backend.set_async)

    return make


def redis_py(client: Callable[[], Any]) -> Make:
    async def make(stack: AsyncExitStack) -> Peer:
        made = await stack.enter_async_context(client())
        return Peer(made.get, lambda key, value: made.set(key, value, ex=TTL))

    return make


def pool(url: str, **options: Any) -> Make:
    return redis_py(lambda: redis.asyncio.Redis.from_url(url, **options))


def waiting_pool(url: str) -> Make:
    def client() -> redis.asyncio.Redis:
        connections = redis.asyncio.BlockingConnectionPool.from_url(url, max_connections=100, timeout=PATIENCE)
        return redis.asyncio.Redis(connection_pool=connections)

    return redis_py(client)


def single(url: str) -> Make:
    return redis_py(lambda: redis.asyncio.Redis.from_url(url, single_connection_client=True))


def sentinels_pool(service: RedisSentinels) -> Make:
    def client() -> Any:
        addresses = [(HOST, sentinel.port) for sentinel in service.sentinels]
        return redis.asyncio.Sentinel(addresses).master_for(SERVICE)

    return redis_py(client)


def redis_py_cluster(cluster: RedisCluster) -> Make:
    return redis_py(lambda: redis.asyncio.RedisCluster(host="127.0.0.1", port=cluster.nodes[0].port))


def coredis(server: Redis) -> Make:
    import coredis as library

    return _of_coredis(lambda: library.Redis(host="127.0.0.1", port=server.port))


def coredis_cluster(cluster: RedisCluster) -> Make:
    import coredis as library

    return _of_coredis(lambda: library.RedisCluster("127.0.0.1", cluster.nodes[0].port))


def _of_coredis(client: Callable[[], Any]) -> Make:
    async def make(stack: AsyncExitStack) -> Peer:
        made = await stack.enter_async_context(client())
        return Peer(made.get, lambda key, value: made.set(key, value, ex=TTL))

    return make


def glide(server: Redis) -> Make:
    async def make(stack: AsyncExitStack) -> Peer:
        from glide import ExpirySet, ExpiryType, GlideClient, GlideClientConfiguration, NodeAddress

        expiry = ExpirySet(ExpiryType.SEC, TTL)
        made = await GlideClient.create(GlideClientConfiguration([NodeAddress("127.0.0.1", server.port)]))
        stack.push_async_callback(made.close)
        return Peer(made.get, lambda key, value: made.set(key, value, expiry=expiry))

    return make


def guests(makes: dict[str, Callable[[], Make]], open_ones: ExitStack) -> dict[str, Guest | Exception]:
    """Have all of them until the stack closes; whoever cannot come has a reason. A name with `uvloop` is on one."""
    found: dict[str, Guest | Exception] = {}
    for name, make in makes.items():
        runner = with_uvloop() if "uvloop" in name else asyncio.Runner()
        try:
            found[name] = guest = Guest.of(runner, make())
            open_ones.callback(guest.close)
        except Exception as error:  # noqa: BLE001 - a peer that cannot take part is a row that says why
            found[name] = error
            runner.close()
    return found


def subjects(found: dict[str, Guest | Exception], what: Callable[[Guest], Subject]) -> dict[str, Subject]:
    """Give the subjects of all who came."""

    def made(guest: Guest | Exception) -> Subject:
        if isinstance(guest, Exception):
            raise guest
        return what(guest)

    return {name: attempt(lambda guest=guest: made(guest)) for name, guest in found.items()}
