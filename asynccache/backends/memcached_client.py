"""The connections of one loop to its memcached servers: bounded, lent one at a time, dropped after any exception."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asynccache.backends.memcached_link import Link
from asynccache.backends.memcached_order import Replies
from asynccache.backends.memcached_rewriting import PATIENCE, RIVALS, STRIPES
from asynccache.backends.outage import OutageGuard
from asynccache.errors import BackendUnavailableError
from asynccache.wire.faults import BusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping

    from asynccache.backends.servers import Server

SHARE = 50
"""Keys of a many-operation that one connection takes; more go over several at once."""


@dataclass(frozen=True, slots=True)
class Pool:
    """How many connections a loop may have to each server, and what asyncio's `create_connection` is given."""

    size: int
    options: Mapping[str, Any]


class Links:
    """The connections of one loop to one server.

    An operation waits for its turn first; the guard's deadline begins when it has a connection of its own. So a crowd
    at a server that answers is served in order, and behind a server that does not, all fail as soon as the first did.
    """

    def __init__(self, server: Server, guard: OutageGuard, pool: Pool) -> None:
        self._server = server
        self._guard = guard
        self._options = pool.options
        self._places = asyncio.Semaphore(pool.size)
        self._idle: list[Link] = []
        self._epoch = 0

    async def ask(self, command: str, *args: Any) -> Any:
        """Run one command; `BackendUnavailableError` where the server does not do its part in time."""
        await self._turn(command)
        try:
            return await self._run(command, *args)
        finally:
            self._places.release()

    async def ask_each(self, command: str, calls: Mapping[bytes, tuple[Any, ...]], answers: dict[bytes, Any]) -> None:
        """Run a command for each key, and note the answers; the first that fails ends it."""
        await self._turn(command)
        try:
            for key, args in calls.items():
                answers[key] = await self._run(command, key, *args)
        finally:
            self._places.release()

    def drop(self) -> None:
        """Drop the idle connections now, and those in use when they come back."""
        self._epoch += 1
        while self._idle:
            self._idle.pop().drop()

    async def _run(self, command: str, *args: Any) -> Any:
        async with self._guard.attempt_in_time(command):
            link = self._kept() or await Link.open(self._server, self._options, self._epoch)
            try:
                answer = await link.run(command, *args)
            except BaseException:
                link.drop()
                raise
            self._keep(link)
            return answer

    async def _turn(self, command: str) -> None:
        """Wait for a place among those who have a connection; whoever called gives it back."""
        if not self._places.locked():
            await self._places.acquire()  # which does not suspend
            return
        seconds = PATIENCE * self._guard.deadline
        try:
            async with asyncio.timeout(seconds):
                await self._places.acquire()
        except TimeoutError:
            with self._guard.attempt(command):
                raise BusyError(f"no connection became free within {seconds:g} s") from None

    def _kept(self) -> Link | None:
        while self._idle:
            link = self._idle.pop()
            if link.fit():
                return link
            link.drop()
        return None

    def _keep(self, link: Link) -> None:
        if link.epoch == self._epoch and link.fit():
            self._idle.append(link)
        else:
            link.drop()


class MemcachedClient:
    """The links of one loop to all servers."""

    def __init__(self, servers: Iterable[tuple[Server, OutageGuard]], pool: Pool) -> None:
        self._links = {server.name: Links(server, guard, pool) for server, guard in servers}
        self._rewriting = [asyncio.Semaphore(RIVALS) for _ in range(STRIPES)]

    async def ask(self, place: str, command: str, *args: Any) -> Any:
        """Run a command at a server."""
        return await self._links[place].ask(command, *args)

    async def ask_each(self, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        """Run a command for each key, with arguments of its own, at all servers at once."""
        replies = Replies({place: {} for place in calls})

        async def share(place: str, some: list[bytes]) -> None:
            own = {key: calls[place][key] for key in some}
            await self._links[place].ask_each(command, own, replies.by_place[place])

        return await _gathered(replies, calls, share)

    async def ask_many(self, command: str, keys: Mapping[str, Collection[bytes]]) -> Replies:
        """Get what is at all keys, from all servers at once."""
        replies = Replies({place: {} for place in keys})

        async def share(place: str, some: list[bytes]) -> None:
            replies.by_place[place].update(await self._links[place].ask(command, some))

        return await _gathered(replies, keys, share)

    def rewriting(self, key: str) -> asyncio.Semaphore:
        """Give what to hold while an entry is changed by `gets` and `cas`, so that a crowd is no quarrel."""
        return self._rewriting[hash(key) % len(self._rewriting)]

    def drop(self) -> None:
        """Drop all connections; new ones are made when needed."""
        for links in self._links.values():
            links.drop()

    async def aclose(self) -> None:
        """Drop all connections, and let the loop close their sockets."""
        self.drop()
        await asyncio.sleep(0)


async def _gathered(
    replies: Replies,
    keys: Mapping[str, Collection[bytes]],
    share: Callable[[str, list[bytes]], Coroutine[Any, Any, None]],
) -> Replies:
    """Ask for shares of the keys at once; a server that fails once has not answered."""
    shares = [
        (place, some[start : start + SHARE])
        for place, some in ((place, list(keys[place])) for place in keys)
        for start in range(0, len(some), SHARE)
    ]
    outcomes = await asyncio.gather(*[share(place, some) for place, some in shares], return_exceptions=True)
    for (place, _), outcome in zip(shares, outcomes, strict=True):
        if isinstance(outcome, BackendUnavailableError):
            replies.failures[place] = outcome
        elif outcome is not None:
            raise outcome
    return replies
