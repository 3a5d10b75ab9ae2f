"""One process of a crowd: a thousand callers who want one key at once.

    python -m tests.coherence.crowding URL KEY CALLERS SECONDS    (SECONDS: of the load; tells what happened, as JSON)

It loads when it is told to: one line on its standard input.
"""

import asyncio
import json
import sys
import time

from asynccache import CacheService


async def crowd(url, key, callers, seconds):
    calls = []

    async def load():
        calls.append(1)
        await asyncio.sleep(seconds)
        return "loaded"

    async with CacheService(default=url) as cache:
        await cache.has_key_async("nothing")  # connections are open from now on
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        begun = time.monotonic()
        values = await asyncio.gather(*(cache.get_or_set_async(key, load) for _ in range(callers)))
        print(json.dumps({"loads": len(calls), "values": sorted(set(values)), "seconds": time.monotonic() - begun}))


if __name__ == "__main__":
    asyncio.run(crowd(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
