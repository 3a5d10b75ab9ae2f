"""Who is asked for table C: each client of memcached as coroutine functions, on a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from benchmarks.measuring import Subject, on
from benchmarks.redis_peers import KEYS, PATIENCE, TTL, Guest, Make, Peer
from tests.servers import Memcached

NAMES = {key: key.encode() for key in KEYS}
THREADS = 40
"""What asyncio's own pool has at most on two cores is 6; theirs are as many as ours may be."""


@dataclass
class ManyPeer(Peer):
    """A client: also how to get many."""

    get_many: Callable[[Iterable[str]], Awaitable[object]]


def get_many_of(guest: Guest, number: int, tasks: int) -> Subject:
    """Let so many tasks get so many keys at once."""
    keys = KEYS[:number]

    async def worker(count: int) -> None:
        for _ in range(count):
            await guest.peer.get_many(keys)  # type: ignore[attr-defined]

    async def all_of_them(count: int) -> None:
        await asyncio.gather(*(worker(count // tasks) for _ in range(tasks)))

    return on(guest.runner, all_of_them)


def ours(server: Memcached) -> Make:
    from asynccache.backends.memcached import MemcachedCacheBackend

    return _ours(lambda: MemcachedCacheBackend(server.url, deadline=PATIENCE))


def ours_over_aiomcache(server: Memcached) -> Make:
    from asynccache.backends.aio_cache import AioMemCacheBackend

    return _ours(lambda: AioMemCacheBackend(servers=server.url, deadline=PATIENCE))


def _ours(backend: Callable[[], Any]) -> Make:
    async def make(stack: AsyncExitStack) -> Peer:
        made = backend()
        stack.push_async_callback(made.aclose)
        return ManyPeer(made.get_async, made.set_async, made.get_many_async)

    return make


def aiomcache(server: Memcached) -> Make:
    async def make(stack: AsyncExitStack) -> Peer:
        import aiomcache as library

        made = library.Client(server.host, server.port)
        stack.push_async_callback(made.close)
        return ManyPeer(
            lambda key: made.get(NAMES[key]),
            lambda key, value: made.set(NAMES[key], value, exptime=TTL),
            lambda keys: made.multi_get(*(NAMES[key] for key in keys)),
        )

    return make


def emcache(server: Memcached, **options: Any) -> Make:
    async def make(stack: AsyncExitStack) -> Peer:
        import emcache as library

        made = await library.create_client(
            [library.MemcachedHostAddress(server.host, server.port)], timeout=PATIENCE, **options
        )
        stack.push_async_callback(made.close)
        return ManyPeer(
            lambda key: made.get(NAMES[key]),
            lambda key, value: made.set(NAMES[key], value, exptime=TTL),
            lambda keys: made.get_many([NAMES[key] for key in keys]),
        )

    return make


def pymemcache(server: Memcached) -> Make:
    def client() -> Any:
        from pymemcache.client.base import PooledClient

        return PooledClient((server.host, server.port), max_pool_size=THREADS)

    return _threaded(client)


def pylibmc(server: Memcached) -> Make:
    def client() -> Any:
        import pylibmc as library

        return _Pooled(library.ClientPool(library.Client([server.address]), THREADS))

    return _threaded(client)


class _Pooled:
    def __init__(self, pool: Any) -> None:
        self._pool = pool

    def get(self, key: bytes) -> object:
        with self._pool.reserve(block=True) as client:
            return client.get(key)

    def set(self, key: bytes, value: bytes, expire: int) -> object:
        with self._pool.reserve(block=True) as client:
            return client.set(key, value, time=expire)

    def get_many(self, keys: list[bytes]) -> object:
        with self._pool.reserve(block=True) as client:
            return client.get_multi(keys)

    def close(self) -> None:
        self._pool.relinquish = None


def _threaded(client: Callable[[], Any]) -> Make:
    async def make(stack: AsyncExitStack) -> Peer:
        made = client()
        stack.callback(made.close)
        return ManyPeer(
            lambda key: asyncio.to_thread(made.get, NAMES[key]),
            lambda key, value: asyncio.to_thread(made.set, NAMES[key], value, TTL),
            lambda keys: asyncio.to_thread(made.get_many, [NAMES[key] for key in keys]),
        )

    return make
