"""Batches, single loads, deletions and cancellations in any order: nobody gets what was deleted before the call."""

import asyncio
import random

import pytest

from asynccache import CacheService

KEYS = [f"key{number}" for number in range(6)]


class Origin:
    """Numbers that grow; one that was deleted from all caches is not to be seen again."""

    def __init__(self, luck):
        self.luck = luck
        self.numbers = dict.fromkeys(KEYS, 0)
        self.deleted = dict.fromkeys(KEYS, 0)
        self.outdated = []

    async def pause(self):
        for _ in range(self.luck.randrange(4)):
            await asyncio.sleep(self.luck.choice([0, 0, 0.0005]))

    async def load(self, keys):
        await self.pause()
        found = {key: self.numbers[key] for key in keys if self.luck.random() < 0.95}
        await self.pause()
        if self.luck.random() < 0.05:
            raise OSError("down")
        return found

    async def change(self, cache):
        keys = self.luck.sample(KEYS, self.luck.choice([1, 1, 3]))
        for key in keys:
            self.numbers[key] += 1
        changed = {key: self.numbers[key] for key in keys}
        await cache.delete_many_async(keys)
        for key, number in changed.items():
            self.deleted[key] = max(self.deleted[key], number)

    async def read_many(self, cache):
        keys = self.luck.sample(KEYS, self.luck.randrange(1, len(KEYS)))
        known = dict(self.deleted)
        found = await cache.get_or_set_many_async(keys, self.load)
        assert list(found) == [key for key in keys if key in found]
        self.outdated += [key for key, number in found.items() if number < known[key]]

    async def read_one(self, cache):
        key = self.luck.choice(KEYS)
        known = self.deleted[key]

        async def load():
            return (await self.load([key]))[key]

        if await cache.get_or_set_async(key, load) < known:
            self.outdated.append(key)


async def run(services, seed):
    luck = random.Random(seed)
    origin, tasks = Origin(luck), []
    for _ in range(250):
        do = luck.choice([origin.read_many, origin.read_many, origin.read_one, origin.change])
        tasks.append(asyncio.create_task(do(luck.choice(services))))
        await origin.pause()
        if luck.random() < 0.1:
            luck.choice(tasks[-6:]).cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    unexpected = [one for one in ended if not isinstance(one, asyncio.CancelledError | OSError | KeyError | None)]
    assert (origin.outdated, unexpected) == ([], [])
    await asyncio.sleep(0.01)
    for service in services:
        assert (service.flights.under_way, service.loader.runner.running) == ({}, 0)


@pytest.mark.parametrize("seed", range(6))
async def test_in_one_process(seed):
    async with CacheService(default="local") as cache:
        await run([cache], seed)


@pytest.mark.parametrize("seed", range(4))
async def test_in_two_processes_on_redis(redis_server, unique_prefix, seed):
    url = f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5"
    async with CacheService(default=url) as cache, CacheService(default=url) as other:
        await run([cache, other], seed)
