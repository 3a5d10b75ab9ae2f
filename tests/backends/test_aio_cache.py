"""AioMemCacheBackend keeps the contract; what it has of MemcachedCacheBackend is tested there."""

import subprocess
import sys

import pytest

from asynccache import ConfigurationError
from asynccache.backends.aio_cache import AioMemCacheBackend
from tests.backends import memcached_contract
from tests.backends.memcached_connections import come_and_go, leave_nothing_behind
from tests.backends.memcached_names import NAMES, REFUSED


@pytest.fixture
def make():
    return AioMemCacheBackend


class TestOverTcp(memcached_contract.OverTcp):
    pass


@pytest.mark.parametrize(
    ("options", "names"),
    [*NAMES, ({"host": "::1"}, ["[::1]:11211"])],
)
def test_servers_are_named_in_many_ways(options, names):
    assert [server.name for server in AioMemCacheBackend(**options).servers] == names


@pytest.mark.parametrize(
    ("options", "message"),
    [
        *REFUSED,
        ({"servers": "memcached://user:hidden@cache"}, "knows no passwords"),
        ({"pool_size": 0}, "pool_size"),
        ({"pool_size": True}, "pool_size"),
        ({"pool_size": 1.5}, "pool_size"),
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


async def test_no_connection_outlives_close_or_the_loop(fresh_memcached, make):
    await come_and_go(make, fresh_memcached, connections=11)


async def test_opening_and_closing_leaves_nothing_behind(memcached_server, unique_prefix, make):
    await leave_nothing_behind(make, memcached_server, unique_prefix)
