"""MemcachedCacheBackend keeps the contract: over TCP, over a unix socket, on three servers."""

import asyncio
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import pytest

from asynccache import CacheService, ConfigurationError
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.testing import BackendContract
from asynccache.testing.contract import (
    ClearContract,
    CounterContract,
    KindContract,
    LockContract,
    ManyContract,
    TagContract,
    ValueContract,
)
from tests.backends.wire import stat

# The machine that runs the tests is busy; what a deadline does is shown in test_memcached_faults.py.
PATIENT = 5.0


class TestOverTcp(BackendContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        return partial(MemcachedCacheBackend, servers=memcached_server.url, deadline=PATIENT)


class TestOverUnixSocket(ValueContract, CounterContract):
    @pytest.fixture
    def backend_factory(self, memcached_unix):
        return partial(MemcachedCacheBackend, servers=memcached_unix.path, deadline=PATIENT)


class TestOnThreeServers(ManyContract, CounterContract, KindContract, TagContract, ClearContract, LockContract):
    @pytest.fixture
    def backend_factory(self, memcached_servers):
        servers = [server.address for server in memcached_servers]
        return partial(MemcachedCacheBackend, servers=servers, deadline=PATIENT)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["localhost:11211"]),
        ({"host": "cache", "port": 1}, ["cache:1"]),
        ({"hosts": ["a", "b"]}, ["a:11211", "b:11211"]),
        ({"servers": "cache"}, ["cache:11211"]),
        ({"servers": "cache:1"}, ["cache:1"]),
        ({"servers": "memcached://a:1,b;c:3"}, ["a:1", "b:11211", "c:3"]),
        ({"servers": ["a:1", ("b", 2), "memcached://c:3"]}, ["a:1", "b:2", "c:3"]),
        ({"servers": "[::1]:1"}, ["[::1]:1"]),
        ({"servers": "fe80::1"}, ["[fe80::1]:11211"]),
        ({"servers": "/run/memcached.sock"}, ["/run/memcached.sock"]),
        ({"servers": "unix:/run/memcached.sock"}, ["/run/memcached.sock"]),
        ({"servers": ["unix:///a.sock", "b"]}, ["/a.sock", "b:11211"]),
        ({"servers": "memcacheds://user:hidden@a,b:1"}, ["a:11211", "b:1"]),
        ({"servers": "a,b,a:11211"}, ["a:11211", "b:11211"]),
    ],
)
def test_servers_are_named_in_many_ways(options, names):
    assert [server.name for server in MemcachedCacheBackend(**options).servers] == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"servers": "memcached://:hidden@cache"}, "user and password, or neither"),
        ({"servers": "memcached://a%20b:hidden@cache"}, "no blank"),
        ({"servers": "memcached://a%3Ab:hidden@cache"}, "no colon"),
        ({"servers": "memcached://user:hidden%0D%0Aflush_all@cache"}, "one line"),
        ({"servers": "memcached://cache?pool_size=4"}, "options as arguments"),
        ({"servers": "memcached://cache/0"}, "host and port"),
        ({"servers": "redis://cache"}, "scheme"),
        ({"servers": "cache:99999"}, "port|Port"),
        ({"servers": ""}, "empty"),
        ({"servers": []}, "empty"),
        ({"servers": "a", "hosts": "a"}, "one of them"),
        ({"deadline": 0}, "deadline"),
        ({"on_error": "ignore"}, "on_error"),
    ],
)
def test_option_that_cannot_work_is_an_error(options, message):
    with pytest.raises(ConfigurationError, match=message) as raised:
        MemcachedCacheBackend(**options)
    assert "hidden" not in str(raised.value)


def test_no_client_library_is_needed():
    code = """
import sys
for name in ("aiomcache", "anyio", "pylibmc", "pymemcache", "redis", "starlette"):
    sys.modules[name] = None
from asynccache.config import backend_of
print(backend_of("memcached://a,b").capabilities)
"""
    assert b"FENCES" in subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout


async def test_url_with_options_makes_one(memcached_server, unique_prefix):
    url = f"{memcached_server.url}?key_prefix={unique_prefix}&deadline=5&ttl=60"
    async with CacheService(default=url) as cache:
        assert await cache.set_async("k", {"a": 1}) is True
        assert await cache.get_async("k") == {"a": 1}
        assert isinstance(cache.get_backend(), MemcachedCacheBackend)
        assert cache.get_backend().default_ttl == 60


async def test_options_reach_the_connection(fresh_memcached):
    cache = MemcachedCacheBackend(servers=fresh_memcached.url, options={"local_addr": ("127.0.0.2", 0)})
    assert await cache.set_async("k", 1) is True
    await cache.aclose()


async def until_there_are(server, connections):
    """Wait until the server has seen who came and who went."""
    async with asyncio.timeout(PATIENT):
        while stat(server, "curr_connections") - 1 != connections:  # that of `stat`
            await asyncio.sleep(0.01)


async def test_no_connection_outlives_close_or_the_loop(fresh_memcached):
    await until_there_are(fresh_memcached, 0)
    cache = MemcachedCacheBackend(servers=fresh_memcached.url, deadline=PATIENT)

    async def visit() -> None:
        await asyncio.gather(*[cache.set_async(f"k{number}", 1) for number in range(20)])

    await visit()
    await asyncio.to_thread(cache.get, "k0")
    await until_there_are(fresh_memcached, 2)
    for _ in range(3):
        await asyncio.to_thread(asyncio.run, visit())
    await until_there_are(fresh_memcached, 2)
    await cache.aclose()
    await until_there_are(fresh_memcached, 0)


async def test_opening_and_closing_leaves_nothing_behind(memcached_server, unique_prefix):
    def belongings() -> tuple[int, int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), len(asyncio.all_tasks())

    async def open_and_close() -> None:
        cache = MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
        await cache.set_async("k", 1)
        cache.get("k")
        await cache.aclose()

    await open_and_close()
    before = belongings()
    for _ in range(200):
        await open_and_close()
    assert belongings() == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_that_goes_on_with_a_loop_leaves_the_connection_to_the_parent(memcached_server, unique_prefix):
    cache = MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)

    async def asked():
        assert await cache.set_async("key", "value")
        assert await cache.get_async("key") == "value"
        return cache._near[2]

    with asyncio.Runner() as runner:
        wire = runner.run(asked())
        if (child := os.fork()) == 0:
            os._exit(0 if runner.run(asked()) is not wire else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert runner.run(asked()) is wire


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_forked_children_have_connections_of_their_own(memcached_server, unique_prefix):
    cache = MemcachedCacheBackend(servers=memcached_server.url, key_prefix=unique_prefix, deadline=PATIENT)
    cache.set("n", 0)
    children = []
    for _ in range(3):
        if (child := os.fork()) == 0:
            fine = all(cache.incr("n") for _ in range(50)) and asyncio.run(cache.get_async("n")) >= 50
            os._exit(0 if fine else 1)
        children.append(child)
    assert all(cache.incr("n") for _ in range(50))
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    assert cache.get("n") == 200
    cache.close()
