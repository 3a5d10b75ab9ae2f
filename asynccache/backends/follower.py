"""Follows the log of a store: one reader for each namespace in this process, for all who hold copies or wait.

It runs on the portal's loop, whoever asks for it from wherever; it begins when somebody does, and ends a while after
the last one has left. In a forked child it begins anew.

    stop = follower.watch("shop:1:", told)           # told(Step) for each step; it must not wait
    with follower.waiting("shop:1:key", wake): ...   # wake() when the load of the key may be over
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from asynccache.backends.fenced import LOCKS
from asynccache.backends.followed import Batch, Hole
from asynccache.backends.outage import NotAskedError
from asynccache.core.fence import CLEAR, KEYS, WAKE
from asynccache.errors import BackendUnavailableError
from asynccache.plan.bell import Bell
from asynccache.plan.clients import LoopClients
from asynccache.plan.io import LOOP
from asynccache.plan.portal import portal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Iterator

    from asynccache.backends.followed import At, FollowedBackend
    from asynccache.plan.io import IO

logger = logging.getLogger(__name__)
_WAIT = 0.2
_PAUSE = 0.1
_LINGER = 5.0


class Step(NamedTuple):
    """What one look at the log of a part gave; it was begun at `asked`, in monotonic seconds.

    After a `Batch` with `is_all`, or a `Hole`, all that had happened by `asked` is known.
    """

    part: str
    outcome: Batch | Hole
    asked: float


class Follower:
    """Reads the logs of a backend's namespaces; to be used from any thread.

    Args:
        backend: whose `_follow` is asked, again and again.
    """

    def __init__(self, backend: FollowedBackend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._readers: dict[str, _Reader] = {}
        self._tasks = LoopClients(_Tasks, _Tasks.aclose)
        self._pid = os.getpid()

    def watch(self, namespace: str, told: Callable[[Step], None]) -> Callable[[], None]:
        """Have each step of each part of a namespace told, from the first on, which is a `Hole`; give what ends that.

        `told` is called on the portal's thread and must not wait; what it raises is logged.
        """
        reader = self._reader(namespace)
        with self._lock:
            reader.listeners = (*reader.listeners, told)
        self._begin(reader)
        return partial(self._leave, reader, told)

    def go_on(self) -> None:
        """Read for those who watch, if that has ended: in a forked child, and after `stop`."""
        for reader in list(self._readers.values()):
            if reader.listeners:
                self._begin(reader)

    @contextmanager
    def waiting(self, key: str, wake: Callable[[], object]) -> Iterator[bool]:
        """Have `wake` called, from any thread, when the load of a stored key may be over.

        True says that what happens from now on is heard of; False: only from the first `wake` on, which then says that.
        """
        reader = self._reader(self._backend.namespace_of(key))
        with self._lock:
            reader.waiters[key] = (*reader.waiters.get(key, ()), wake)
            follows = reader.is_running and self._backend._part_of(key) in reader.places  # noqa: SLF001  # its driver
        self._begin(reader)
        try:
            yield follows
        finally:
            with self._lock:
                reader.end_waiting(key, wake)

    async def wait(self, io: IO, key: str, seconds: float, left: Callable[[], Awaitable[float]]) -> None:
        """Wait until the right to load a stored key may have ended, at most so many seconds.

        `left` finds out how many seconds the right has left, 0 where it has ended; it is asked when all that happens
        afterwards will be heard of.
        """
        until = monotonic() + seconds
        bell = Bell(io)
        with self.waiting(key, bell.ring) as follows:
            if not follows:
                await bell.wait(seconds)
                bell.mend()
            seconds_left = await left()
            if seconds_left > 0:
                await bell.wait(min(seconds_left, until - monotonic()))

    def stop(self) -> None:
        """Read no more, until somebody asks for it."""
        if self._pid == os.getpid() and self._readers:
            portal.loop().call_soon_threadsafe(self._tasks.close)

    def _leave(self, reader: _Reader, told: Callable[[Step], None]) -> None:
        with self._lock:
            reader.listeners = tuple(other for other in reader.listeners if other is not told)

    def _reader(self, namespace: str) -> _Reader:
        if self._pid != os.getpid():  # the tasks are the parent's, and so are its waiters
            self._pid, self._lock = os.getpid(), threading.Lock()
            for reader in self._readers.values():
                reader.is_running, reader.waiters = False, {}
        with self._lock:
            return self._readers.setdefault(namespace, _Reader(namespace))

    def _begin(self, reader: _Reader) -> None:
        self._reader(reader.namespace)
        with self._lock:
            reader.needed_until = monotonic() + _LINGER
            if reader.is_running:
                return
            reader.is_running, reader.places = True, {}
        portal.loop().call_soon_threadsafe(self._start, reader)

    def _start(self, reader: _Reader) -> None:
        self._tasks.current().start(reader.namespace, self._read(reader))

    async def _read(self, reader: _Reader) -> None:
        try:
            while not self._has_ended(reader):  # which notes it, before somebody begins anew
                await self._step(reader)
        except BaseException:
            reader.is_running = False
            raise

    async def _step(self, reader: _Reader) -> None:
        asked = monotonic()
        parts = self._backend._parts(reader.namespace)  # noqa: SLF001  # its drivers
        places = {part: reader.places.get(part) for part in parts}
        try:
            found = await self._backend._follow(LOOP, places, _WAIT)  # noqa: SLF001
        except BackendUnavailableError as failure:
            if isinstance(failure, NotAskedError):
                self._send_away(reader)
            await asyncio.sleep(_PAUSE)
            return
        except Exception:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError from None  # whatever a loop that ends makes of it
            logger.exception("%s: its log could not be read", self._backend.name)
            await asyncio.sleep(_PAUSE)
            return
        for part, outcome in found.items():
            with self._lock:
                reader.places[part] = outcome.at
                woken = reader.woken_by(part, outcome, self._backend)
            reader.tell(Step(part, outcome, asked))
            for wake in woken:
                wake()

    def _send_away(self, reader: _Reader) -> None:
        """Wake who waits for a load while the store is known to be down: nobody waits for it then.

        Who wants a lock can do nothing without it, and goes on waiting.
        """
        if not reader.namespace.endswith(LOCKS):
            with self._lock:
                woken = [wake for wakes in reader.waiters.values() for wake in wakes]
            for wake in woken:
                wake()

    def _has_ended(self, reader: _Reader) -> bool:
        with self._lock:
            if reader.listeners or reader.waiters or monotonic() < reader.needed_until:
                return False
            reader.is_running = False
            return True


class _Reader:
    """What is known of the reading of one namespace."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.listeners: tuple[Callable[[Step], None], ...] = ()
        self.waiters: dict[str, tuple[Callable[[], object], ...]] = {}
        self.places: dict[str, At] = {}
        self.is_running = False
        self.needed_until = 0.0

    def end_waiting(self, key: str, wake: Callable[[], object]) -> None:
        """Forget one who waits."""
        others = tuple(other for other in self.waiters.get(key, ()) if other is not wake)
        if others:
            self.waiters[key] = others
        else:
            self.waiters.pop(key, None)

    def woken_by(self, part: str, outcome: Batch | Hole, backend: FollowedBackend) -> list[Callable[[], object]]:
        """Give those whose load may be over: all of the part, where something was lost or cleared."""
        if isinstance(outcome, Hole) or any(change.kind == CLEAR for change in outcome.changes):
            keys = {key for key in self.waiters if backend._part_of(key) == part}  # noqa: SLF001  # its driver
        else:
            keys = {str(key) for change in outcome.changes if change.kind in {KEYS, WAKE} for key in change.what}
        return [wake for key in keys for wake in self.waiters.get(key, ())]

    def tell(self, step: Step) -> None:
        """Tell all who watch."""
        for told in self.listeners:
            try:
                told(step)
            except Exception:
                logger.exception("what follows a log failed at %r", step.part)


class _Tasks:
    """The tasks that read, on one loop."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, namespace: str, reading: Coroutine[object, object, None]) -> None:
        """Begin to read a namespace."""
        self._tasks[namespace] = asyncio.create_task(reading, name=f"asynccache-follower-{namespace}")

    async def aclose(self) -> None:
        """End all tasks."""
        tasks = [task for task in self._tasks.values() if task.cancel()]
        if tasks:
            await asyncio.wait(tasks)
