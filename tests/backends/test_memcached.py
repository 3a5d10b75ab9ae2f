"""MemcachedCacheBackend keeps the contract: over TCP, over a unix socket, on three servers."""

import asyncio
import os
import subprocess
import sys

import pytest

from asynccache import CacheService, ConfigurationError
from asynccache.backends.memcached import MemcachedCacheBackend
from tests.backends import memcached_contract
from tests.backends.memcached_connections import come_and_go, count_in_forked_children, leave_nothing_behind
from tests.backends.memcached_contract import PATIENT
from tests.backends.memcached_names import NAMES, REFUSED


@pytest.fixture
def make():
    return MemcachedCacheBackend


class TestOverTcp(memcached_contract.OverTcp):
    pass


class TestOverUnixSocket(memcached_contract.OverUnixSocket):
    pass


class TestOnThreeServers(memcached_contract.OnThreeServers):
    pass


@pytest.mark.parametrize(
    ("options", "names"),
    [*NAMES, ({"servers": "memcacheds://user:hidden@a,b:1"}, ["a:11211", "b:1"])],
)
def test_servers_are_named_in_many_ways(options, names):
    assert [server.name for server in MemcachedCacheBackend(**options).servers] == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *REFUSED,
        ({"servers": "memcached://:hidden@cache"}, "user and password, or neither"),
        ({"servers": "memcached://a%20b:hidden@cache"}, "no blank"),
        ({"servers": "memcached://a%3Ab:hidden@cache"}, "no colon"),
        ({"servers": "memcached://user:hidden%0D%0Aflush_all@cache"}, "one line"),
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


async def test_no_connection_outlives_close_or_the_loop(fresh_memcached, make):
    await come_and_go(make, fresh_memcached, connections=2)


async def test_opening_and_closing_leaves_nothing_behind(memcached_server, unique_prefix, make):
    await leave_nothing_behind(make, memcached_server, unique_prefix)


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
    count_in_forked_children(cache)
