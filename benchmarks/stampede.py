"""Table E: a thousand callers at once for a key that nobody has, whose loader takes 100 ms.

What counts is how often the loader ran. Each library is used as its documentation shows it, and where it has an option
against stampedes, once more with that.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from asynccache import CacheService, cached
from benchmarks.measuring import Row, Table
from tests.servers import Redis

CALLERS = 1_000
LOADER_SECONDS = 0.1
ROUNDS = 5
PROCESSES = 8
Fetch = Callable[[str, Callable[[], Awaitable[str]]], Awaitable[Any]]


def run() -> list[Table]:
    return [asyncio.run(_in_one_process()), _in_many_processes()]


async def _in_one_process() -> Table:
    async with CacheService(default="local") as service:
        ways: dict[str, Fetch] = {
            "the loader alone": lambda _, load: load(),
            "asynccache get_or_set_async": lambda key, load: service.get_or_set_async(key, load, ttl=60),
            "asynccache @cached": _ours(),
            **_theirs(),
        }
        keys = count()
        rows, loads = {name: Row(name, []) for name in ways}, dict.fromkeys(ways, 0)
        cpu = {name: Row(name, []) for name in ways}
        for turn in range(ROUNDS + 1):
            for name, fetch in ways.items():
                callers = 1 if name == "the loader alone" else CALLERS
                wall, busy, ran = await _stampede(fetch, f"key{next(keys)}", callers)
                if turn:
                    rows[name].seconds.append(wall)
                    cpu[name].seconds.append(busy / callers)
                    loads[name] = max(loads[name], ran)
    for name, row in rows.items():
        row.note = f"loads: {loads[name]:>4}, CPU {cpu[name].middle * 1e6:6.1f} us per caller"
    wanted = {name: "<= 10 ms more" for name in rows if "asynccache" in name}
    return Table(f"E. Stampede: {CALLERS} callers, one process", list(rows.values()), "the loader alone", wanted)


async def _stampede(fetch: Fetch, key: str, callers: int) -> tuple[float, float, int]:
    """Give the seconds until the last caller has the value, the CPU seconds, and how often it was loaded."""
    ran = 0

    async def load() -> str:
        nonlocal ran
        ran += 1
        await asyncio.sleep(LOADER_SECONDS)
        return "value"

    started, busy = time.perf_counter(), time.process_time()
    values = await asyncio.gather(*(fetch(key, load) for _ in range(callers)))
    wall, busy = time.perf_counter() - started, time.process_time() - busy
    assert set(values) == {"value"}
    return wall, busy, ran


def _ours() -> Fetch:
    @cached(ttl=60, ignore=["load"])
    async def fetch(key: str, load: Callable[[], Awaitable[str]]) -> str:
        return await load()

    return fetch


def _theirs() -> dict[str, Fetch]:
    return {
        "aiocache @cached": _aiocache("cached"),
        "aiocache @cached_stampede": _aiocache("cached_stampede", lease=2),
        "cashews @cache": _cashews(),
        "cashews @cache(lock=True)": _cashews(lock=True),
        "fastapi-cache2 @cache": _fastapi_cache(),
        "Ellar, as its @Cache does it": _ellar(),
    }


def _aiocache(decorator: str, **options: Any) -> Fetch:
    import aiocache

    def key_of(function: Callable[..., Any], key: str, load: object) -> str:
        del function, load
        return f"{decorator}:{key}"

    @getattr(aiocache, decorator)(ttl=60, key_builder=key_of, **options)
    async def fetch(key: str, load: Callable[[], Awaitable[str]]) -> str:
        del key
        return await load()

    return fetch  # type: ignore[no-any-return]  # it is not typed


def _cashews(**options: Any) -> Fetch:
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://")

    @cache(ttl="60s", key="{key}", **options)
    async def fetch(key: str, load: Callable[[], Awaitable[str]]) -> str:
        del key
        return await load()

    return fetch


def _fastapi_cache() -> Fetch:
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.inmemory import InMemoryBackend
    from fastapi_cache.decorator import cache

    FastAPICache.init(InMemoryBackend(), prefix="bench")

    @cache(expire=60, key_builder=lambda function, namespace, *, kwargs, args, **_: f"{namespace}:{args[0]}")
    async def fetch(key: str, load: Callable[[], Awaitable[str]]) -> str:
        del key
        return await load()

    return fetch


def _ellar() -> Fetch:
    from ellar.cache.backends.local_cache import LocalMemCacheBackend

    backend = LocalMemCacheBackend()

    async def fetch(key: str, load: Callable[[], Awaitable[str]]) -> Any:
        found = await backend.get_async(key)
        if found:
            return found
        value = await load()
        await backend.set_async(key, value, ttl=60)
        return value

    return fetch


_CHILD = """
import asyncio, sys, time
from asynccache import CacheService

async def main():
    async with CacheService(default=sys.argv[1]) as service:
        async def load():
            await service.incr_async("loads")
            await asyncio.sleep({loader})
            return "value"
        await service.get_async("warm")
        print("ready", flush=True)
        sys.stdin.readline()
        values = await asyncio.gather(*(service.get_or_set_async("key", load, ttl=60) for _ in range({callers})))
        assert set(values) == {{"value"}}
        print(time.time(), flush=True)

asyncio.run(main())
"""


def _in_many_processes() -> Table:
    script = _CHILD.format(loader=LOADER_SECONDS, callers=CALLERS)
    row, most = Row(f"asynccache, {PROCESSES} processes over Redis", []), 0
    for _ in range(ROUNDS):
        with Redis() as server:
            seconds, loads = _round(script, f"{server.url}?deadline=5")
            row.seconds.append(seconds)
            most = max(most, loads)
    row.note = f"loads: {most}, in the whole fleet"
    title = f"E. Stampede: {PROCESSES} processes with {CALLERS} callers each"
    return Table(title, [row], row.name)


def _round(script: str, url: str) -> tuple[float, int]:
    children = [
        subprocess.Popen(  # our own script
            [sys.executable, "-c", script, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(PROCESSES)
    ]
    for child in children:
        child.stdout.readline()  # type: ignore[union-attr]  # they have pipes
    started = time.time()
    for child in children:
        child.stdin.write("go\n")  # type: ignore[union-attr]  # likewise
        child.stdin.flush()  # type: ignore[union-attr]  # likewise
    ends = [float(child.communicate()[0]) for child in children]
    with CacheService(default=url) as service:
        return max(ends) - started, service.get("loads")
