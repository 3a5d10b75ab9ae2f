"""PyLibMCCacheBackend keeps the contract: over TCP, over a unix socket, on three servers."""

from functools import partial

import pytest

from asynccache.backends.pylib_cache import PyLibMCCacheBackend
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

# The machine that runs the tests is busy; what a deadline does is shown in test_threaded_memcached_faults.py.
PATIENT = 5.0


class TestOverTcp(BackendContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        return partial(PyLibMCCacheBackend, servers=memcached_server.url, deadline=PATIENT)


class TestOverUnixSocket(ValueContract, CounterContract):
    @pytest.fixture
    def backend_factory(self, memcached_unix):
        return partial(PyLibMCCacheBackend, servers=memcached_unix.path, deadline=PATIENT)


class TestOnThreeServers(ManyContract, CounterContract, KindContract, TagContract, ClearContract, LockContract):
    @pytest.fixture
    def backend_factory(self, memcached_servers):
        servers = [server.address for server in memcached_servers]
        return partial(PyLibMCCacheBackend, servers=servers, deadline=PATIENT)


class TestBinaryProtocol(ValueContract, CounterContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        servers = memcached_server.url
        return partial(PyLibMCCacheBackend, servers=servers, deadline=PATIENT, options={"binary": True})
