"""Google App Engine's memcache, through the bundled services of its standard environment."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Any

from asynccache.backends.memcached_entries import Answers, MemcachedBackend
from asynccache.backends.memcached_rewriting import JITTER, PATIENCE
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asynccache.backends.memcached_rewriting import Change
    from asynccache.core.codec import Frame
    from asynccache.plan.io import IO

SERVICE = "App Engine's memcache"


class AppEngineCacheBackend(MemcachedBackend):
    """Keeps entries in App Engine's memcache; needs the extra `appengine`, and an app with `app_engine_apis: true`.

    Lifetimes are whole seconds, rounded up. A value that has more than 1,000,000 bytes with its key is not stored:
    `set` is False. Entries belong to the namespace that `google.appengine.api.namespace_manager` has set, if any. Calls
    begin in the caller's thread and wait for the SDK's own, on a loop without blocking it.

    Args:
        deadline: seconds for one call, after which the service counts as not answering.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `MissingDependencyError` without appengine-python-standard.
    """

    def __init__(self, *, deadline: float = 0.15, **base: Any) -> None:
        from asynccache.backends import gae_client

        super().__init__(**base)
        self.deadline = checked_deadline(deadline)
        self._run = gae_client.run
        self._batch = gae_client.BATCH
        self._guard = OutageGuard(self, SERVICE, self.deadline, gae_client.FOREIGN, self._counts)

    async def _ask(self, io: IO, command: str, wire: bytes, *args: Any) -> Any:
        if args:
            args = ({wire: args[0]}, *args[1:])
        return (await self._asked(io, command, [wire], args)).get(wire)

    async def _ask_each(self, io: IO, command: str, calls: Mapping[bytes, tuple[Any, ...]]) -> Answers:
        return await self._asked_in_batches(io, command, list(calls.items()))

    async def _ask_many(self, io: IO, wires: list[bytes]) -> Answers:
        return await self._asked_in_batches(io, "get", [(wire, ()) for wire in wires])

    async def _rewritten(self, io: IO, key: str, change: Change) -> Frame | None:
        give_up_at = time.monotonic() + PATIENCE * self.deadline
        while time.monotonic() < give_up_at:
            done, frame = await self._rewritten_once(io, key, change)
            if done:
                return frame
            await io.twin(time.sleep, asyncio.sleep, random.uniform(0, JITTER))
        raise self._contended(key)

    async def _asked(self, io: IO, command: str, wires: list[bytes], args: tuple[Any, ...]) -> dict[bytes, Any]:
        with self._guard.attempt(command) as due:
            return await self._run(io, command, wires, args, due)

    async def _asked_in_batches(self, io: IO, command: str, calls: list[tuple[bytes, tuple[Any, ...]]]) -> Answers:
        """Ask for several keys at once, whose arguments but the bytes are all the same."""
        answers = Answers()
        try:
            for start in range(0, len(calls), self._batch):
                some = dict(calls[start : start + self._batch])
                first = next(iter(some.values()))
                args = ({wire: raw for wire, (raw, *_) in some.items()}, *first[1:]) if first else ()
                answers.by_key.update(await self._asked(io, command, list(some), args))
        except BackendUnavailableError as failure:
            answers.failure = failure
        return answers
