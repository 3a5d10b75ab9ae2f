"""PyLibMCCacheBackend: nobody gets another's data, and a server that is away or confused fails nobody."""

import pytest

from asynccache.backends.pylib_cache import PyLibMCCacheBackend
from tests.backends import (
    memcached_nonsense,
    threaded_memcached,
    threaded_memcached_bytes,
    threaded_memcached_connections,
)


@pytest.fixture
def make():
    return PyLibMCCacheBackend


class TestNobodyGetsAnothersData(threaded_memcached.NobodyGetsAnothersData):
    pass


class TestItKeepsWorking(threaded_memcached.ItKeepsWorking):
    pass


class TestConnections(threaded_memcached_connections.Connections):
    pass


class TestHostileBytes(threaded_memcached_bytes.HostileBytes):
    pass


class TestNonsense(memcached_nonsense.Nonsense):
    pass


class TestAnyKey(threaded_memcached_bytes.AnyKey):
    pass
