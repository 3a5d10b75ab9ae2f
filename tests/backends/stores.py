"""One of each kind of store, for what has to hold on all of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import cachelib
import pytest

from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.pylib_cache import PyLibMCCacheBackend
from asynccache.backends.pymem_cache import PyMemcacheCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.replit_cache import ReplitCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.model import BaseCacheBackend
from tests.backends.test_django_cache import LOCAL, alias

PATIENT = 10.0
"""A deadline for a loaded machine, where the deadline is not what is tested."""
THEIRS = "*?[ab]{x}%_"
"""The prefix that Django and cachelib put in front of our keys."""
Make = Callable[..., BaseCacheBackend]


def _served(
    fixture: str, make: Callable[..., BaseCacheBackend], where: str = "servers"
) -> Callable[[pytest.FixtureRequest], Make]:
    return lambda request: partial(make, **{where: request.getfixturevalue(fixture).url}, deadline=PATIENT)


def _pair(_: pytest.FixtureRequest) -> Make:
    entries: dict[str, bytes] = {}
    return partial(CallableCacheBackend, entries.get, entries.__setitem__, entries.__delitem__)


def _django(request: pytest.FixtureRequest) -> Make:
    stack = ExitStack()
    request.addfinalizer(stack.close)
    return stack.enter_context(alias(**LOCAL, KEY_PREFIX=THEIRS))


def _cachelib(request: pytest.FixtureRequest) -> Make:
    host, port = (server := request.getfixturevalue("redis_server")).host, server.port
    theirs = cachelib.RedisCache(host, port, key_prefix=THEIRS)
    request.addfinalizer(theirs._write_client.close)
    return partial(CallableCacheBackend, theirs.get, theirs.set, theirs.delete)


def _chain(request: pytest.FixtureRequest) -> Make:
    url = request.getfixturevalue("redis_server").url

    def make(**options: Any) -> BaseCacheBackend:
        redis = RedisCacheBackend(url, deadline=PATIENT, **options)
        return FallbackCacheBackend([redis, LocalMemCacheBackend(**options)])

    return make


def _tiers(request: pytest.FixtureRequest) -> Make:
    url = request.getfixturevalue("redis_server").url

    def make(**options: Any) -> BaseCacheBackend:
        return TieredCacheBackend(LocalMemCacheBackend(), RedisCacheBackend(url, deadline=PATIENT, **options))

    return make


def _sqlite(request: pytest.FixtureRequest) -> Make:
    return partial(SQLCacheBackend, f"sqlite:///{request.getfixturevalue('tmp_path')}/cache.db", deadline=PATIENT)


STORES: dict[str, Callable[[pytest.FixtureRequest], Make]] = {
    "local": lambda _: LocalMemCacheBackend,
    "redis": _served("redis_server", RedisCacheBackend),
    "cluster": _served("redis_cluster", RedisCacheBackend),
    "sentinel": _served("redis_sentinels", RedisCacheBackend),
    "memcached": _served("memcached_server", MemcachedCacheBackend),
    "pymemcache": _served("memcached_server", PyMemcacheCacheBackend),
    "pylibmc": _served("memcached_server", PyLibMCCacheBackend),
    "sqlite": _sqlite,
    "postgresql": _served("postgresql_server", SQLCacheBackend, "url"),
    "mariadb": _served("mariadb_server", SQLCacheBackend, "url"),
    "replit": _served("replitdb_server", ReplitCacheBackend, "url"),
    "pair": _pair,
    "django": _django,
    "cachelib": _cachelib,
    "chain": _chain,
    "tiers": _tiers,
}
OF_BYTES = [name for name in STORES if name not in {"local", "chain", "tiers"}]
"""Those that store framed entries themselves."""


@contextmanager
def closed_after(make: Make) -> Iterator[Make]:
    """Give a function that makes backends, which are closed in the end."""
    made: list[BaseCacheBackend] = []

    def keep(**options: Any) -> BaseCacheBackend:
        made.append(make(**options))
        return made[-1]

    yield keep
    for backend in made:
        backend.close()
