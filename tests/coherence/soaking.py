"""One process of the soak: reads, loads and changes some keys of a shared cache, and notes whatever is too old.

The origin has a version of each key, in memory that all processes share, and each key is changed by one process only.
A value is a list of it, since counters are not held nearby. Beside it each process notes which versions its
invalidations that have returned demand: a read that begins later must give no less. Where local memory is in front,
what another process demands may be so many seconds late.

    python -m tests.coherence.soaking FILE URL SECONDS PROCESSES NUMBER SLACK    (tells what happened, as JSON)
"""

import asyncio
import json
import mmap
import random
import sys
import time
from collections import Counter, deque
from contextlib import suppress
from functools import partial
from pathlib import Path

from asynccache import CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.config.backends import backend_of
from asynccache.errors import BackendUnavailableError

KEYS = 24
GROUPS = 4
READERS = 10
SAMPLED = 0.01
LONG_LOAD = 0.4
MAX_STALENESS = 1.0


class Origin:
    """Versions, and what is demanded, as 8 byte numbers in a file: `versions[key]`, then `demands[process][key]`."""

    def __init__(self, file, processes):
        with Path(file).open("r+b") as opened:
            numbers = memoryview(mmap.mmap(opened.fileno(), 0)).cast("Q")
        self.versions = numbers[:KEYS]
        self.demands = [numbers[KEYS * (1 + one) : KEYS * (2 + one)] for one in range(processes)]

    @staticmethod
    def create(file, processes):
        Path(file).write_bytes(bytes(8 * KEYS * (1 + processes)))

    def demanded(self, key):
        return max(demands[key] for demands in self.demands)


class Soak:
    """What one process does."""

    def __init__(self, cache, origin, number, processes, slack):
        self.cache = cache
        self.origin = origin
        self.number = number
        self.slack = slack
        self.mine = range(number, KEYS, processes)
        self.own = origin.demands[number]
        self.counts = Counter()
        self.wrong = []
        self.samples = deque(maxlen=1 + int((slack + 2) / SAMPLED))

    async def run(self, seconds):
        until = time.monotonic() + seconds
        async with self.cache, asyncio.TaskGroup() as group:
            for _ in range(READERS):
                group.create_task(self._read(until))
            group.create_task(self._change(until))
            if self.slack:
                group.create_task(self._sample(until))
            group.create_task(asyncio.to_thread(self._read_in_thread, until))

    async def _read(self, until):
        while time.monotonic() < until:
            key = random.randrange(KEYS)
            needed = self._needed(key)
            if random.random() < 0.3:
                found = await self.cache.get_async(f"key{key}")
            else:
                found = await self.cache.get_or_set_async(f"key{key}", partial(self._load, key), tags=_tags(key))
            self._judge(key, found, needed)
            await asyncio.sleep(random.random() * 0.02)

    def _read_in_thread(self, until):
        while time.monotonic() < until:
            key = random.randrange(KEYS)
            needed = self._needed(key)
            self._judge(key, self.cache.get_or_set(f"key{key}", partial(self._now, key), tags=_tags(key)), needed)
            time.sleep(random.random() * 0.02)

    async def _load(self, key):
        self.counts["loads"] += 1
        await asyncio.sleep(random.random() * 0.006)
        found = self._now(key)
        await asyncio.sleep(LONG_LOAD if random.random() < 0.03 else random.random() * 0.006)
        return found

    def _now(self, key):
        return [self.origin.versions[key]]

    def _judge(self, key, found, needed):
        self.counts["reads"] += 1
        if found is not None and found[0] < needed:
            self.wrong.append(f"process {self.number}: key {key} at {found[0]}, {needed} was demanded before")

    # What is demanded

    def _needed(self, key):
        """Give the version that a read which begins now must give at least."""
        if not self.slack:
            return self.origin.demanded(key)
        late = time.monotonic() - self.slack
        known = next((demands for moment, demands in reversed(self.samples) if moment <= late), None)
        return max(self.own[key], known[key] if known else 0)

    async def _sample(self, until):
        while time.monotonic() < until:
            demands = [self.origin.demanded(key) for key in range(KEYS)]
            self.samples.append((time.monotonic(), demands))
            await asyncio.sleep(SAMPLED)

    # Changes

    async def _change(self, until):
        while time.monotonic() < until:
            await asyncio.sleep(random.random() * 0.02)
            key = random.choice(self.mine)
            kind = random.choices(["delete", "set", "tag", "clear"], [50, 30, 19, 1])[0]
            self.origin.versions[key] += 1
            concerned = {"tag": range(key % GROUPS, KEYS, GROUPS), "clear": range(KEYS)}.get(kind, [key])
            known = {one: self.origin.versions[one] for one in concerned}
            while not await self._invalidated(kind, key):
                self.counts["changes again"] += 1
                await asyncio.sleep(0.02)
            self.counts[kind] += 1
            for one, version in known.items():
                self.own[one] = max(self.own[one], version)

    async def _invalidated(self, kind, key):
        with suppress(BackendUnavailableError):
            if kind == "delete":
                await self.cache.delete_async(f"key{key}")
            elif kind == "tag":
                await self.cache.invalidate_tags_async(f"group{key % GROUPS}")
            elif kind == "clear":
                await self.cache.clear_async()
            elif not await self.cache.set_async(f"key{key}", self._now(key), tags=_tags(key)):
                await self.cache.delete_async(f"key{key}")
            return True
        return False


def _tags(key):
    return [f"group{key % GROUPS}"]


def main(file, url, *numbers):
    seconds, processes, number, slack = map(float, numbers)
    backend = backend_of(url)
    if slack:
        backend = TieredCacheBackend(LocalMemCacheBackend(), backend, max_staleness=MAX_STALENESS)
    soak = Soak(CacheService(default=backend), Origin(file, int(processes)), int(number), int(processes), slack)
    asyncio.run(soak.run(seconds))
    soak.counts.update(backend.stats())
    print(json.dumps({"counts": soak.counts, "wrong": soak.wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
