"""DjangoCacheBackend keeps the contract over each of Django's caches; and Django's functions do as a pair."""

import asyncio
import functools
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import django
import pytest
from django.conf import settings
from django.core.cache import cache as django_cache
from django.core.cache import caches
from django.core.management import call_command
from django.db import connections

from asynccache import BackendUnavailableError, CacheModule, CacheService, ConfigurationError
from asynccache.backends.django_cache import DjangoCacheBackend
from asynccache.testing import BackendContract
from asynccache.testing.contract import (
    CounterContract,
    KindContract,
    LifetimeContract,
    ManyContract,
    SurroundingsContract,
    ValueContract,
)
from tests.backends.wire import stat

BACKENDS = "django.core.cache.backends"
ROOMY = {"MAX_ENTRIES": 100_000}  # Django keeps 300 unless told otherwise
LOCAL = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache", "OPTIONS": ROOMY}

if not settings.configured:  # by another test
    settings.configure(CACHES={"default": LOCAL}, USE_TZ=True)
django.setup()


@contextmanager
def alias(**config):
    """Make an alias in Django's CACHES; give the function that makes backends over it."""
    name = f"alias-{uuid4().hex[:8]}"
    caches.settings[name] = {"LOCATION": name, **config}
    yield functools.partial(DjangoCacheBackend, name)
    del caches.settings[name]


class Router:
    """The table of Django's cache is in a database of its own."""

    def db_for_read(self, model, **hints):
        return "cache"

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, **hints):
        return True


@pytest.fixture(scope="module")
def in_sqlite(tmp_path_factory):
    """Give the function that makes backends over a table in an SQLite file."""
    from django.db import router

    connections.settings["cache"] = connections.settings["default"] | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path_factory.mktemp("django") / "cache.db"),
        "OPTIONS": {"init_command": "PRAGMA synchronous=OFF"},  # the tests survive no power cut
    }
    with pytest.MonkeyPatch.context() as patch, alias(BACKEND=f"{BACKENDS}.db.DatabaseCache", OPTIONS=ROOMY) as make:
        patch.setattr(router, "routers", [Router()])
        call_command("createcachetable", database="cache", verbosity=0)
        connections["cache"].close()
        yield make
    connections["cache"].close()
    del connections["cache"], connections.settings["cache"]


class TestLocMem(BackendContract):
    @pytest.fixture
    def backend_factory(self):
        with alias(**LOCAL) as make:
            yield make


class TestDatabaseOnSqlite(SurroundingsContract, ValueContract, LifetimeContract, KindContract):
    @pytest.fixture
    def backend_factory(self, in_sqlite):
        return in_sqlite


class TestFiles(LifetimeContract, CounterContract):
    @pytest.fixture
    def backend_factory(self, tmp_path):
        with alias(BACKEND=f"{BACKENDS}.filebased.FileBasedCache", LOCATION=str(tmp_path), OPTIONS=ROOMY) as make:
            yield make


class TestRedis(LifetimeContract, ManyContract, KindContract):
    @pytest.fixture
    def backend_factory(self, redis_server):
        with alias(BACKEND=f"{BACKENDS}.redis.RedisCache", LOCATION=redis_server.url) as make:
            yield make


class TestPyMemcache(ValueContract, LifetimeContract):
    @pytest.fixture
    def backend_factory(self, memcached_server):
        with alias(BACKEND=f"{BACKENDS}.memcached.PyMemcacheCache", LOCATION=memcached_server.address) as make:
            yield make


class TestDjangosFunctionsAsAPair(KindContract):
    @pytest.fixture
    def backend_factory(self):
        return lambda **options: CacheModule.use(django_cache.get, django_cache.set, **options).service.get_backend()


