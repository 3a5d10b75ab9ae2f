"""Callers, changes and cancellations on the real service, in whatever order a seed says, and what must hold.

The origin has a version of each key, which only grows. Whoever changes it invalidates afterwards; what a call returns
that began after that has returned must be no older.
"""

import asyncio
from contextlib import suppress
from functools import partial

from asynccache import CachePolicy, CacheService, current_load
from asynccache.core.claims import LEASE_SECONDS
from asynccache.errors import BackendUnavailableError
from asynccache.loading.load import Load
from tests.coherence.world import Violation

KEYS = ("a", "b")
TRIES = 50
CHANGES = ("delete", "set", "tag", "clear")
SPREADS = (10, 25, 50, 100)
"""Turns of the loop within which all begins."""
PACES = (4, 12, 24, 40)
"""Turns that each half of a factory takes."""
POLICIES = (
    None,
    CachePolicy(lock=False),
    CachePolicy(condition=lambda version: version % 2 == 0),
    CachePolicy(ttl=1.0, refresh_ahead=0.5, stale_while_revalidate=1.0, stale_if_error=2.0),
)


class OriginError(Exception):
    """The origin fails now and then."""


class Play:
    """One schedule.

    Args:
        luck: what happens when.
        backends: one for each node.
        changes: the kinds of invalidation that these backends have.
        alone: whether a key is loaded by one at a time, as with `lock` where no change revokes the right to.
        crowded: whether all want the same key, and its loads take long.
    """

    def __init__(self, luck, backends, *, changes=CHANGES, alone=False, crowded=False):
        self.luck = luck
        self.nodes = [CacheService(default=backend) for backend in backends]
        self.changes = changes
        self.alone = alone
        self.keys = KEYS[: 1 if crowded else luck.choice((1, 2))]
        self.spread = SPREADS[-1] if crowded else luck.choice(SPREADS)
        self.pace = PACES[-1] if crowded else luck.choice(PACES)
        self.origin = dict.fromkeys(KEYS, 0)
        self.demanded = dict.fromkeys(KEYS, 0)
        self.changing = {key: asyncio.Lock() for key in KEYS}
        self.loading = []

    async def run(self, readers, changers):
        """Let them all go, and look at what is left."""
        reading = [asyncio.create_task(self._read()) for _ in range(readers)]
        changing = [asyncio.create_task(self._change()) for _ in range(changers)]
        leaving = [asyncio.create_task(self._leave(task)) for task in reading if self.luck.random() < 0.25]
        done = await asyncio.gather(*reading, *changing, *leaving, return_exceptions=True)
        for error in done:
            if isinstance(error, Exception) and not isinstance(error, OriginError):
                raise error
        await self._check_what_is_left()

    async def _read(self):
        await self._turns(self.spread)
        node, key = self.luck.choice(self.nodes), self.luck.choice(self.keys)
        needed = dict(self.demanded)
        for found, version in (await self._found(node, key)).items():
            if version is not None and version < needed[found]:
                raise Violation(f"{found} is at version {version}, and {needed[found]} was demanded before the call")

    async def _found(self, node, key):
        """Read in one way or another; give versions by key."""
        policy = None if self.alone else self.luck.choice(POLICIES)
        is_told = self.luck.random() < 0.5
        tags = _tags(key) if is_told else ()
        way = self.luck.random()
        if way < 0.1:
            return {key: await node.get_async(key)}
        if way < 0.25:
            keys = self.luck.sample(self.keys, len(self.keys))
            return await node.get_or_set_many_async(keys, self._load_many, policy=policy, tags=_tags(*keys))
        factory = partial(self._load, key, is_told=is_told)
        if way < 0.35 and not self.alone:
            load = Load(node.get_backend(), key, factory, None, policy, None, tuple(tags))
            return {key: await node.loader.renew_async(load)}
        return {key: await node.get_or_set_async(key, factory, policy=policy, tags=tags)}

    async def _load(self, key, *, is_told):
        found = await self._load_many([key])
        if not is_told:
            current_load().tags = _tags(key)
        return found[key]

    async def _load_many(self, keys):
        if self.alone and set(keys) & set(self.loading):
            raise Violation(f"one of {keys} is loaded twice at a time")
        self.loading += keys
        try:
            await self._turns(self.pace)
            if self.luck.random() < 0.1:
                raise OriginError
            found = {key: self.origin[key] for key in keys}
            await self._turns(self.pace)
            return found
        finally:
            for key in keys:
                self.loading.remove(key)

    async def _change(self):
        await self._turns(self.spread)
        node, kind = self.luck.choice(self.nodes), self.luck.choice(self.changes)
        keys = self.keys if kind == "clear" else (self.luck.choice(self.keys),)
        for key in keys:
            await self.changing[key].acquire()
        try:
            for key in keys:
                self.origin[key] += 1
            await self._turns(3)
            await self._invalidate(node, kind, keys[0])
            for key in keys:
                self.demanded[key] = self.origin[key]
        finally:
            for key in keys:
                self.changing[key].release()

    async def _invalidate(self, node, kind, key):
        """Invalidate until the store has answered."""
        for _ in range(TRIES):
            with suppress(BackendUnavailableError):
                if kind == "tag":
                    return await node.invalidate_tags_async(*_tags(key))
                if kind == "clear":
                    return await node.clear_async()
                if kind == "delete" or not await node.set_async(key, self.origin[key], tags=_tags(key)):
                    return await node.delete_async(key)
                return None
        raise Violation("the store never answers")

    async def _leave(self, task):
        await self._turns(2 * self.spread)
        task.cancel()

    async def _check_what_is_left(self):
        await asyncio.sleep(2 * LEASE_SECONDS)  # a right of somebody who has left may hold up another that long
        for node in self.nodes:
            if len(node.flights) or node.loader.runner.running:
                raise Violation("a flight is left")
        left = asyncio.all_tasks() - {asyncio.current_task()}
        if left:
            raise Violation(f"tasks are left: {left}")
        for key in self.keys:
            for node in self.nodes:
                version = await node.get_async(key)
                if version is not None and version < self.demanded[key]:
                    raise Violation(f"{key} stays at version {version}, and {self.demanded[key]} was demanded")

    async def _turns(self, most):
        for _ in range(int(self.luck.random() * most)):
            await asyncio.sleep(0)


def _tags(*keys):
    return [f"tag of {key}" for key in keys]
