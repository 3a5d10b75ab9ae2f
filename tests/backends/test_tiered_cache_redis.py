"""Tiers before a real Redis: what goes over the wire, what other nodes change, and pages."""

import asyncio
import subprocess
import sys
import textwrap
import time
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import redis.asyncio
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asynccache import Cache, CacheModule, CacheService, install
from asynccache.backends import tiered_watch
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.core.entry import Kind
from asynccache.http.snapshot import Snapshot
from tests.backends.test_tiered_cache_near import CHANGES, NOW, eventually

PATIENT = 5.0


def tiers(url, prefix, **options):
    """Make tiers that owe what they serve to the log and not to the clock."""
    store = RedisCacheBackend(url, key_prefix=prefix, **{"deadline": PATIENT, **options})
    return TieredCacheBackend(LocalMemCacheBackend(), store, max_staleness=PATIENT)


async def held(node, key, value):
    """Read until it is held nearby."""
    async with asyncio.timeout(5):
        while node.peek(key, None, Kind.VALUE) != value:
            await node.get_async(key)
            await asyncio.sleep(0.002)


@pytest.fixture
async def nodes(redis_server, unique_prefix):
    made = [tiers(redis_server.url, unique_prefix) for _ in range(2)]
    yield made
    for node in made:
        await node.aclose()


@asynccontextmanager
async def monitored(server, prefix):
    """Note the commands that name entries."""
    seen = []
    async with redis.asyncio.Redis.from_url(server.url) as raw, raw.monitor() as monitor:

        async def listen():
            while True:
                seen.append((await monitor.next_command())["command"])

        task = asyncio.create_task(listen())
        await raw.ping()
        yield lambda: [command for command in seen if f"{prefix}:1:k" in command]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_hit_asks_nothing_of_the_server(nodes, redis_server, unique_prefix):
    mine, other = nodes
    await other.set_async("k", "v")
    await held(mine, "k", "v")
    async with monitored(redis_server, unique_prefix) as commands, CacheService(default=mine) as cache:
        for _ in range(50):
            assert await mine.get_async("k") == mine.get("k") == "v"
            assert await cache.get_or_set_async("k", lambda: "loaded") == "v"
        await other.get_async("k2")
        async with asyncio.timeout(5):
            while not commands():
                await asyncio.sleep(0.01)
        assert [command for command in commands() if "1:k2" not in command] == []


@pytest.mark.parametrize("change", CHANGES)
async def test_what_another_node_changes_is_heard_of(nodes, change):
    mine, other = nodes
    await mine.set_async("k", "old", tags=["t"])
    await held(mine, "k", "old")
    await CHANGES[change](other)
    await eventually(lambda: mine.get_async("k"), NOW.get(change), 1.0)
    assert mine.stats()["flushes"] == 0


@pytest.mark.parametrize("change", CHANGES)
async def test_what_this_node_changes_is_changed_at_once(nodes, change):
    mine, _ = nodes
    await mine.set_async("k", "old", tags=["t"])
    await held(mine, "k", "old")
    for _ in range(3):
        await CHANGES[change](mine)
        assert await mine.get_async("k") == NOW.get(change)
        await mine.set_async("k", "old", tags=["t"])
        assert mine.peek("k", None, Kind.VALUE) == "old"


async def test_a_log_that_was_lost_empties_the_near_tier(nodes, redis_server, unique_prefix):
    mine, _ = nodes
    await mine.set_async("k", "old")
    await held(mine, "k", "old")
    async with redis.asyncio.Redis.from_url(redis_server.url) as raw:
        await raw.delete(f"{unique_prefix}:1:k", f"~{unique_prefix}:1:g", f"~{unique_prefix}:1:n")
    await eventually(lambda: mine.get_async("k"), None, 1.0)
    assert mine.stats()["flushes"] >= 1


async def test_of_more_versions_than_are_listened_to_nothing_outdated_is_served(nodes, monkeypatch):
    mine, other = nodes
    monkeypatch.setattr(tiered_watch, "MOST", 2)
    for version in (1, 2, 3, 1, 3, 4):
        await other.set_async("k", f"of {version}", version=version)
        async with asyncio.timeout(5):
            while mine.peek("k", version, Kind.VALUE) != f"of {version}":
                await mine.get_async("k", version=version)
                await asyncio.sleep(0.002)
        assert len(mine._watch._stops) <= 2
        assert len(mine._near._parts) <= 2
    for version in (1, 2, 3, 4):
        await other.delete_async("k", version=version)
        await eventually(lambda version=version: mine.get_async("k", version=version), None, 1.0)


