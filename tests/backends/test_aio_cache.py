"""AioMemCacheBackend keeps the contract; what it has of MemcachedCacheBackend is tested there."""

import asyncio
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from asynccache import ConfigurationError
from asynccache.backends.aio_cache import AioMemCacheBackend
from asynccache.testing import BackendContract
from tests.backends.wire import stat

# The machine that runs the tests is busy; what a deadline does is shown in test_aio_cache_faults.py.
PATIENT = 5.0


class TestOverTcp(BackendContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        return partial(AioMemCacheBackend, servers=memcached_server.url, deadline=PATIENT)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["localhost:11211"]),
        ({"host": "cache", "port": 1}, ["cache:1"]),
        ({"host": "::1"}, ["[::1]:11211"]),
        ({"servers": "cache"}, ["cache:11211"]),
        ({"servers": "cache:1"}, ["cache:1"]),
        ({"servers": "memcached://a:1,b;c:3"}, ["a:1", "b:11211", "c:3"]),
        ({"servers": ["a:1", ("b", 2), "memcached://c:3"]}, ["a:1", "b:2", "c:3"]),
        ({"servers": "[::1]:1"}, ["[::1]:1"]),
        ({"servers": "fe80::1"}, ["[fe80::1]:11211"]),
        ({"servers": "/run/memcached.sock"}, ["/run/memcached.sock"]),
        ({"servers": "unix:/run/memcached.sock"}, ["/run/memcached.sock"]),
        ({"servers": ["unix:///a.sock", "b"]}, ["/a.sock", "b:11211"]),
        ({"hosts": ["a", "b"]}, ["a:11211", "b:11211"]),
        ({"servers": "a,b,a:11211"}, ["a:11211", "b:11211"]),
    ],
)
def test_servers_are_named_in_many_ways(options, names):
    assert [server.name for server in AioMemCacheBackend(**options).servers] == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"servers": "memcached://user:hidden@cache"}, "knows no passwords"),
        ({"servers": "memcached://cache?pool_size=4"}, "options as arguments"),
        ({"servers": "memcached://cache/0"}, "host and port"),
        ({"servers": "redis://cache"}, "scheme"),
        ({"servers": "cache:99999"}, "port|Port"),
        ({"servers": ""}, "empty"),
        ({"servers": []}, "empty"),
        ({"servers": "a", "hosts": "a"}, "one of them"),
        ({"pool_size": 0}, "pool_size"),
        ({"pool_size": True}, "pool_size"),
        ({"pool_size": 1.5}, "pool_size"),
        ({"deadline": 0}, "deadline"),
        ({"on_error": "ignore"}, "on_error"),
    ],
)
def test_option_that_cannot_work_is_an_error(options, message):
    with pytest.raises(ConfigurationError, match=message) as raised:
        AioMemCacheBackend(**options)
    assert "hidden" not in str(raised.value)


def test_missing_client_is_named_where_the_backend_is_made():
    code = """
import sys
sys.modules["aiomcache"] = None
from asynccache import MissingDependencyError
from asynccache.backends.aio_cache import AioMemCacheBackend
try:
    AioMemCacheBackend()
except MissingDependencyError as error:
    print(error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode()
    assert "AioMemCacheBackend" in printed
    assert "pip install 'asynccache[memcached]'" in printed


async def test_options_reach_the_connection(fresh_memcached):
    cache = AioMemCacheBackend(servers=fresh_memcached.url, options={"local_addr": ("127.0.0.2", 0)})
    assert await cache.set_async("k", 1) is True
    await cache.aclose()


async def until_there_are(server, connections):
    """Wait until the server has seen who came and who went."""
    async with asyncio.timeout(PATIENT):
        while stat(server, "curr_connections") - 1 != connections:  # that of `stat`
            await asyncio.sleep(0.01)


async def test_no_connection_outlives_close_or_the_loop(fresh_memcached):
    await until_there_are(fresh_memcached, 0)
    cache = AioMemCacheBackend(servers=fresh_memcached.url, deadline=PATIENT)

    async def visit() -> None:
        await asyncio.gather(*[cache.set_async(f"k{number}", 1) for number in range(20)])

    await visit()
    await asyncio.to_thread(cache.get, "k0")
    await until_there_are(fresh_memcached, 11)
    for _ in range(3):
        await asyncio.to_thread(asyncio.run, visit())
    await until_there_are(fresh_memcached, 11)
    await cache.aclose()
    await until_there_are(fresh_memcached, 0)


async def test_opening_and_closing_leaves_nothing_behind(memcached_server, unique_prefix):
    def belongings() -> tuple[int, int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), len(asyncio.all_tasks())

    async def open_and_close() -> None:
        cache = AioMemCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        await cache.set_async("k", 1)
        cache.get("k")
        await cache.aclose()

    await open_and_close()
    before = belongings()
    for _ in range(200):
        await open_and_close()
    assert belongings() == before
