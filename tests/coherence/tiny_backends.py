"""Backends whose questions take their time and may go unanswered: one over the tiny store, one over nothing but a dict.

What was sent is carried out even where nobody waits for the answer any more; of one node it is carried out in the order
in which it was sent, as on one connection.
"""

import asyncio

from asynccache.backends.base import StoreBackend
from asynccache.backends.fenced import FencedBackend
from asynccache.core.fence import cells_of
from asynccache.errors import BackendUnavailableError
from asynccache.model import Capability
from tests.coherence.tiny_store import now

LONGEST = 60


class Asking:
    """A way to a store.

    Args:
        luck: how long things take, and what goes wrong.
        faults: how often a question is not answered, from 0 to 1.
    """

    def __init__(self, luck, faults=0.0):
        super().__init__(clock=now)
        self._luck = luck
        self._faults = faults
        self._last = None

    async def _asked(self, question, *words, expires=False):
        """Send a question; it is carried out after the one before, and answered a little later, or not at all.

        One that `expires` is not carried out once the caller was told that it had failed.
        """
        loop = asyncio.get_running_loop()
        answer, done = loop.create_future(), loop.create_future()
        before, self._last = self._last, done

        def carry_out(_=None):
            if before is not None and not before.done():
                before.add_done_callback(carry_out)
                return
            if not (expires and answer.done() and not answer.cancelled()):
                result = question(*words)
                self._later(lambda: answer.done() or answer.set_result(result))
            done.set_result(None)

        self._later(carry_out)
        if self._luck.random() < self._faults:
            self._later(lambda: answer.done() or answer.set_exception(BackendUnavailableError("no answer")))
        return await answer

    def _later(self, function):
        """Call this after a few turns of the loop, now and then after many."""
        loop = asyncio.get_running_loop()
        turns = min(LONGEST, int(1.5 / (1 - self._luck.random())))

        def turn():
            nonlocal turns
            turns -= 1
            if turns < 0:
                function()
            else:
                loop.call_soon(turn)

        loop.call_soon(turn)


class TinyBackend(Asking, FencedBackend):
    """A node's way to the tiny store."""

    capabilities = frozenset(Capability)
    expires_entries = True

    def __init__(self, store, luck, faults=0.0):
        super().__init__(luck, faults)
        self.store = store

    async def _fetch(self, io, key):
        return await self._asked(self.store.look, key)

    async def _store(self, io, key, raw, ttl):
        return await self._asked(self.store.store, key, raw, expires=True)

    async def _drop(self, io, key):
        return await self._asked(self.store.drop, key)

    async def _claim_many(self, io, wants, lease):
        return [await self._asked(self.store.claim, want, lease) for want in wants]

    async def _land_many(self, io, landings):
        return [await self._asked(self.store.land, landing) for landing in landings]

    async def _hold(self, io, ticket, lease):
        return await self._asked(self.store.renew, ticket, lease)

    async def _release(self, io, ticket):
        return await self._asked(self.store.release, ticket)

    async def _void(self, io, namespace, tags):
        await self._asked(self.store.void, cells_of(tags))

    async def _empty(self, io, namespace):
        await self._asked(self.store.empty)

    async def _attend(self, io, key, seconds):
        waiter = asyncio.get_running_loop().create_future()
        self.store.waiters.setdefault(key, []).append(waiter)
        if await self._asked(self.store.is_held, key):
            await asyncio.wait([waiter], timeout=seconds)


class DictBackend(Asking, StoreBackend):
    """A dict, which grants no rights: what keeps it right is within the process."""

    capabilities = frozenset({Capability.KEEPS_ENTRIES})

    def __init__(self, luck, faults=0.0):
        super().__init__(luck, faults)
        self.entries = {}

    async def _fetch(self, io, key):
        return await self._asked(self.entries.get, key)

    async def _store(self, io, key, raw, ttl):
        return await self._asked(self._put, key, raw)

    async def _drop(self, io, key):
        return await self._asked(self.entries.pop, key, None) is not None

    def _put(self, key, raw):
        self.entries[key] = raw
        return True
