"""Table G: how cost grows, with the entries, the tags of an entry, those who wait for a load, and the nodes.

Each is a plot of its own, with logarithmic axes; the law in words is fitted to what was measured.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count

from asynccache import CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from benchmarks import growth_nodes
from benchmarks.laws import laws
from benchmarks.measuring import Clock, Row, Table, Taken, timed
from benchmarks.options import Options
from tests.servers import Redis

ENTRIES = (1_000, 10_000, 100_000, 1_000_000)
TAGS = (0, 1, 2, 5, 10, 20)
WAITERS = (1, 10, 100, 1_000, 10_000)
CALLS = 2_000
BOUNDS = {
    "exponent: get": "<= 0.35",  # the memory of a machine is slower where there is more of it
    "exponent: get from a bare dict": "<= 0.35",
    "exponent: delete": "<= 1",  # the nodes have two processors between them
}
"""The exponents that are wanted where nothing is constant."""
Points = dict[tuple[str, float], Row]


def run(options: Options) -> Iterator[Table]:
    rounds = 5 if options.quick else 15
    yield _table("entries in local memory", "entries", _entries(rounds))
    for where, rows in _tags(rounds).items():
        yield _table(f"tags of an entry, {where}", "tags", rows, each=True)
    yield _table("tasks that wait for one load, per task", "waiters", _waiters(rounds))
    for title, clock, rows in growth_nodes.measured(rounds):
        yield _table(title, "nodes", rows, clock)


def _table(title: str, counted: str, rows: Sequence[Row], clock: Clock = "cpu", *, each: bool = False) -> Table:
    facts = laws(rows, clock, counted, each=each)
    bounds = {"exponent": "<= 0.15", "bend": "<= 1.5"} | BOUNDS
    wanted = {name: bound for name in facts if (bound := bounds.get(name) or bounds.get(name.partition(":")[0]))}
    return Table(f"G. Growth: {title}", list(rows), wanted=wanted, facts=facts, clock=clock, along=counted)


def _row(points: Points, line: str, at: float) -> Row:
    return points.setdefault((line, at), Row(f"{line}, {at:,.0f}", line=line, at=at))


def _turns(subjects: dict[tuple[str, float], Callable[[int], object]], calls: int, rounds: int) -> list[Row]:
    """Run each in turns, so that what slows the machine down slows all points alike."""
    points: Points = {}
    for turn in range(rounds + 1):
        for (line, at), subject in subjects.items():
            taken = timed(subject, calls)
            if turn:
                _row(points, line, at).add(taken, calls)
    return list(points.values())


# Entries


def _entries(rounds: int) -> list[Row]:
    filled = {entries: _filled(entries) for entries in ENTRIES}
    subjects: dict[tuple[str, float], Callable[[int], object]] = {}
    for entries, service in filled.items():
        held = {f"key:{number}": "value" for number in range(entries)}
        subjects["get from a bare dict", entries] = partial(_get_bare, held, _spread(entries))
        subjects["get", entries] = partial(_get, service, _spread(entries))
        subjects["set", entries] = partial(_set, service, _spread(entries))
        subjects["set that evicts", entries] = partial(_set_new, service, count())
    gc.collect()
    gc.freeze()  # or each round would begin with a look at a million entries
    rows = _turns(subjects, CALLS, rounds)
    gc.unfreeze()
    for entries, service in filled.items():
        row = Row(f"clear, {entries:,}", line="clear", at=entries)
        row.add(timed(lambda _, service=service: service.clear(), 1))
        for _ in range(3 if entries < ENTRIES[-1] else 0):
            _fill(service, entries)
            row.add(timed(lambda _, service=service: service.clear(), 1))
        rows.append(row)
    return rows


def _filled(entries: int) -> CacheService:
    service = CacheService(default=LocalMemCacheBackend(max_entries=entries, max_bytes=1 << 40))
    _fill(service, entries)
    return service


def _fill(service: CacheService, entries: int) -> None:
    for number in range(entries):
        service.set(f"key:{number}", "value", 600)


def _spread(entries: int) -> list[str]:
    """Give keys from all over the cache, of which none is near another in memory."""
    return [f"key:{number * 7919 % entries}" for number in range(CALLS)]


def _get(service: CacheService, keys: list[str], calls: int) -> None:
    for key in keys:
        service.get(key)


def _get_bare(held: dict[str, str], keys: list[str], calls: int) -> None:
    for key in keys:
        held.get(key)


def _set(service: CacheService, keys: list[str], calls: int) -> None:
    for key in keys:
        service.set(key, "value", 600)


def _set_new(service: CacheService, numbers: count[int], calls: int) -> None:
    for _ in range(calls):
        service.set(f"new:{next(numbers)}", "value", 600)


# Tags


def _tags(rounds: int) -> dict[str, list[Row]]:
    with CacheService(default="local") as local, asyncio.Runner() as runner, Redis() as server:
        far = CacheService(default=server.url)
        rows = {
            where: _tags_of(service, runner, rounds) for where, service in (("local memory", local), ("Redis", far))
        }
        runner.run(far.aclose())
    return rows


def _tags_of(service: CacheService, runner: asyncio.Runner, rounds: int) -> list[Row]:
    subjects: dict[tuple[str, float], Callable[[int], object]] = {}
    for tags in TAGS:
        names = [f"tag{number}" for number in range(tags)]
        for line, doing in (("set", _tagged_set), ("get", _tagged_get), ("invalidate all of them", _invalidated)):
            if tags or doing is not _invalidated:
                plan = partial(doing, service, names)
                subjects[line, tags] = lambda calls, plan=plan: runner.run(plan(calls))  # type: ignore[misc]
    return _turns(subjects, 100, rounds)


async def _tagged_set(service: CacheService, tags: list[str], calls: int) -> None:
    for number in range(calls):
        await service.set_async(f"{len(tags)}:{number}", "value", 600, tags=tags)


async def _tagged_get(service: CacheService, tags: list[str], calls: int) -> Taken:
    await _tagged_set(service, tags, calls)  # what was invalidated in between is there again
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(calls):
        assert await service.get_async(f"{len(tags)}:{number}") == "value"
    return Taken(time.process_time() - cpu, time.perf_counter() - wall)


async def _invalidated(service: CacheService, tags: list[str], calls: int) -> None:
    """Invalidate all the tags of an entry at once."""
    for _ in range(calls):
        await service.invalidate_tags_async(*tags)


# Waiters


def _waiters(rounds: int) -> list[Row]:
    points: Points = {}
    with asyncio.Runner() as runner:
        service, numbers = CacheService(default="local"), count()
        for turn in range(rounds + 1):
            for waiters in WAITERS:
                for line, stampede in (("that get the value", _served), ("that are cancelled", _cancelled)):
                    times = max(1, 100 // waiters)
                    plan = partial(stampede, service, numbers, waiters)
                    taken = timed(lambda times, plan=plan: runner.run(plan(times)), times)  # type: ignore[misc]
                    if turn:
                        _row(points, line, waiters).add(taken, waiters * times)
        runner.run(service.aclose())
    return list(points.values())


async def _served(service: CacheService, numbers: count[int], waiters: int, times: int) -> None:
    async def load() -> str:
        await asyncio.sleep(0)
        return "value"

    for _ in range(times):
        key = f"key{next(numbers)}"
        await asyncio.gather(*(service.get_or_set_async(key, load) for _ in range(waiters)))


async def _cancelled(service: CacheService, numbers: count[int], waiters: int, times: int) -> None:
    async def load() -> str:
        await asyncio.sleep(3600)
        return "value"

    for _ in range(times):
        key = f"key{next(numbers)}"
        tasks = [asyncio.ensure_future(service.get_or_set_async(key, load)) for _ in range(waiters)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
