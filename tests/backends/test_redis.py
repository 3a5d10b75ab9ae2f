"""Redis by the contract: one server, over TCP, a unix socket and TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from asynccache.backends.redis import RedisCacheBackend
from asynccache.testing import BackendContract

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers import Redis

PATIENT = 2.0
"""A deadline for a loaded machine, where the deadline is not what is tested."""


class TestRedis(BackendContract):
    @pytest.fixture
    def backend_factory(self, redis_server: Redis) -> Callable[..., RedisCacheBackend]:
        def make(**options: Any) -> RedisCacheBackend:
            return RedisCacheBackend(redis_server.url, deadline=PATIENT, **options)

        return make
