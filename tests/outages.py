"""What a backend over a server has to survive, with the bounds that are promised; each takes a backend of its own."""

import asyncio
import time
from collections.abc import Coroutine
from itertools import chain
from typing import Any

import pytest

from asynccache.core.events import BackendDown, BackendUp, Event
from asynccache.errors import BackendUnavailableError
from asynccache.model import BaseCacheBackend
from tests.conftest import LONG
from tests.load import crowding, healthy, under_load
from tests.servers import FaultProxy, Server
from tests.storms import expect_as_before, expect_bounds, seconds_until_hit, work_on_a_lying_wire

DEADLINE = 0.15
CROWD = 2_000 if LONG else 500
NETWORK_FAULTS: list[dict[str, Any]] = [
    {"latency": 0.25},
    {"garbage_p": 0.5},
    {"reset_p": 0.1},
    {"half_close_p": 0.1},
    {"truncate_p": 0.1},
    {"drop_p": 0.02},
    {"slice": 1},
]


async def survive_a_kill(cache: BaseCacheBackend, server: Server) -> None:
    """Kill the server for four seconds under load."""
    before = await healthy(cache)
    assert await seconds_until_hit(cache) <= 1
    events: list[Event] = []
    cache.listeners.append(events.append)
    await asyncio.to_thread(server.kill)
    report = await under_load(cache, 4)
    expect_bounds(report, DEADLINE + 0.05)
    expect_as_before(report, before)
    await asyncio.to_thread(server.restart)
    assert await seconds_until_hit(cache) <= 1
    report = await under_load(cache, 1)
    expect_bounds(report, DEADLINE + 0.05)
    assert len(report.hits) > 0.5 * len(report.seconds) / crowding()
    told = [type(event) for event in events]
    assert told[:2] == [BackendDown, BackendUp]
    assert len(told) == 2 or crowding() > 1  # a crowded machine is late now and then
    await cache.aclose()


async def survive_a_frost(cache: BaseCacheBackend, server: Server) -> None:
    """Stop the server's process for two seconds under load, and let it go on."""
    await healthy(cache)
    server.freeze()
    expect_bounds(await under_load(cache, 2), 2 * DEADLINE + 0.05)
    server.thaw()
    assert await seconds_until_hit(cache) <= 1
    assert (await under_load(cache, 0.5)).faultless()
    await cache.aclose()


async def survive_the_network(cache: BaseCacheBackend, proxy: FaultProxy, fault: dict[str, Any]) -> None:
    """Let the network go wrong for a second under load."""
    await healthy(cache)
    proxy.set(**fault)
    expect_bounds(await under_load(cache, 1), 2 * DEADLINE + 0.05)
    proxy.heal()
    assert await seconds_until_hit(cache) <= 1
    report = await under_load(cache, 0.5)
    assert report.faultless()
    assert report.hits
    await cache.aclose()


async def survive_crowds(cache: BaseCacheBackend) -> None:
    """Cancel crowds after up to 20 ticks; all connections are free afterwards."""
    await cache.set_async("k", "v")
    for ticks in range(20):
        crowd = [asyncio.create_task(cache.get_async("k")) for _ in range(CROWD)]
        for _ in range(ticks):
            await asyncio.sleep(0)
        for task in crowd:
            task.cancel()
        await asyncio.wait(crowd)
    assert await asyncio.gather(*[cache.get_async("k") for _ in range(6)]) == ["v"] * 6


async def take_turns(cache: BaseCacheBackend) -> None:
    """Ask two thousand times at once for `k`, which has to be there."""
    values = await asyncio.gather(*[cache.get_async("k") for _ in range(2_000)])
    assert values == ["v"] * 2_000
    assert cache.stats()["errors"] == 0


async def count_from_everywhere(cache: BaseCacheBackend, each: int) -> None:
    """Count so often at once in this loop, and in three of other threads: every number comes once."""
    await cache.set_async("n", 0, 60)

    async def count() -> list[int]:
        return await asyncio.gather(*[cache.incr_async("n") for _ in range(each)])

    numbers = await asyncio.gather(count(), *[asyncio.to_thread(asyncio.run, count()) for _ in range(3)])
    assert sorted(chain(*numbers)) == list(range(1, 4 * each + 1))


