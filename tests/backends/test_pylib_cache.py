"""PyLibMCCacheBackend keeps the contract: over TCP, over a unix socket, on three servers."""

from functools import partial

import pytest

from asynccache.backends.pylib_cache import PyLibMCCacheBackend
from asynccache.testing.contract import CounterContract, ValueContract
from tests.backends import memcached_contract


@pytest.fixture
def make():
    return PyLibMCCacheBackend


class TestOverTcp(memcached_contract.OverTcp):
    pass


class TestOverUnixSocket(memcached_contract.OverUnixSocket):
    pass


class TestOnThreeServers(memcached_contract.OnThreeServers):
    pass


class TestBinaryProtocol(ValueContract, CounterContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        servers, deadline = memcached_server.url, memcached_contract.PATIENT
        return partial(PyLibMCCacheBackend, servers=servers, deadline=deadline, options={"binary": True})
