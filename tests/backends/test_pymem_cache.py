"""PyMemcacheCacheBackend keeps the contract: over TCP, over a unix socket, on three servers."""

import pytest

from asynccache.backends.pymem_cache import PyMemcacheCacheBackend
from tests.backends import memcached_contract


@pytest.fixture
def make():
    return PyMemcacheCacheBackend


class TestOverTcp(memcached_contract.OverTcp):
    pass


class TestOverUnixSocket(memcached_contract.OverUnixSocket):
    pass


class TestOnThreeServers(memcached_contract.OnThreeServers):
    pass