async def survive_strays(cache: BaseCacheBackend, proxy: FaultProxy, stray: bytes) -> None:
    """Get replies that nobody asked for, and lose others: nobody gets another's."""
    wrong: list[str] = []
    proxy.set(prepend_p=0.05, drop_p=0.02, prepend=stray)
    await asyncio.gather(*[work_on_a_lying_wire(cache, f"worker {number}", wrong) for number in range(20)])
    assert wrong == []
    proxy.heal()
    assert await seconds_until_hit(cache) <= 0.5
    await asyncio.gather(*[work_on_a_lying_wire(cache, f"worker {number}", wrong) for number in range(10)])
    assert wrong == []
    await cache.aclose()


async def replace_connections(cache: BaseCacheBackend, proxy: FaultProxy, pause: float = 0.05) -> None:
    """Have connections closed; take a cache that raises."""
    for close in (proxy.half_close, proxy.reset_all):
        await cache.set_async("k", 1)
        close()
        await asyncio.sleep(pause)
        assert await cache.get_async("k") == 1
    await cache.aclose()


async def lose_invalidations(cache: BaseCacheBackend, server: Server) -> list[BaseException]:
    """Kill the server: whatever has to be done raises. Give the errors."""
    await cache.set_async("k", 1)
    await asyncio.to_thread(server.kill)
    errors: list[BaseException] = []
    for operation in (
        cache.delete_async("k"),
        cache.delete_many_async(["k", "l"]),
        cache.incr_async("k"),
        cache.decr_async("k"),
        cache.add_async("k", 1),
        cache.touch_async("k"),
    ):
        with pytest.raises(BackendUnavailableError, match=server.address) as raised:
            await operation
        errors.append(raised.value)
    for blocking in (cache.delete, cache.incr, cache.touch):
        with pytest.raises(BackendUnavailableError):
            blocking("k")
    return errors


async def follow_on_error(lenient: BaseCacheBackend, strict: BaseCacheBackend, server: Server) -> None:
    """Kill the server: reads and `set` are misses and no success, or raise."""
    await asyncio.to_thread(server.kill)
    assert await lenient.get_async("k", default="a miss") == "a miss"
    assert await lenient.get_many_async(["k"]) == {}
    assert await lenient.has_key_async("k") is False
    assert await lenient.set_async("k", 1) is False
    assert await lenient.set_many_async({"k": 1, "l": 2}) == ["k", "l"]
    for operation in (
        strict.get_async("k"),
        strict.get_many_async(["k"]),
        strict.has_key_async("k"),
        strict.set_async("k", 1),
        strict.set_many_async({"k": 1}),
    ):
        with pytest.raises(BackendUnavailableError):
            await operation


def keep_the_deadline_in_blocking_calls(cache: BaseCacheBackend, proxy: FaultProxy, fault: dict[str, Any]) -> None:
    """Let the network go wrong; take a cache with `DEADLINE`."""
    cache.set("a", 1)
    proxy.set(**fault)
    began = time.monotonic()
    for _ in range(10):
        cache.get("a")
    assert time.monotonic() - began < 3 * DEADLINE + 1
    proxy.heal()
    while time.monotonic() < began + 5 and not cache.set("a", 1):
        time.sleep(0.01)
    assert cache.get("a") == 1
    cache.close()


async def bring_into(state: str, cache: BaseCacheBackend, server: Server) -> None:
    """Open connections to a server that is then alive, frozen or killed."""
    await cache.set_async("k", 1)
    await asyncio.to_thread(cache.get, "k")
    if state == "frozen":
        server.freeze()
    elif state == "killed":
        await asyncio.to_thread(server.kill)


async def close_meanwhile(cache: BaseCacheBackend, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Close while this is under way, within a second; give its task, which may not be done."""
    under_way = asyncio.create_task(work)
    await asyncio.sleep(0.01)
    began = time.monotonic()
    await cache.aclose()
    await asyncio.to_thread(cache.close)
    assert time.monotonic() - began <= 1
    return under_way


async def close_and_leave(cache: BaseCacheBackend, work: Coroutine[Any, Any, Any]) -> None:
    """Close while this is under way, within a second, and give it up."""
    under_way = await close_meanwhile(cache, work)
    under_way.cancel()
    await asyncio.wait([under_way])
