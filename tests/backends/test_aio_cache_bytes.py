"""What is in memcached and is not ours, not whole, or too much, hurts nobody who has AioMemCacheBackend."""

from functools import partial

import pytest

from asynccache.backends.aio_cache import AioMemCacheBackend
from tests.backends import memcached_bytes


@pytest.fixture
def one_line():
    return partial(AioMemCacheBackend, pool_size=1)


class TestHostileBytes(memcached_bytes.HostileBytes):
    pass
