"""AioMemCacheBackend keeps the contract: over TCP, over a unix socket, on three servers."""

from functools import partial

import pytest

from asynccache.backends.aio_cache import AioMemCacheBackend
from asynccache.testing import BackendContract

# The machine that runs the tests is busy; what a deadline does is shown in test_aio_cache_faults.py.
PATIENT = 5.0


class TestOverTcp(BackendContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        return partial(AioMemCacheBackend, servers=memcached_server.url, deadline=PATIENT)


class TestOverUnixSocket(BackendContract):
    @pytest.fixture
    def backend_factory(self, memcached_unix):
        return partial(AioMemCacheBackend, servers=memcached_unix.path, deadline=PATIENT)


class TestOnThreeServers(BackendContract):
    @pytest.fixture
    def backend_factory(self, memcached_servers):
        servers = [server.address for server in memcached_servers]
        return partial(AioMemCacheBackend, servers=servers, deadline=PATIENT)
