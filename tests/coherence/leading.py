"""One process that loads a key: it says so when it has begun, and what it got when it is over.

python -m tests.coherence.leading URL KEY SECONDS    (SECONDS: of the load)
"""

import asyncio
import sys

from asynccache import CacheService


async def lead(url, key, seconds):
    async def load():
        print("loading", flush=True)
        await asyncio.sleep(seconds)
        return "its own"

    async with CacheService(default=url) as cache:
        print(await cache.get_or_set_async(key, load))


if __name__ == "__main__":
    asyncio.run(lead(sys.argv[1], sys.argv[2], float(sys.argv[3])))
