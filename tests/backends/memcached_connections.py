"""Connections to memcached: how many there are, and that they end; each test takes a backend's class."""

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

from asynccache.model import BaseCacheBackend
from tests.backends.wire import stat
from tests.servers import Memcached

PATIENT = 5.0
Make = Callable[..., BaseCacheBackend]


async def until_there_are(server: Memcached, connections: int) -> None:
    """Wait until the server has seen who came and who went."""
    async with asyncio.timeout(PATIENT):
        while stat(server, "curr_connections") - 1 != connections:  # that of `stat`
            await asyncio.sleep(0.01)


async def come_and_go(make: Make, server: Memcached, connections: int) -> None:
    """Use a backend in this loop, a thread and loops that end, with so many connections; close it."""
    await until_there_are(server, 0)
    cache = make(servers=server.url, deadline=PATIENT)

    async def visit() -> None:
        await asyncio.gather(*[cache.set_async(f"k{number}", 1) for number in range(20)])

    await visit()
    await asyncio.to_thread(cache.get, "k0")
    await until_there_are(server, connections)
    for _ in range(3):
        await asyncio.to_thread(asyncio.run, visit())
    await until_there_are(server, connections)
    await cache.aclose()
    await until_there_are(server, 0)


def belongings() -> tuple[int, int]:
    """Count what this process has open, and its threads."""
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


async def leave_nothing_behind(make: Make, server: Memcached, prefix: str) -> None:
    """Open and close backends."""

    async def open_and_close() -> None:
        cache = make(servers=server.url, key_prefix=prefix, deadline=PATIENT)
        await cache.set_async("k", 1)
        cache.get("k")
        await cache.aclose()

    await open_and_close()
    before = belongings(), len(asyncio.all_tasks())
    for _ in range(200):
        await open_and_close()
    assert (belongings(), len(asyncio.all_tasks())) == before


def count_in_forked_children(cache: BaseCacheBackend) -> None:
    """Count in children at once, whose connections are their own."""
    cache.set("n", 0)
    children = []
    for _ in range(3):
        if (child := os.fork()) == 0:
            fine = all(cache.incr("n") for _ in range(50)) and asyncio.run(cache.get_async("n")) >= 50
            os._exit(0 if fine else 1)
        children.append(child)
    assert all(cache.incr("n") for _ in range(50))
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert cache.get("n") == 200
    cache.close()
