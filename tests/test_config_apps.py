"""What an application's own config says: `CACHES`, or what Flask-Caching reads."""

import pytest

from asynccache import ConfigurationError
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.config import app_backends, backend_of
from asynccache.module import CacheModule


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    for name in ("ASYNCCACHE_URL", "REDIS_URL", "MEMCACHED_URL", "DATABASE_URL", "REPLIT_DB_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def default_of(config):
    return CacheModule(app_backends(config)).backends["default"]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, LocalMemCacheBackend),
        ({"CACHES": None, "DEBUG": True}, LocalMemCacheBackend),
        ({"CACHES": {}}, LocalMemCacheBackend),
        ({"CACHES": {"default": "dummy"}, "CACHE_TYPE": "SimpleCache"}, DummyCacheBackend),
        ({"CACHE_TYPE": "SimpleCache"}, LocalMemCacheBackend),
        ({"CACHE_TYPE": "simple"}, LocalMemCacheBackend),
        ({"CACHE_TYPE": "flask_caching.backends.SimpleCache"}, LocalMemCacheBackend),
        ({"CACHE_TYPE": "flask_caching.backends.simplecache.SimpleCache"}, LocalMemCacheBackend),
        ({"CACHE_TYPE": "NullCache", "CACHE_NO_NULL_WARNING": True}, DummyCacheBackend),
        ({"CACHE_TYPE": "RedisCache"}, RedisCacheBackend),
        ({"CACHE_TYPE": "MemcachedCache", "CACHE_MEMCACHED_SERVERS": ["a:1", "b"]}, MemcachedCacheBackend),
        ({"CACHE_TYPE": "memcached"}, MemcachedCacheBackend),
        ({"CACHE_TYPE": "redis://host/0"}, RedisCacheBackend),
        ({"CACHE_TYPE": "sqlite"}, SQLCacheBackend),
        ({"CACHE_TYPE": "asynccache.backends.dummy_cache.DummyCacheBackend"}, DummyCacheBackend),
        ({"CACHE_TYPE": DummyCacheBackend()}, DummyCacheBackend),
    ],
)
def test_an_apps_config_names_the_default(config, expected):
    assert type(default_of(config)) is expected


def test_caches_may_name_several():
    assert sorted(app_backends({"CACHES": {"default": "local", "pages": "dummy"}})) == ["default", "pages"]
    with pytest.raises(ConfigurationError, match="no 'default'"):
        app_backends({"CACHES": {"pages": "dummy"}})


def test_what_says_nothing_leaves_it_to_the_environment(monkeypatch):
    monkeypatch.setenv("ASYNCCACHE_URL", "dummy")
    assert type(default_of({"CACHE_CONTROL": "no-store"})) is DummyCacheBackend


def test_what_all_types_have_in_common():
    backend = default_of(
        {
            "CACHE_TYPE": "SimpleCache",
            "CACHE_DEFAULT_TIMEOUT": 60,
            "CACHE_KEY_PREFIX": "shop",
            "CACHE_THRESHOLD": 1,
        }
    )
    backend.set("a", 1)
    backend.set("b", 1)
    assert backend.stats()["entries"] == 1
    assert backend.default_ttl == 60
    assert backend.key_prefix == "shop"
    assert default_of({"CACHE_TYPE": "redis", "CACHE_DEFAULT_TIMEOUT": 0}).default_ttl == float("inf")
    assert default_of({"CACHE_TYPE": "simple", "CACHE_DEFAULT_TIMEOUT": "60"}).default_ttl == 60


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"CACHE_REDIS_HOST": "cache", "CACHE_REDIS_PORT": 7}, "cache:7"),
        ({"CACHE_REDIS_HOST": "cache"}, "cache:6379"),
        ({"CACHE_REDIS_URL": "redis://:hunter2@cache:7/3"}, "cache:7"),
        ({"CACHE_TYPE": "RedisClusterCache", "CACHE_REDIS_CLUSTER": "a:1,b:2"}, "a:1, b:2"),
        (
            {"CACHE_TYPE": "RedisSentinelCache", "CACHE_REDIS_SENTINELS": [("a", 1), ("b", 2)]},
            "a:1, b:2",
        ),
    ],
)
def test_redis_is_where_flask_caching_would_look(config, expected):
    given = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_PASSWORD": "hunter2", "CACHE_REDIS_SENTINEL_MASTER": "main"}
    backend = default_of({**given, **config})
    assert ", ".join(server.name for server in backend.servers) == expected
    assert "hunter2" not in repr(backend)


async def test_redis_is_told_password_and_database(launch):
    import redis

    from tests.servers import Redis

    server = launch(Redis(password="hunter2"))
    config = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": server.host, "CACHE_REDIS_PORT": server.port}
    backend = default_of({**config, "CACHE_REDIS_PASSWORD": "hunter2", "CACHE_REDIS_DB": 3})
    assert await backend.set_async("k", 1) is True
    with redis.Redis(host=server.host, port=server.port, password="hunter2", db=3) as raw:
        assert raw.dbsize() > 0
    await backend.aclose()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": "/tmp"}, "FileSystemCache.*sqlite:///cache.db"),
        ({"CACHE_TYPE": "flask_caching.backends.UWSGICache"}, "in its place take 'local'"),
        ({"CACHE_TYPE": "RedisClusterCache"}, "needs CACHE_REDIS_CLUSTER"),
        ({"CACHE_TYPE": "RedisSentinelCache"}, "needs CACHE_REDIS_SENTINEL_MASTER"),
        ({"CACHE_TYPE": "SaslMemcachedCache"}, "SaslMemcachedCache"),
        ({"CACHE_TYPE": "lokal"}, "lokal.*'local'"),
        ({"CACHE_TYPE": 7}, "7 is no backend"),
    ],
)
def test_types_that_are_not_here_say_what_would_do(config, said):
    with pytest.raises(ConfigurationError, match=said):
        default_of(config)


def test_a_backend_of_flask_words_is_a_mapping_of_ours():
    assert type(backend_of(app_backends({"CACHE_TYPE": "NullCache"})["default"])) is DummyCacheBackend
