"""The connections of one loop to its memcached servers: bounded, lent one at a time, dropped after any exception."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asynccache.backends.memcached_entries import PATIENCE, RIVALS, STRIPES, Answers
from asynccache.backends.memcached_link import Link
from asynccache.backends.outage import BusyError, OutageGuard
from asynccache.backends.rendezvous import Rendezvous
from asynccache.errors import BackendUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

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
    """The links of one loop to all servers, of which each has its own keys."""

    def __init__(self, servers: Iterable[tuple[Server, OutageGuard]], pool: Pool) -> None:
        self._links = {server.name: Links(server, guard, pool) for server, guard in servers}
        self._rendezvous = Rendezvous(list(self._links))
        self._rewriting = [asyncio.Semaphore(RIVALS) for _ in range(STRIPES)]

    async def ask(self, command: str, key: bytes, *args: Any) -> Any:
        """Run a command at the server that has the key."""
        return await self._links[self._rendezvous.place(key)].ask(command, key, *args)

    async def ask_each(self, command: str, calls: Mapping[bytes, tuple[Any, ...]]) -> Answers:
        """Run a command for each key, with arguments of its own, at all servers at once."""
        answers = Answers()

        def share(links: Links, keys: list[bytes]) -> Coroutine[Any, Any, None]:
            return links.ask_each(command, {key: calls[key] for key in keys}, answers.by_key)

        return await self._shared(calls, share, answers)

    async def get_many(self, keys: Iterable[bytes]) -> Answers:
        """Get the values of all keys, `None` where there is none, from all servers at once."""
        answers = Answers()

        async def share(links: Links, some: list[bytes]) -> None:
            answers.by_key.update(zip(some, await links.ask("multi_get", *some), strict=True))

        return await self._shared(keys, share, answers)

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

    async def _shared(
        self, keys: Iterable[bytes], share: Callable[[Links, list[bytes]], Coroutine[Any, Any, None]], answers: Answers
    ) -> Answers:
        by_place: dict[str, list[bytes]] = {}
        for key in keys:
            by_place.setdefault(self._rendezvous.place(key), []).append(key)
        shares = [
            share(self._links[name], some[start : start + SHARE])
            for name, some in by_place.items()
            for start in range(0, len(some), SHARE)
        ]
        for outcome in await asyncio.gather(*shares, return_exceptions=True):
            if isinstance(outcome, BackendUnavailableError):
                answers.failure = outcome
            elif outcome is not None:
                raise outcome
        return answers