async def test_pages_are_replayed_from_the_near_tier(redis_server, unique_prefix):
    calls = []

    @Cache(ttl=60)
    async def page(request):
        calls.append(1)
        return PlainTextResponse("body")

    backends = [tiers(redis_server.url, unique_prefix) for _ in range(2)]
    apps = [Starlette(routes=[Route("/page", page)]) for _ in backends]
    clients = []
    for app, backend in zip(apps, backends, strict=True):
        install(app, CacheModule.setup(default=backend))
        clients.append(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop"))
    for _ in range(3):
        for client in clients:
            assert (await client.get("/page")).text == "body"
            await asyncio.sleep(0.05)
    assert len(calls) == 1
    held_pages = [backend.peek("GET http://shop/page", None, Kind.PAGE) for backend in backends]
    assert [type(page) for page in held_pages] == [Snapshot, Snapshot]
    async with monitored(redis_server, unique_prefix) as commands:
        for client in clients:
            answer = await client.get("/page")
            assert "hit" in answer.headers["cache-status"]
        assert commands() == []
    await backends[0].delete_async("GET http://shop/page")
    assert "hit" not in (await clients[0].get("/page")).headers["cache-status"]
    for client, backend in zip(clients, backends, strict=True):
        await client.aclose()
        await backend.aclose()


STOPPED = """
    import sys, time
    from asynccache.backends.local_cache import LocalMemCacheBackend
    from asynccache.backends.redis import RedisCacheBackend
    from asynccache.backends.tiered_cache import TieredCacheBackend
    from asynccache.core.entry import Kind

    redis = RedisCacheBackend(sys.argv[1], key_prefix=sys.argv[2], deadline=5)
    node = TieredCacheBackend(LocalMemCacheBackend(), redis)
    while node.peek("k", None, Kind.VALUE) is None:
        node.get("k")
        time.sleep(0.01)
    print("held", flush=True)
    sys.stdin.readline()
    print(node.peek("k", None, Kind.VALUE), node.get("k"), flush=True)
    node.close()
"""


async def test_a_process_that_was_stopped_finds_itself_out_of_date_before_it_serves(nodes, redis_server, unique_prefix):
    mine, _ = nodes
    await mine.set_async("k", "old")
    program = [sys.executable, "-c", textwrap.dedent(STOPPED), redis_server.url, unique_prefix]
    root = Path(__file__).parents[2]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as process:
        assert await asyncio.to_thread(process.stdout.readline) == "held\n"
        process.send_signal(19)
        await mine.set_async("k", "new")
        time.sleep(1.1)
        process.stdin.write("go\n")
        process.stdin.flush()
        process.send_signal(18)
        peeked, got = (await asyncio.to_thread(process.stdout.readline)).split()
    assert peeked in {"None", "new"}
    assert got == "new"


@pytest.fixture
async def nodes_of_a_cluster(redis_cluster, unique_prefix):
    made = [tiers(redis_cluster.url, unique_prefix) for _ in range(2)]
    yield made
    for node in made:
        await node.aclose()


async def test_changes_in_all_parts_of_a_cluster_are_heard_of(nodes_of_a_cluster):
    mine, other = nodes_of_a_cluster
    keys = [f"k{number}" for number in range(60)]
    changes = {
        "delete": lambda node: node.delete_many_async(keys[:30]),
        "tag": lambda node: node.invalidate_tags_async("t"),
        "clear": lambda node: node.clear_async(),
    }
    left = {"delete": keys[30:], "tag": keys[1::2], "clear": []}
    for change, do in changes.items():
        for number, key in enumerate(keys):
            await mine.set_async(key, "old", tags=["t"] if number % 2 == 0 else ["u"])
            await held(mine, key, "old")
        assert len(await other.get_many_async(keys)) == 60
        await do(other)
        await eventually(lambda change=change: mine.get_many_async(keys), dict.fromkeys(left[change], "old"), 1.0)
        await do(mine)
        assert await mine.get_many_async(keys) == dict.fromkeys(left[change], "old")
    assert mine.stats()["flushes"] == other.stats()["flushes"] == 0
