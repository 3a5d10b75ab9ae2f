"""Table "fences": what Redis itself takes for each step of its fences, by its own count (`INFO commandstats`)."""

# ruff: noqa: SLF001  # drivers are what is measured

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import redis

from asynccache.backends.granting import Granted, Landing, Want
from asynccache.backends.redis import RedisCacheBackend
from asynccache.core.claims import Ticket
from asynccache.core.entry import Kind
from asynccache.core.fence import cells_of
from asynccache.plan.io import BLOCKING as IO
from asynccache.plan.io import run as finish
from benchmarks.measuring import Row, Table
from tests.servers import Redis

COUNT = 500
ROUNDS = 5
LEASE = 60.0
TTL = 60.0
TAGS = ("product:7", "catalogue")
LOOK = "look: MGET of notebook and entry"
Step = Callable[[str], Awaitable[object]]


def run() -> Table:
    with Redis() as server, redis.Redis.from_url(server.url) as asked:
        cache = RedisCacheBackend(server.url, key_prefix="bench", deadline=10)
        steps = Steps(cache).all()
        rows = [Row(name) for name in steps]
        for turn in range(ROUNDS + 1):
            for row in rows:
                prepare, step = steps[row.name]
                keys = [cache.stored_key(f"{row.name} {turn} {number}") for number in range(COUNT)]
                finish(_each(prepare, keys))
                asked.config_resetstat()
                finish(_each(step, keys))
                if turn:
                    row.cpu.append(_seconds(asked.info("commandstats")))
        cache.close()
    wanted = {row.name: "<= 12 us" for row in rows if row.name != LOOK}
    return Table("Redis's own time for one step, values of 512 bytes", rows, wanted=wanted)


class Steps:
    """Each step, and what goes before it."""

    def __init__(self, cache: RedisCacheBackend) -> None:
        self._cache = cache
        self._tickets: dict[str, Ticket] = {}

    def all(self) -> dict[str, tuple[Step, Step]]:
        cache = self._cache
        return {
            LOOK: (self._store, lambda key: cache._fetch(IO, key)),
            "store": (_nothing, self._store),
            "store, two tags": (_nothing, lambda key: cache._store(IO, key, self._raw(key, TAGS), TTL)),
            "add": (_nothing, lambda key: cache._add(IO, key, self._raw(key), TTL)),
            "drop": (self._store, lambda key: cache._drop(IO, key)),
            "touch": (self._store, lambda key: cache._touch(IO, key, TTL)),
            "bump": (lambda key: cache._bump(IO, key, 1, TTL), lambda key: cache._bump(IO, key, 1, TTL)),
            "void, two tags": (_nothing, lambda _: cache._void(IO, cache.stored_key(""), TAGS)),
            "clear": (_nothing, lambda _: cache._empty(IO, cache.stored_key(""))),
            "open: found": (self._store, self._open),
            "open: granted": (_nothing, self._open),
            "open: taken": (self._open, self._open),
            "land": (self._open, self._land),
            "land, two tags": (self._open, lambda key: self._land(key, TAGS)),
            "land, waited for": (self._open_twice, self._land),
            "renew": (self._open, lambda key: cache._hold(IO, self._tickets[key], LEASE)),
            "quit": (self._open, lambda key: cache._release(IO, self._tickets[key])),
        }

    def _raw(self, key: str, tags: tuple[str, ...] = ()) -> bytes:
        return self._cache._encoded(key, b"x" * 512, TTL, Kind.VALUE, tags=tags)

    async def _store(self, key: str) -> object:
        return await self._cache._store(IO, key, self._raw(key), TTL)

    async def _open(self, key: str) -> object:
        (answer,) = await self._cache._claim_many(IO, [Want(key, b"token")], LEASE)
        if isinstance(answer, Granted):
            self._tickets[key] = Ticket(key, b"token", answer.born, answer.view)
        return answer

    async def _open_twice(self, key: str) -> object:
        await self._open(key)
        return await self._open(key)

    async def _land(self, key: str, tags: tuple[str, ...] = ()) -> object:
        landing = Landing(self._tickets[key], self._raw(key, tags), TTL, cells_of(tags))
        return await self._cache._land_many(IO, [landing])


async def _nothing(key: str) -> object:
    return key


async def _each(step: Step, keys: list[str]) -> None:
    for key in keys:
        await step(key)


def _seconds(stats: dict[str, Any]) -> float:
    """Give the time of one call of what was called most: commands within scripts are counted in these."""
    asked = stats.get("cmdstat_evalsha") or stats["cmdstat_mget"]
    return float(asked["usec_per_call"]) / 1e6
