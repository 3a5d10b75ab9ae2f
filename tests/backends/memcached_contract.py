"""The contract over memcached: over TCP, over a unix socket, on three servers; each test class has a fixture `make`."""

from functools import partial

import pytest

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

PATIENT = 5.0
"""A deadline for a loaded machine; what a deadline does is shown where servers fail."""


class OverTcp(BackendContract):
    @pytest.fixture
    def backend_factory(self, memcached_server, make):
        return partial(make, servers=memcached_server.url, deadline=PATIENT)


class OverUnixSocket(ValueContract, CounterContract):
    @pytest.fixture
    def backend_factory(self, memcached_unix, make):
        return partial(make, servers=memcached_unix.path, deadline=PATIENT)


class OnThreeServers(ManyContract, CounterContract, KindContract, TagContract, ClearContract, LockContract):
    @pytest.fixture
    def backend_factory(self, memcached_servers, make):
        servers = [server.address for server in memcached_servers]
        return partial(make, servers=servers, deadline=PATIENT)
