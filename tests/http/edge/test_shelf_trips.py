"""How often a store is asked, and by whom: on Redis command by command, and under trio."""

from contextlib import asynccontextmanager

import pytest
import redis.asyncio
import trio

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from tests.http.edge.shelves import INVALIDATIONS, A, B, Node


@asynccontextmanager
async def watched(server, prefix):
    """Tell what a server is asked about these keys."""
    async with redis.asyncio.Redis.from_url(server.url) as raw, raw.monitor() as monitor:

        async def until(mark):
            told = []
            while mark not in (told := [*told, await monitor.next_command()])[-1]["command"]:
                pass
            return told

        async def asked(doing):
            await raw.echo(f"{prefix} begins")
            await until(f"{prefix} begins")
            await doing
            await raw.echo(f"{prefix} ends")
            told = [one["command"] for one in await until(f"{prefix} ends") if one["client_type"] != "lua"]
            return [command.split()[0] for command in told if f"{prefix}:1:" in command]

        yield asked


async def test_what_is_known_to_vary_is_found_by_one_question(redis_server, unique_prefix):
    node = Node(RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=5))
    async with node.service, watched(redis_server, unique_prefix) as asked:
        await node.find()
        assert await asked(node.find()) == ["MGET"]
        assert await asked(node.store()) == ["MGET", "EVALSHA", "EVALSHA"]
        assert await asked(node.find()) == ["MGET"]
        for value in "12":
            assert await asked(node.store(A, x_a=value)) == ["MGET", "EVALSHA", "EVALSHA", "EVALSHA"]
            assert await asked(node.find(x_a=value)) == ["MGET"]
        await node.store(B, x_b="1")
        assert await asked(node.find(x_b="1")) == ["MGET"]


async def test_another_process_asks_twice_until_it_knows(redis_server, unique_prefix):
    node, other = (Node(RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=5)) for _ in range(2))
    async with node.service, other.service, watched(redis_server, unique_prefix) as asked:
        await node.store(A, x_a="1")
        await other.service.get_async("k")
        assert await asked(other.find(x_a="1")) == ["MGET", "MGET"]
        assert await asked(other.find(x_a="1")) == ["MGET"]


@pytest.mark.parametrize("invalidate", INVALIDATIONS.values(), ids=INVALIDATIONS)
def test_local_memory_serves_trio_too(invalidate):
    async def main():
        node = Node(LocalMemCacheBackend())
        async with node.service:
            assert (await node.store(A, b"1", tags=["red"], x_a="1", more={"groups": ("g",)})).is_stored
            assert (await node.store(B, b"2", tags=["red"], x_b="2", more={"groups": ("g",)})).is_stored
            assert [await node.find(x_a="1"), await node.find(x_b="2")] == [b"1", b"2"]
            loads = [await node.begin(**{name: "3"}) for name in ("x_a", "x_b")]
            await invalidate(node.service)
            for load, names in zip(loads, (A, B), strict=True):
                kept = await node.end(load, names, b"late", tags=["red"], groups=("g",))
                assert kept is None or not kept.is_stored
            assert [await node.find(x_a=number, x_b=number) for number in "123"] == [None] * 3

    trio.run(main)
