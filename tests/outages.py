"""What a backend over a server has to survive, with the bounds that are promised; each takes a backend of its own."""

import asyncio
from typing import Any

from asynccache.core.events import BackendDown, BackendUp, Event
from asynccache.model import BaseCacheBackend
from tests.conftest import LONG
from tests.load import healthy, under_load
from tests.servers import FaultProxy, Server
from tests.storms import expect_bounds, seconds_until_hit

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
    events: list[Event] = []
    cache.listeners.append(events.append)
    before = await healthy(cache)
    await asyncio.to_thread(server.kill)
    report = await under_load(cache, 4)
    expect_bounds(report, DEADLINE + 0.05)
    assert report.p99 <= before.p99 + 0.02 + report.heart.lag
    await asyncio.to_thread(server.restart)
    assert await seconds_until_hit(cache) <= 1
    report = await under_load(cache, 1)
    expect_bounds(report, DEADLINE + 0.05)
    assert len(report.hits) > 0.5 * len(report.seconds)
    assert [type(event) for event in events] == [BackendDown, BackendUp]
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
