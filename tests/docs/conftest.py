"""What the tests of docs/migrating share."""

import pytest

from asynccache import CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def ours(clock):
    with CacheService(default=LocalMemCacheBackend(clock=clock)) as service:
        yield service


@pytest.fixture
def calls():
    return []
