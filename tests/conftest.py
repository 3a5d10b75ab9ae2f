"""Fixtures for all tests: real servers, and a prefix that keeps tests apart on them.

The servers of session scope are shared: a test on them keeps to its `unique_prefix` and leaves them running.
A test that kills, freezes or configures a server starts its own: `launch`, `fresh_redis`, `fresh_memcached`,
`fresh_postgresql`, `fresh_mariadb`, `fresh_replitdb`.
"""

import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Protocol, TypeVar
from uuid import uuid4

import pytest
from hypothesis import settings

from tests.canaries import WORDS
from tests.servers import (
    FaultProxy,
    MariaDB,
    Memcached,
    Missing,
    PostgreSQL,
    Redis,
    RedisCluster,
    RedisReplicaSet,
    RedisSentinels,
    ReplitDB,
    Running,
    Server,
    find,
    named_by_environment,
)

S = TypeVar("S", bound=Server | RedisReplicaSet | RedisCluster | RedisSentinels | FaultProxy)


class Launch(Protocol):
    """Start a server, and stop it after the test."""

    def __call__(self, server: S, /) -> S: ...


SERVER_PATIENCE = 15.0
"""Seconds after which shared servers fail over: never, since a busy machine is no reason."""
LONG = os.environ.get("ASYNCCACHE_LONG") == "1"
PROGRAMS = {  # what to fetch for fixtures that have this word in their names
    "redis-server": "redis",
    "memcached": "memcached",
    "postgres": "postgresql",
    "mariadbd": "mariadb",
    "nginx": "nginx",
    "curl": "curl",
    "chromium": "chromium",
}

pytest.register_assert_rewrite("tests.failovers", "tests.load", "tests.outages", "tests.storms")  # to tell figures
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True, database=None)
settings.register_profile("long", deadline=None, print_blob=True, max_examples=2_000)
settings.load_profile("long" if LONG else "ci")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Keep all that is collected, which stays, out of the garbage collector's sight: each look at it takes a second."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long runs unless ASYNCCACHE_LONG=1."""
    if LONG:
        return
    long = [item for item in items if item.get_closest_marker("long")]
    items[:] = [item for item in items if item not in long]
    config.hook.pytest_deselected(items=long)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Fetch what the tests will start: before them, since a download is slower than a test may be."""
    if session.config.option.collectonly:
        return
    fixtures = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    for program, word in PROGRAMS.items():
        if any(word in name for name in fixtures) and not named_by_environment(word):
            with suppress(Missing):  # whoever starts it will hear
                find(program)


class _Censor(logging.Handler):
    """Keeps what our loggers say of the secrets of tests."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        if any(word in line for word in WORDS):
            self.told.append(line)


@pytest.fixture(scope="session")
def _censor() -> Iterator[_Censor]:
    censor = _Censor()
    logging.getLogger("asynccache").addHandler(censor)
    yield censor
    logging.getLogger("asynccache").removeHandler(censor)


@pytest.fixture(autouse=True)
def _no_secret_in_the_log(_censor: _Censor) -> Iterator[None]:
    """Fail whatever test makes our loggers tell a password, a secret or a value of the tests."""
    yield
    told, _censor.told = _censor.told, []
    assert not told, told


@pytest.fixture
def unique_prefix() -> str:
    """Give a key prefix (or namespace) that no other test uses."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def launch() -> Iterator[Launch]:
    """Start a server of any making, and stop it after the test: `launch(Redis("--maxmemory", "2mb"))`."""
    with ExitStack() as started:

        def start(server: S) -> S:
            started.enter_context(server)
            return server

        yield start


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis | Running]:
    """Give the Redis that all tests share; `.url`, `.host`, `.port`, `.address`."""
    if running := named_by_environment("redis"):
        yield running
        return
    with Redis() as server:
        yield server


@pytest.fixture(scope="session")
def redis_replica_set() -> Iterator[RedisReplicaSet]:
    """Give a shared leader with two replicas; `.urls`, `.leader`, `.replicas`."""
    with RedisReplicaSet(2) as servers:
        yield servers


@pytest.fixture(scope="session")
def redis_cluster() -> Iterator[RedisCluster]:
    """Give a shared cluster of three masters with a replica each; `.url`, `.nodes`."""
    with RedisCluster(patience=SERVER_PATIENCE) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def redis_sentinels() -> Iterator[RedisSentinels]:
    """Give a shared trio of sentinels over a leader and two replicas; `.url`, `.nodes`."""
    with RedisSentinels(patience=SERVER_PATIENCE) as sentinels:
        yield sentinels


@pytest.fixture(scope="session")
def memcached_server() -> Iterator[Memcached | Running]:
    """Give the memcached that all tests share; `.url`, `.host`, `.port`, `.address`."""
    if running := named_by_environment("memcached"):
        yield running
        return
    with Memcached() as server:
        yield server


@pytest.fixture(scope="session")
def memcached_servers() -> Iterator[list[Memcached]]:
    """Give three shared memcached servers."""
    with ExitStack() as started:
        yield [started.enter_context(Memcached()) for _ in range(3)]


@pytest.fixture(scope="session")
def memcached_unix() -> Iterator[Memcached]:
    """Give a shared memcached on a unix socket; `.path`."""
    with Memcached(unix=True) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgreSQL | Running]:
    """Give the PostgreSQL for all tests; `.url` (with user, password, database), `.host`, `.port`, `.address`."""
    if running := named_by_environment("postgresql"):
        yield running
        return
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[MariaDB | Running]:
    """Give the MariaDB that all tests share; `.url` (with user, password, database), `.host`, `.port`, `.address`."""
    if running := named_by_environment("mariadb"):
        yield running
        return
    with MariaDB() as server:
        yield server


@pytest.fixture(scope="session")
def replitdb_server() -> Iterator[ReplitDB]:
    """Give the double of Replit's store that all tests share; `.url`, `.clear()`."""
    with ReplitDB() as server:
        yield server


@pytest.fixture
def fresh_redis(launch: Launch) -> Redis:
    """Give a Redis of this test's own, to kill and freeze."""
    return launch(Redis())


@pytest.fixture
def fresh_redis_cluster(launch: Launch) -> RedisCluster:
    """Give a cluster of this test's own, to kill nodes and move slots."""
    return launch(RedisCluster())


@pytest.fixture
def fresh_redis_sentinels(launch: Launch) -> RedisSentinels:
    """Give sentinels of this test's own, to kill the master and fail over."""
    return launch(RedisSentinels())


@pytest.fixture
def fresh_memcached(launch: Launch) -> Memcached:
    """Give a memcached of this test's own, to kill and freeze."""
    return launch(Memcached())


@pytest.fixture
def fresh_postgresql(launch: Launch) -> PostgreSQL:
    """Give a PostgreSQL of this test's own, to kill and freeze."""
    return launch(PostgreSQL())


@pytest.fixture
def fresh_mariadb(launch: Launch) -> MariaDB:
    """Give a MariaDB of this test's own, to kill and freeze."""
    return launch(MariaDB())


@pytest.fixture
def fresh_replitdb(launch: Launch) -> ReplitDB:
    """Give a double of Replit's store of this test's own, to kill and freeze."""
    return launch(ReplitDB())


@pytest.fixture
def fault_proxy(launch: Launch) -> Callable[[str, int], FaultProxy]:
    """Put a proxy before a server: `fault_proxy(host, port)`; connect to `.host` and `.port` (`.address`)."""
    return lambda host, port: launch(FaultProxy(host, port))
