"""Threads at once for a key that nobody has: caches for plain functions."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from threading import Condition, Lock
from typing import Any

from asynccache import CacheService
from benchmarks.measuring import Subject, Table, Taken, attempt, in_turns

THREADS = 200
LOADER_SECONDS = 0.1
ALONE = "the loader alone"
OURS = "asynccache get_or_set"
Load = Callable[[], str]
Fetch = Callable[[str, Load], Any]


@dataclass
class Way:
    """A way of fetching, as a subject: each round is one stampede; wall seconds as for tasks."""

    fetch: Fetch
    threads: ThreadPoolExecutor
    callers: int | None = None
    loads: int = 0

    def __call__(self, callers: int) -> Taken:
        ran: list[str] = []
        key = f"key{next(_numbers)}"

        def load() -> str:
            ran.append(key)
            time.sleep(LOADER_SECONDS)
            return "value"

        wall, cpu = time.perf_counter(), time.process_time()
        values = set(self.threads.map(self.fetch, *zip(*[(key, load)] * (self.callers or callers), strict=True)))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        assert values == {"value"}
        self.loads = max(self.loads, len(ran))
        return Taken(cpu, wall * callers)


_numbers = count()


def table(rounds: int, seconds: float) -> Table:
    with ThreadPoolExecutor(THREADS) as threads, CacheService(default="local") as service:
        makers: dict[str, Callable[[], Fetch]] = {
            OURS: lambda: lambda key, load: service.get_or_set(key, load, ttl=60),
            "cachetools @cached(lock=)": lambda: _cachetools(lock=Lock()),
            "cachetools @cached(condition=)": lambda: _cachetools(condition=Condition()),
            "theine @Memoize": _theine,
            "Django get_or_set": _django,
        }
        ways: dict[str, Way] = {ALONE: Way(lambda _, load: load(), threads, callers=1)}
        subjects: dict[str, Subject] = {ALONE: ways[ALONE]}
        for name, make in makers.items():
            subjects[name] = attempt(lambda name=name, make=make: ways.setdefault(name, Way(make(), threads)))
        rows = in_turns(subjects, THREADS, rounds, seconds=seconds)
    loads = {f"loads: {name}": way.loads for name, way in ways.items() if name != ALONE}
    title = f"E. Stampede: {THREADS} threads, a loader of {LOADER_SECONDS * 1000:.0f} ms: the last one done"
    return Table(title, rows, ALONE, {f"loads: {OURS}": "<= 1"}, loads, OURS, "wall")


def _cachetools(**options: Any) -> Fetch:
    import cachetools

    @cachetools.cached(cachetools.TTLCache(10_000, 60), key=lambda key, load: key, **options)
    def fetch(key: str, load: Load) -> str:
        return load()

    return fetch  # type: ignore[no-any-return]  # it is not typed


def _theine() -> Fetch:
    from theine import Memoize

    @Memoize(10_000, timedelta(seconds=60))
    def fetch(key: str, load: Load) -> str:
        return load()

    fetch.key(lambda key, load: key)
    return fetch


def _django() -> Fetch:
    from django.conf import settings

    if not settings.configured:
        settings.configure()
    from django.core.cache.backends.locmem import LocMemCache

    cache = LocMemCache("threads", {})
    return lambda key, load: cache.get_or_set(key, load, 60)
