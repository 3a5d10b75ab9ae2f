"""memcached by clients that block.

On a loop an operation runs in a worker thread, and that thread alone has the connection until the reply is read or the
deadline is over: a caller who is cancelled meanwhile goes away, and takes nothing along.
"""

from __future__ import annotations

import random
import threading
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from asynccache.backends.memcached_entries import checked_servers, checked_size
from asynccache.backends.memcached_fenced import FencedMemcachedBackend
from asynccache.backends.memcached_lines import Lines
from asynccache.backends.memcached_order import Replies
from asynccache.backends.memcached_rewriting import JITTER, PATIENCE, RIVALS, STRIPES, Change
from asynccache.backends.outage import OutageGuard, checked_deadline
from asynccache.backends.rendezvous import Rendezvous
from asynccache.errors import BackendUnavailableError
from asynccache.plan.forks import anew_in_child
from asynccache.plan.io import BLOCKING, run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Mapping

    from asynccache.backends.memcached_lines import Line
    from asynccache.backends.servers import Servers
    from asynccache.core.codec import Frame
    from asynccache.plan.io import IO


class ThreadedMemcachedBackend(FencedMemcachedBackend):
    """A memcached backend over a client that blocks: on a loop its calls run in worker threads.

    Args:
        servers: a URL (`memcached://a:11211,b`), `host:port`, a unix socket's path, an IPv6 address, or several of
            these, as a list or separated by commas or semicolons. Each key lives on one, found by rendezvous hashing.
        pool_size: how many connections there are to each server, at most.
        deadline: seconds for one command, after which the server counts as not answering.
        options: what the client itself can be told; see `docs/memcached.md`.
        base: those of `StoreBackend` and `BaseCacheBackend`.

    Raises `ConfigurationError` for what is no server and for options that the client does not know.
    """

    client_name: ClassVar[str]
    share: ClassVar[int] = 100
    """Keys of a many-operation that are read within one deadline."""

    def __init__(
        self,
        servers: Servers = "localhost",
        *,
        pool_size: int = 10,
        deadline: float = 0.15,
        options: Mapping[str, Any] | None = None,
        **base: Any,
    ) -> None:
        super().__init__(**base)
        self.deadline = checked_deadline(deadline)
        self.servers = checked_servers(servers, self.client_name)
        size = checked_size(pool_size)
        openers = self._openers(options or {})
        self._lines = {
            server.name: Lines(opener, OutageGuard(self, server.name, self.deadline, (), self._counts), size)
            for server, opener in zip(self.servers, openers, strict=True)
        }
        self._rendezvous = Rendezvous(list(self._lines))
        self.begin_anew()
        anew_in_child(self)

    @abstractmethod
    def _openers(self, options: Mapping[str, Any]) -> list[Callable[[], Line]]:
        """Give what makes a new connection, for each server."""

    def begin_anew(self) -> None:
        """Leave the parent's locks, in a forked child."""
        self._rewriting = [threading.Semaphore(RIVALS) for _ in range(STRIPES)]

    async def shut(self, io: IO) -> None:
        await io.offload(self._drop_lines)

    async def _at_once(self, io: IO, plan: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        return await io.offload(lambda: run(plan(BLOCKING, *args)))

    async def _ask(self, io: IO, place: str, command: str, *args: Any) -> Any:
        return await io.offload(self._lines[place].ask, command, *args)

    async def _ask_each(self, io: IO, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        return await io.offload(self._asked_each, command, calls)

    async def _ask_many(self, io: IO, command: str, wires: Mapping[str, Collection[bytes]]) -> Replies:
        return await io.offload(self._asked_many, command, wires)

    async def _rewritten(self, io: IO, key: str, change: Change) -> Frame | None:
        return await io.offload(self._rewritten_in_turn, key, change)

    async def _mixed_up(self, io: IO) -> None:
        await io.offload(self._drop_lines)

    # What blocks

    def _drop_lines(self) -> None:
        for lines in self._lines.values():
            lines.drop()

    def _asked_each(self, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        replies = Replies({place: {} for place in calls})
        for place, own in calls.items():
            try:
                for wire, args in own.items():
                    replies.by_place[place][wire] = self._lines[place].ask(command, wire, *args)
            except BackendUnavailableError as failure:
                replies.failures[place] = failure
        return replies

    def _asked_many(self, command: str, wires: Mapping[str, Collection[bytes]]) -> Replies:
        replies = Replies({place: {} for place in wires})
        for place, some in ((place, list(wires[place])) for place in wires):
            try:
                for start in range(0, len(some), self.share):
                    replies.by_place[place].update(self._lines[place].ask(command, some[start : start + self.share]))
            except BackendUnavailableError as failure:
                replies.failures[place] = failure
        return replies

    def _rewritten_in_turn(self, key: str, change: Change) -> Frame | None:
        give_up_at = time.monotonic() + PATIENCE * self.deadline
        turn = self._rewriting[hash(key) % STRIPES]
        if not turn.acquire(timeout=PATIENCE * self.deadline):
            raise self._contended(key)
        try:
            while time.monotonic() < give_up_at:
                done, frame = run(self._rewritten_once(BLOCKING, key, change))
                if done:
                    return frame
                time.sleep(random.uniform(0, JITTER))
        finally:
            turn.release()
        raise self._contended(key)
