"""Table E: a thousand callers at once for a key that nobody has, whose loader takes 100 ms.

What counts is how often the loader ran, when the last caller had its value, and what each caller cost. Each library is
used as its documentation shows it, and where it has an option against stampedes, once more with that. The callers are
tasks of one loop, requests, threads, and the tasks of eight processes over one Redis; then what a hit costs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from asynccache import CacheService, cached
from benchmarks import stampede_fleet, stampede_hits, stampede_peers, stampede_requests, stampede_threads
from benchmarks.measuring import Subject, Table, Taken, attempt, in_turns, on
from benchmarks.options import Options
from benchmarks.stampede_process import CALLERS, LOADER_SECONDS, OURS, Fetch, Load, stampede

ALONE = "the loader alone"
FUTURES = "a future for each caller, by hand"


def run(options: Options) -> Iterator[Table]:
    rounds, seconds = (5, 9.0) if options.quick else (20, 40.0)
    yield from _tasks(rounds, seconds)
    yield stampede_requests.table(options, rounds, seconds)
    yield stampede_threads.table(rounds, seconds)
    yield stampede_fleet.table(3 if options.quick else 10)
    yield from stampede_hits.tables(rounds, seconds / 3)


@dataclass
class Way:
    """A way of fetching, as a subject: each round is one stampede of so many callers for a new key.

    The wall's seconds are multiplied by the callers, who all wait at once: what is left per caller are those after
    which the last one had its value.
    """

    fetch: Fetch
    callers: int | None = None
    loads: int = 0
    """The most that a round took."""

    async def __call__(self, callers: int) -> Taken:
        began = time.monotonic()
        done, cpu, loads = await stampede(self.fetch, f"key{next(_numbers)}", self.callers or callers)
        self.loads = max(self.loads, loads)
        return Taken(cpu, (done - began) * callers)

    async def harmed(self, callers: int) -> int:
        """Cancel the first of so many callers while it loads; tell how many of the others get no value."""

        async def load() -> str:
            await asyncio.sleep(LOADER_SECONDS / 2)
            return "value"

        async def call() -> Any:
            return await self.fetch(key, load)

        key = f"key{next(_numbers)}"
        tasks = [asyncio.ensure_future(call()) for _ in range(callers)]
        await asyncio.sleep(LOADER_SECONDS / 10)
        tasks[0].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        return sum(outcome != "value" for outcome in outcomes[1:])


_numbers = count()


def _tasks(rounds: int, seconds: float) -> Iterator[Table]:
    with asyncio.Runner() as runner:
        service = runner.run(CacheService(default="local").__aenter__())
        ways = {
            ALONE: Way(lambda _, load: load(), callers=1),
            FUTURES: Way(_by_hand()),
            OURS: Way(lambda key, load: service.get_or_set_async(key, load, ttl=60)),
            "asynccache @cached": Way(_ours(service)),
        }
        subjects: dict[str, Subject] = {name: on(runner, way) for name, way in ways.items()}
        for name, make in stampede_peers.PEERS.items():
            subjects[name] = attempt(lambda name=name, make=make: on(runner, ways.setdefault(name, Way(make()))))
        rows = in_turns(subjects, CALLERS, rounds, seconds=seconds)
        once = [name for name, way in ways.items() if way.loads == 1 and name not in {ALONE, FUTURES}]
        harm = {f"others that fail with the first of 10: {name}": _harm(runner, ways[name]) for name in once}
        runner.run(service.__aexit__())
    loads = {f"loads: {name}": way.loads for name, way in ways.items() if name != ALONE}
    goal = {f"loads: {name}": "<= 1" for name in ways if "asynccache" in name}
    goal |= {fact: "<= 0" for fact in harm if "asynccache" in fact}
    wanted = dict.fromkeys((OURS, "asynccache @cached"), "<= 10 ms more; <= 15 us CPU")
    title = f"E. Stampede: {CALLERS} tasks, a loader of {LOADER_SECONDS * 1000:.0f} ms"
    yield Table(f"{title}: the last one done", rows, ALONE, {**wanted, **goal}, loads | harm, OURS, "wall")
    yield Table(f"{title}: CPU per caller", [row for row in rows if row.name != ALONE], FUTURES, ours=OURS)


def _harm(runner: asyncio.Runner, way: Way) -> int:
    return runner.run(way.harmed(10))


def _by_hand() -> Fetch:
    """Let each caller wait for a future of its own, and do nothing else that a cache does."""
    waiting: dict[str, list[asyncio.Future[str]]] = {}

    async def run(key: str, load: Load) -> None:
        value = await load()
        for future in waiting.pop(key):
            future.set_result(value)

    async def fetch(key: str, load: Load) -> str:
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if key not in waiting:
            tasks.append(loop.create_task(run(key, load)))
        waiting.setdefault(key, []).append(future)
        return await future

    tasks: list[asyncio.Task[None]] = []
    return fetch


def _ours(service: CacheService) -> Fetch:
    @cached(ttl=60, ignore=["load"])
    async def fetch(key: str, load: Load) -> str:
        return await load()

    return fetch
