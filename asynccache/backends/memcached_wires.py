"""The ways of one loop to its memcached servers: one connection to each, which all callers share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from asynccache.backends.memcached_notebook import GONE
from asynccache.backends.memcached_order import Replies
from asynccache.backends.memcached_rewriting import RIVALS, STRIPES
from asynccache.backends.outage import RefusedError
from asynccache.errors import BackendUnavailableError
from asynccache.wire.lane import Lane
from asynccache.wire.memcached_replies import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence

    from asynccache.backends.outage import OutageGuard
    from asynccache.wire.memcached import MemcachedWire
    from asynccache.wire.memcached_words import Call

_SHARE = 100
"""Keys of a many-operation that one question is about."""
_SHARE_BYTES = 256 * 1024
_UNDER_WAY = 4
"""Questions of one many-operation that are under way at each server, so that ten thousand keys take little memory."""
_VERBS = {"store": "set", "insert": "add"}
_NOTHING = (None, 0)


class Way:
    """The way to one server."""

    def __init__(self, connect: Callable[[], Coroutine[Any, Any, MemcachedWire]], guard: OutageGuard) -> None:
        self.guard = guard
        self.lane = Lane(connect, guard.deadline)

    @property
    def open_wire(self) -> MemcachedWire | None:
        """The connection, if it is open and has room, and the server is known to be up."""
        breaker = self.guard.breaker
        return None if breaker.failures or breaker.opened_at is not None else self.lane.open_wire

    def drop(self) -> None:
        """Close the connection; who waits for replies gets an error."""
        self.lane.abort(ConnectionAbortedError, "the connection was given up")

    async def get(self, command: str, keys: Sequence[bytes]) -> dict[bytes, Any]:
        """Run `get_many` or `gets_many`."""
        ids = command == "gets_many"
        found = zip(keys, await self.items(keys, ids=ids), strict=True)
        if ids:
            return {key: _NOTHING if seen is None else seen for key, seen in found}
        return {key: raw for key, raw in found if raw is not None}

    async def items(self, keys: Sequence[bytes], *, ids: bool = False) -> Sequence[Any]:
        """Get what is at each key, in their order."""
        with self.guard.attempt("get_many") as due:
            wire = self.lane.open_wire or await self.lane.wire(due.at)
            return await wire.get(keys, due.at, ids=ids)

    async def run(self, command: str, calls: Collection[Call]) -> dict[bytes, Any]:
        """Run a command with each of these keys."""
        with self.guard.attempt(command) as due:
            wire = self.lane.open_wire or await self.lane.wire(due.at)
            results = await wire.run(_VERBS.get(command, command), calls, due.at)
            answers = {key: result for (key, _), result in zip(calls, results, strict=True)}
            if any(type(result) is Refusal for result in results):
                answers |= await self._refused(command, answers, wire, due.at)
            return answers

    async def land(self, key: bytes, raw: bytes, token: int, until: int) -> bool | None:
        """Exchange what has this cas id.

        False where something else is there, None where the server cannot hold it: then neither is there any more.
        """
        with self.guard.attempt("land") as due:
            wire = self.lane.open_wire or await self.lane.wire(due.at)
            landed = await wire.land(key, raw, token, until, due.at)
            if type(landed) is not Refusal:
                return landed  # type: ignore[no-any-return]
            (ended,) = await wire.run("cas", [(key, (b"", token, GONE))], due.at)
            return None if ended else False

    async def _refused(self, command: str, answers: Mapping[bytes, Any], wire: MemcachedWire, due: float) -> Any:
        """Tell what became of what the server cannot hold: nothing is there then."""
        refused = {key: said for key, said in answers.items() if type(said) is Refusal}
        if command == "store":
            await wire.run("delete", [(key, ()) for key in refused], due)  # memcached did it; others may not
            return dict.fromkeys(refused, False)
        if command == "insert":
            return dict.fromkeys(refused)
        raise RefusedError(next(iter(refused.values())))


class MemcachedWires:
    """The ways of one loop to all servers, by name."""

    def __init__(self, ways: Mapping[str, Way]) -> None:
        self.ways = ways
        self._rewriting = [asyncio.Semaphore(RIVALS) for _ in range(STRIPES)]

    async def ask(self, place: str, command: str, *args: Any) -> Any:
        """Run a command at a server."""
        if command in {"get_many", "gets_many"}:
            return await self.ways[place].get(command, args[0])
        if command == "land":
            return await self.ways[place].land(*args)
        key, *own = args
        return (await self.ways[place].run(command, [(key, tuple(own))]))[key]

    async def ask_each(self, command: str, calls: Mapping[str, Mapping[bytes, tuple[Any, ...]]]) -> Replies:
        """Run a command for each key, with arguments of its own, at all servers at once."""
        shares = {place: list(_shares(own.items())) for place, own in calls.items()}
        return await self._gathered(shares, lambda place, part: self.ways[place].run(command, part))

    async def ask_many(self, command: str, keys: Mapping[str, Collection[bytes]]) -> Replies:
        """Get what is at all keys, from all servers at once."""
        shares = {place: list(_keys(list(own))) for place, own in keys.items()}
        return await self._gathered(shares, lambda place, part: self.ways[place].get(command, part))

    def rewriting(self, key: str) -> asyncio.Semaphore:
        """Give what to hold while an entry is changed by `gets` and `cas`, so that a crowd is no quarrel."""
        return self._rewriting[hash(key) % len(self._rewriting)]

    def drop(self) -> None:
        """Drop all connections; new ones are made when needed."""
        for way in self.ways.values():
            way.drop()

    async def aclose(self) -> None:
        """Drop all connections for good, and let the loop close their sockets."""
        for way in self.ways.values():
            await way.lane.aclose()

    async def _gathered(
        self,
        shares: Mapping[str, list[list[Any]]],
        ask: Callable[[str, list[Any]], Coroutine[Any, Any, dict[bytes, Any]]],
    ) -> Replies:
        """Ask for all shares, a few at a time; a server that fails once has not answered."""
        replies = Replies({place: {} for place in shares})

        async def work(place: str, parts: Iterator[list[Any]]) -> None:
            try:
                for part in parts:
                    replies.by_place[place].update(await ask(place, part))
            except BackendUnavailableError as failure:
                replies.failures[place] = failure

        works = []
        for place, parts in shares.items():
            left = iter(parts)
            works += [work(place, left) for _ in range(min(_UNDER_WAY, len(parts)))]
        if len(works) == 1:
            await works[0]
        else:
            await asyncio.gather(*works)
        return replies


def _keys(keys: list[bytes]) -> Iterable[list[bytes]]:
    return [keys[start : start + _SHARE] for start in range(0, len(keys), _SHARE)]


def _shares(calls: Iterable[Call]) -> Iterator[list[Call]]:
    """Cut calls into shares, of so many keys and so many bytes."""
    share: list[Call] = []
    size = 0
    for call in calls:
        own = len(call[1][0]) if call[1] else 0
        if share and (len(share) == _SHARE or size + own > _SHARE_BYTES):
            yield share
            share, size = [], 0
        share.append(call)
        size += own
    if share:
        yield share
