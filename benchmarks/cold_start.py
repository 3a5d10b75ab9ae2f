"""Table H: what a new process pays before its first hit, against other caches and against a Python that does nothing.

The figures are those of whole processes, from their start to their end.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median
from time import perf_counter

from benchmarks.elsewhere import ROOT
from benchmarks.measuring import AbsentError, Subject, Table, Taken, in_turns
from benchmarks.options import Options
from benchmarks.printing import duration

NOTHING = "python -c pass"
AWAITED = "import asyncio\nasync def main():\n"
IMPORTS = {
    NOTHING: "pass",
    "import asynccache": "import asynccache",
    "import cachetools": "import cachetools",
    "import aiocache": "import aiocache",
    "import cashews": "import cashews",
    "import fastapi_cache": "import fastapi_cache",
    "django.core.cache": "import django.core.cache",
    "Ellar's cache": "import ellar.cache",
}
HITS = {
    NOTHING: "pass",
    "import asyncio": "import asyncio",
    "asynccache": AWAITED
    + """
    from asynccache import CacheService
    async with CacheService(default="local") as cache:
        await cache.set_async("key", "value")
        assert await cache.get_async("key") == "value"
asyncio.run(main())""",
    "cachetools": "import cachetools; cache = cachetools.LRUCache(9); cache['key'] = 'value'; assert cache.get('key')",
    "aiocache": AWAITED
    + """
    from aiocache import SimpleMemoryCache
    cache = SimpleMemoryCache()
    await cache.set("key", "value")
    assert await cache.get("key") == "value"
asyncio.run(main())""",
    "cashews": AWAITED
    + """
    from cashews import Cache
    cache = Cache()
    cache.setup("mem://")
    await cache.set("key", "value")
    assert await cache.get("key") == "value"
asyncio.run(main())""",
    "Django LocMem": """
from django.conf import settings
settings.configure()
from django.core.cache import cache
cache.set("key", "value")
assert cache.get("key") == "value" """,
    "Ellar": AWAITED
    + """
    from ellar.cache.backends.local_cache import LocalMemCacheBackend
    cache = LocalMemCacheBackend()
    await cache.set_async("key", "value")
    assert await cache.get_async("key") == "value"
asyncio.run(main())""",
}
APPS = {
    "Starlette, bare": "starlette",
    "asynccache on Starlette": "asynccache_starlette",
    "FastAPI, bare": "fastapi",
    "asynccache on FastAPI": "asynccache_fastapi",
    "fastapi-cache2 on FastAPI": "fastapi_cache",
    "Ellar's own": "ellar",
}


def run(options: Options) -> Iterator[Table]:
    yield _table(options, "From the start of Python to the end of an import", IMPORTS, NOTHING, "import asynccache")
    yield _table(options, "From the start of Python to a first hit in memory", HITS, "import asyncio", "asynccache")
    apps = {name: f"from benchmarks.cold_apps import main; main({app!r})" for name, app in APPS.items()}
    title = "From the start of Python to an app's first page out of its cache"
    yield _table(options, title, apps, "Starlette, bare", "asynccache on Starlette")


def _table(options: Options, title: str, scripts: Mapping[str, str], limit: str, ours: str) -> Table:
    subjects = {name: _starting(_python_of(options, name), script) for name, script in scripts.items()}
    rows = in_turns(subjects, 1, rounds=12 if options.quick else 50, seconds=12 if options.quick else 70)
    blame = _blame(scripts[ours])
    return Table(title, rows, limit, facts={f"what {ours!r} waits for, by package": blame}, ours=ours)


def _python_of(options: Options, name: str) -> str | None:
    return options.python("ellar" if name.startswith("Ellar") else "")


def _starting(python: str | None, script: str) -> Subject:
    def start(count: int) -> Taken:
        if python is None:
            raise AbsentError("there is no environment for it here")
        cpu, wall = _cpu_of_children(), perf_counter()
        for _ in range(count):
            done = subprocess.run([python, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
            if done.returncode:
                raise AbsentError((done.stderr.splitlines() or [f"status {done.returncode}"])[-1])
        return Taken(_cpu_of_children() - cpu, perf_counter() - wall)

    return start


def _cpu_of_children() -> float:
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _blame(script: str) -> str:
    """Tell which packages took how long, each without what it imports: the medians of some `python -X importtime`."""
    reports = [_imports(script) for _ in range(5)]
    medians = {name: median(report.get(name, 0) for report in reports) for name in reports[0]}
    slowest = sorted(medians, key=medians.__getitem__, reverse=True)[:8]
    return ", ".join(f"{name} {duration(medians[name])}" for name in slowest)


def _imports(script: str) -> Mapping[str, float]:
    command = [sys.executable, "-X", "importtime", "-c", script]
    report = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr
    took: defaultdict[str, float] = defaultdict(float)
    for own, name in re.findall(r"^import time: +(\d+) \| +\d+ \| +(\w+)", report, re.MULTILINE):
        took[name] += int(own) / 1e6
    return took