def open_files(name):
    found = [path.readlink() for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return [path for path in found if path.name == name]


async def test_none_of_200_concurrent_sets_is_lost_on_sqlite(in_sqlite, unique_prefix):
    cache = in_sqlite(key_prefix=unique_prefix)
    values = {f"k{number}": number for number in range(200)}
    stored = await asyncio.gather(*[cache.set_async(*item) for item in values.items()])
    assert all(stored)
    assert await cache.get_many_async(values) == values
    await asyncio.gather(*[asyncio.to_thread(cache.set, key, value + 1) for key, value in values.items()])
    assert cache.get_many(values) == {key: value + 1 for key, value in values.items()}
    await cache.aclose()


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_none_of_the_sets_of_two_processes_is_lost_on_sqlite(in_sqlite, unique_prefix):
    cache = in_sqlite(key_prefix=unique_prefix)
    if (child := os.fork()) == 0:
        os._exit(0 if all(cache.set(f"child {number}", number) for number in range(50)) else 1)
    assert all(cache.set(f"parent {number}", number) for number in range(50))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    keys = [f"{who} {number}" for who in ("child", "parent") for number in range(50)]
    assert list(cache.get_many(keys)) == keys
    cache.close()


def test_set_is_false_while_others_lock_the_database(in_sqlite, unique_prefix, monkeypatch):
    monkeypatch.setattr("asynccache.backends.django_cache.PATIENCE", 0.2)
    options = connections.settings["cache"]["OPTIONS"] | {"timeout": 0.1}
    monkeypatch.setitem(connections.settings["cache"], "OPTIONS", options)
    cache = in_sqlite(key_prefix=unique_prefix)
    cache.set("k", "old")
    with closing(sqlite3.connect(connections.settings["cache"]["NAME"])) as other:
        other.execute("BEGIN IMMEDIATE")
        assert cache.set("k", "new") is False
        with pytest.raises(BackendUnavailableError, match="locked"):
            cache.delete("k")
        other.rollback()
    assert cache.delete("k") is True
    cache.close()


async def test_no_connection_and_no_thread_outlives_close(in_sqlite, unique_prefix):
    cache = in_sqlite(key_prefix=unique_prefix)
    await asyncio.gather(*[cache.set_async(f"k{number}", 1) for number in range(20)])
    await asyncio.gather(*[asyncio.to_thread(cache.get, f"k{number}") for number in range(20)])
    assert open_files("cache.db") == []  # Django's CONN_MAX_AGE is 0: none outlives its operation
    workers = [thread for thread in threading.enumerate() if thread.name.startswith("asynccache-worker")]
    await cache.aclose()
    for thread in workers:
        thread.join(5)
        assert not thread.is_alive()


async def test_connections_that_django_keeps_are_closed_in_their_threads(in_sqlite, unique_prefix, monkeypatch):
    monkeypatch.setitem(connections.settings["cache"], "CONN_MAX_AGE", None)
    cache = in_sqlite(key_prefix=unique_prefix)
    await cache.set_async("k", 1)
    assert len(open_files("cache.db")) == 1
    await cache.aclose()
    assert open_files("cache.db") == []
    assert await cache.get_async("k") == 1
    await cache.aclose()


async def test_memcached_clients_of_all_threads_are_closed(fresh_memcached):
    with alias(BACKEND=f"{BACKENDS}.memcached.PyMemcacheCache", LOCATION=fresh_memcached.address) as make:
        idle = stat(fresh_memcached, "curr_connections")
        cache = make()
        await asyncio.gather(*[cache.set_async(f"k{number}", 1) for number in range(50)])
        assert stat(fresh_memcached, "curr_connections") > idle
        await cache.aclose()
        async with asyncio.timeout(10):
            while stat(fresh_memcached, "curr_connections") > idle:  # the server hears of it a moment later
                await asyncio.sleep(0.01)


async def test_the_alias_is_looked_up_in_the_threads_that_use_it():
    with alias(**LOCAL) as make:
        cache = make()
        await cache.set_async("k", 1)
        cache.get("k")
        assert not hasattr(caches._connections, cache.alias)
        await cache.aclose()


@pytest.mark.parametrize(("ttl", "seconds"), [(0.2, 2), (1.5, 3), (60, 61), (None, 301)])
def test_ttl_is_rounded_up_to_whole_seconds_and_one_more(ttl, seconds):
    with alias(**LOCAL) as make:
        before = time.time()
        make(key_prefix="shop").set("k", 1, ttl)
        ends = caches.create_connection(make.args[0])._expire_info[":1:shop:1:k"]
        assert ends - before == pytest.approx(seconds, abs=0.5)


def test_odd_keys_bring_no_warning_of_django(memcached_server, unique_prefix):
    with alias(BACKEND=f"{BACKENDS}.memcached.PyMemcacheCache", LOCATION=memcached_server.address) as make:
        cache = make(key_prefix=unique_prefix)
        values = {"a b": 1, "k" * 251: 2, "\n": 3, "caf\xe9": 4, "k" * 10_000: 5}
        assert cache.set_many(values) == []
        assert cache.get_many(values) == values
        cache.close()


def test_several_batches_of_keys(in_sqlite, unique_prefix):
    cache = in_sqlite(key_prefix=unique_prefix)
    cache.set_many({"k3": 3, "k1100": 1100})
    assert cache.get_many(f"k{number}" for number in range(1200)) == {"k3": 3, "k1100": 1100}
    cache.close()


def test_our_prefix_and_version_are_in_the_key():
    with alias(**LOCAL) as make:
        one, other, newer = make(key_prefix="one"), make(key_prefix="other"), make(key_prefix="one", version=2)
        one.set("k", 1)
        assert [other.get("k"), newer.get("k"), one.get("k")] == [None, None, 1]


def test_a_database_that_is_away_is_an_outage(in_sqlite, unique_prefix):
    with alias(BACKEND=f"{BACKENDS}.db.DatabaseCache", LOCATION="no_such_table") as make:
        cache = make()
        with pytest.raises(BackendUnavailableError, match="no such table"):
            cache.delete("k")
        assert cache.get("k", default="a miss") == "a miss"
        assert CacheService(default=cache).get_or_set("k", lambda: 7) == 7
        cache.close()


async def test_redis_below_is_killed_and_comes_back(fresh_redis):
    with alias(BACKEND=f"{BACKENDS}.redis.RedisCache", LOCATION=fresh_redis.url) as make:
        async with CacheService(default=make()) as cache:
            assert await cache.set_async("k", 1) is True
            fresh_redis.kill()
            for _ in range(20):
                assert await cache.get_or_set_async("k", lambda: "loaded") == "loaded"
            assert await cache.set_async("k", 2) is False
            with pytest.raises(BackendUnavailableError):
                await cache.delete_async("k")
            fresh_redis.start()
            while not await cache.set_async("k", 3):
                await asyncio.sleep(0.05)
            assert await cache.get_async("k") == 3


def test_alias_that_django_does_not_know():
    with pytest.raises(ConfigurationError, match=r"alias='nowhere'.*'default'"):
        DjangoCacheBackend("nowhere")
    with alias(BACKEND="no.such.Backend") as make, pytest.raises(ConfigurationError, match=r"no\.such\.Backend"):
        make()


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ("", "ConfigurationError: alias='default': Requested setting CACHES, but settings are not configured"),
        ("sys.modules['django'] = None", "MissingDependencyError: DjangoCacheBackend needs the package 'django'"),
    ],
)
def test_no_settings_and_no_django(before, said):
    code = f"""
import sys
{before}
from asynccache.backends.django_cache import DjangoCacheBackend
try:
    DjangoCacheBackend()
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode()
    assert said in printed


# The seed's own words


def test_djangos_functions_are_used_as_a_pair():
    module = CacheModule.use(django_cache.get, django_cache.set)
    assert module.service.set("k", None) is True
    assert module.service.get("k", default="a miss") is None
    assert module.service.delete("k") is True
    assert module.service.get("k", default="a miss") == "a miss"


def test_get_my_item():
    cache = CacheService(default=DjangoCacheBackend())
    calculated = []

    def get_my_item():
        rv = cache.get("my-item")
        if rv is None:
            calculated.append(1)
            rv = "value"
            cache.set("my-item", rv, ttl=5 * 60)
        return rv

    assert [get_my_item(), get_my_item()] == ["value"] * 2
    assert len(calculated) == 1
    cache.close()
