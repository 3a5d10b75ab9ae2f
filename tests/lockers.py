"""A process that wants a lock; what it does with it is said by its arguments.

`python -m tests.lockers contend URL DESK TIMES FLAVOUR`: takes it so often, and works at a desk for one each time.
`python -m tests.lockers hold URL TTL`: takes it, says its number, and waits to be asked by lines on stdin.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from asynccache import CacheService, LockError

KEY, LONG = "lock", 60


class Desk:
    """A directory that one process at a time works in; who finds another there says so."""

    def __init__(self, path):
        self._path = Path(path)

    def begin(self, number):
        os.close(os.open(self._path / "taken", os.O_CREAT | os.O_EXCL))
        with (self._path / "numbers").open("a") as numbers:
            numbers.write(f"{number}\n")

    def end(self):
        (self._path / "taken").unlink()


def contend(cache, desk, times):
    for _ in range(times):
        with cache.lock(KEY, LONG) as lock:
            desk.begin(lock.number)
            time.sleep(0.0005)
            desk.end()


async def contend_async(cache, desk, times):
    async def work():
        async with cache.lock_async(KEY, LONG) as lock:
            desk.begin(lock.number)
            await asyncio.sleep(0.0005)
            desk.end()

    async with cache:
        await asyncio.gather(*(work() for _ in range(times)))


def hold(cache, ttl):
    try:
        with cache.lock(KEY, ttl) as lock:
            print(lock.number, flush=True)
            for _ in sys.stdin:
                print(lock.is_held, flush=True)
    except LockError:
        print("LockError", flush=True)


if __name__ == "__main__":
    what, url, *words = sys.argv[1:]
    with CacheService(default=url) as service:
        match what, words:
            case "contend", (desk, times, "sync"):
                contend(service, Desk(desk), int(times))
            case "contend", (desk, times, "async"):
                asyncio.run(contend_async(service, Desk(desk), int(times)))
            case "hold", (ttl,):
                hold(service, float(ttl))
