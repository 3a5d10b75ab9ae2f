"""PyLibMCCacheBackend: nobody gets another's data, and a server that is away or confused fails nobody."""

import pytest

from asynccache.backends.pylib_cache import PyLibMCCacheBackend
from tests.backends import threaded_memcached


@pytest.fixture
def make():
    return PyLibMCCacheBackend


class TestNobodyGetsAnothersData(threaded_memcached.NobodyGetsAnothersData):
    pass


class TestItKeepsWorking(threaded_memcached.ItKeepsWorking):
    pass


class TestConnections(threaded_memcached.Connections):
    pass


class TestHostileBytes(threaded_memcached.HostileBytes):
    pass


class TestNonsense(threaded_memcached.Nonsense):
    pass


class TestAnyKey(threaded_memcached.AnyKey):
    pass
