"""Chains of backends, and what the environment says when it is asked."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import asynccache
from asynccache import CacheModule, CacheService, ConfigurationError
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.fallback_cache import FallbackCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.config import backend_of, stores
from tests.servers.process import free_port

VARIABLES = ("ASYNCCACHE_URL", "REDIS_URL", "MEMCACHED_URL", "DATABASE_URL", "REPLIT_DB_URL")


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(stores, "_REPLIT_FILE", tmp_path / "replitdb")
    monkeypatch.chdir(tmp_path)


def kinds(backend):
    return [type(part) for part in backend.backends]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["redis", "local"], [RedisCacheBackend, LocalMemCacheBackend]),
        (("redis://a", "memcached://b", "dummy"), [RedisCacheBackend, MemcachedCacheBackend, DummyCacheBackend]),
        ("redis|local", [RedisCacheBackend, LocalMemCacheBackend]),
        ("redis://a:1/0?ttl=60 | local://?ttl=5", [RedisCacheBackend, LocalMemCacheBackend]),
        ("redis+cluster://a:1,b:2|local", [RedisCacheBackend, LocalMemCacheBackend]),
        ("redis://me:pa|ss@a|sqlite|local", [RedisCacheBackend, SQLCacheBackend, LocalMemCacheBackend]),
        (["replit", "redis", "local"], [RedisCacheBackend, LocalMemCacheBackend]),
        (["dummy", {"BACKEND": "local", "TIMEOUT": 5}], [DummyCacheBackend, LocalMemCacheBackend]),
        ([DummyCacheBackend(), "local"], [DummyCacheBackend, LocalMemCacheBackend]),
    ],
)
def test_a_list_is_a_chain(given, expected):
    assert kinds(backend_of(given)) == expected


def test_each_of_a_chain_has_its_own_options():
    chain = backend_of("redis://a?ttl=60&key_prefix=shop|local://?ttl=5&max_entries=10")
    assert [backend.default_ttl for backend in chain.backends] == [60, 5]
    assert chain.default_ttl == 60
    assert chain.stored_key("k") == "shop:1:k"


def test_a_bar_in_a_password_joins_nothing():
    backend = backend_of("redis://me:pa|ss@host")
    assert backend.servers[0].password == "pa|ss"


def test_where_one_is_left_there_is_no_chain():
    assert type(backend_of(["replit", "local"])) is LocalMemCacheBackend
    assert type(backend_of(["local"])) is LocalMemCacheBackend


def test_what_is_asked_for_alone_and_not_configured_is_an_error():
    with pytest.raises(ConfigurationError, match="REPLIT_DB_URL"):
        backend_of("replit")
    with pytest.raises(ConfigurationError, match="REPLIT_DB_URL"):
        backend_of(["replit"])


def test_an_error_in_a_chain_names_the_backend():
    with pytest.raises(ConfigurationError, match=r"^backend 'default': 'lokal' is no backend"):
        CacheModule.setup(default=["redis", "lokal"])
    with pytest.raises(ConfigurationError, match=r"^backend 'sessions': 'lokal' is no backend"):
        CacheService(default="local", sessions="redis|lokal")


def test_replits_store_goes_first_where_it_is_configured(monkeypatch):
    from asynccache.backends.replit_cache import ReplitCacheBackend

    monkeypatch.setenv("REPLIT_DB_URL", "https://kv.replit.com/v0/secret")
    monkeypatch.setenv("REDIS_URL", "redis://host")
    expected = [ReplitCacheBackend, RedisCacheBackend, LocalMemCacheBackend]
    assert kinds(CacheModule.register_setup().backends["default"]) == expected
    assert kinds(CacheModule.setup(default=["replit", "redis", "local"]).backends["default"]) == expected
    assert "secret" not in repr(CacheModule.register_setup().backends)


def test_the_database_is_where_its_variable_says(monkeypatch, tmp_path):
    assert str(tmp_path / "cache.db") in repr(backend_of("database"))
    monkeypatch.setenv("DATABASE_URL", "sqlite:///other.db")
    assert str(tmp_path / "other.db") in repr(backend_of("database"))
    assert str(tmp_path / "other.db") in repr(backend_of({"BACKEND": "database"}))
    assert str(tmp_path / "cache.db") in repr(backend_of("sqlite"))
    assert str(tmp_path / "third.db") in repr(backend_of({"BACKEND": "database", "LOCATION": "sqlite:///third.db"}))


@pytest.mark.parametrize(
    "url",
    [
        "postgres://me:secret@host/base",
        "postgresql+psycopg2://me:secret@host:1/base?ttl=60&unlogged=true",
        "mysql://me:secret@host/base",
        "mariadb+pymysql://me:secret@host/base?table=mine",
    ],
)
def test_urls_of_databases_are_taken_as_people_write_them(url):
    backend = backend_of(url)
    assert type(backend) is SQLCacheBackend
    assert "secret" not in repr(backend)


def test_a_url_has_options_for_databases():
    backend = backend_of("sqlite:///cache.db?ttl=60&key_prefix=shop&table=pages&max_entries=100&deadline=2")
    assert backend.default_ttl == 60
    assert backend.key_prefix == "shop"


def test_memcached_can_be_a_unix_socket():
    names = [server.name for server in backend_of("memcached:///run/a.sock,/run/b.sock?ttl=60").servers]
    assert names == ["/run/a.sock", "/run/b.sock"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"host": "cache", "port": 7}, ["cache:7"]),
        ({"hosts": ["a", "b:7"]}, ["a:11211", "b:7"]),
        ({"servers": "a;b"}, ["a:11211", "b:11211"]),
    ],
)
def test_servers_can_be_options(options, names, monkeypatch):
    monkeypatch.setenv("MEMCACHED_URL", "memcached://elsewhere")
    backend = backend_of({"BACKEND": "memcache", "OPTIONS": options})
    assert [server.name for server in backend.servers] == names


def test_a_word_in_a_mapping_takes_its_address_from_the_environment(monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:7/3?ttl=60&key_prefix=shop")
    backend = backend_of({"BACKEND": "redis", "TIMEOUT": 5, "OPTIONS": {"options": {"client_name": "shop"}}})
    assert "elsewhere:7" in repr(backend)
    assert backend.default_ttl == 5
    assert backend.key_prefix == "shop"


async def test_each_word_works(redis_server, memcached_server, monkeypatch, unique_prefix):
    monkeypatch.setenv("REDIS_URL", f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5")
    monkeypatch.setenv("MEMCACHED_URL", f"{memcached_server.url}?key_prefix={unique_prefix}&deadline=5")
    for word in stores.WORDS.keys() - {"dummy", "replit"}:
        async with CacheService(default=word) as cache:
            await cache.set_async("k", word)
            assert await cache.get_async("k") == word
            assert await cache.ping_async() > 0


def run(code, **environment):
    given = {name: value for name, value in os.environ.items() if name not in VARIABLES} | environment
    given["PYTHONPATH"] = str(Path(asynccache.__file__).parents[1])  # the working directory is another one
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=given, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


USE = """
from asynccache import CacheModule
cache = CacheModule.{setup}.service
cache.set("k", "v")
print(cache.get("k"), type(cache.get_backend()).__name__, cache.stats()["default"].get("away"))
"""
REGISTERED = USE.format(setup="register_setup()")


def test_a_dead_first_store_is_said_once_and_harms_nobody():
    printed, said = run(REGISTERED, REDIS_URL=f"redis://:hunter2@127.0.0.1:{free_port()}")
    assert printed == ["v", "FallbackCacheBackend", "1"]
    assert said.count("LocalMemCacheBackend does instead") == 1
    assert "hunter2" not in said


def test_a_chain_in_the_environment_is_tried_in_its_order(redis_server, unique_prefix):
    dead = f"redis://127.0.0.1:{free_port()}"
    alive = f"{redis_server.url}?key_prefix={unique_prefix}&deadline=5"
    printed, _ = run(REGISTERED, ASYNCCACHE_URL=f"{dead}|{alive}|local://", REDIS_URL="nonsense")
    assert printed == ["v", "FallbackCacheBackend", "1"]
    assert RedisCacheBackend(redis_server.url, key_prefix=unique_prefix, deadline=5).get("k") == "v"


def test_nothing_configured_is_local_memory():
    printed, said = run(REGISTERED)
    assert printed == ["v", "LocalMemCacheBackend", "None"]
    assert said == ""


@pytest.mark.parametrize(("environment", "first"), [("production", "SQLCache"), ("development", "LocalMemCache")])
def test_the_order_can_depend_on_where_it_runs(environment, first):
    order = "['sqlite', 'local'] if os.environ['ENVIRONMENT'] == 'production' else ['local', 'sqlite']"
    code = "import os\n" + USE.format(setup=f"setup(default={order})")
    code += "print(*[(type(each).__name__, each.get('k')) for each in cache.get_backend().backends][0])"
    printed, _ = run(code, ENVIRONMENT=environment)
    assert printed == ["v", "FallbackCacheBackend", "0", f"{first}Backend", "v"]


def test_the_environment_is_read_when_a_cache_is_configured_and_not_at_import():
    code = """
import os
import asynccache, asynccache.config, asynccache.module
os.environ["ASYNCCACHE_URL"] = "dummy"
print(type(asynccache.CacheModule.register_setup().backends["default"]).__name__)
os.environ["ASYNCCACHE_URL"] = "local"
print(type(asynccache.CacheModule.register_setup().backends["default"]).__name__)
"""
    printed, _ = run(code, ASYNCCACHE_URL="nonsense")
    assert printed == ["DummyCacheBackend", "LocalMemCacheBackend"]


def test_a_chain_can_be_made_of_instances():
    chain = FallbackCacheBackend([RedisCacheBackend("redis://host"), LocalMemCacheBackend()])
    assert CacheModule.setup(default=chain).backends["default"] is chain
