"""What is wrong with the options of a backend is an error where it is made."""

import pytest

from asynccache import ConfigurationError
from asynccache.backends.aio_cache import AioMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.config import app_backends, backend_of

each_on_asyncio = pytest.mark.parametrize("backend", [MemcachedCacheBackend, AioMemCacheBackend])


@each_on_asyncio
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 5}, r"options=\['timeout'\]: asyncio's create_connection takes \[.*'local_addr'.*'ssl'"),
        ({"ssl": None, 5: 5}, r"options=\['5'\]"),
        ([("ssl", None)], "options is a mapping of options, not a list"),
    ],
)
def test_options_that_connections_do_not_take_are_refused(backend, options, message):
    with pytest.raises(ConfigurationError, match=message):
        backend(servers="localhost", options=options)


@each_on_asyncio
def test_options_are_those_of_all_servers(backend):
    backend(servers="localhost", options={"local_addr": ("127.0.0.1", 0)})
    backend(servers="localhost,/tmp/memcached.sock", options={"ssl_handshake_timeout": 5})
    with pytest.raises(ConfigurationError, match="create_unix_connection"):
        backend(servers="localhost,/tmp/memcached.sock", options={"local_addr": ("127.0.0.1", 0)})


@pytest.mark.parametrize("backend", [RedisCacheBackend, MemcachedCacheBackend, AioMemCacheBackend])
def test_a_port_may_be_text_as_from_the_environment(backend):
    assert "cache.example:6380" in repr(backend(host="cache.example", port="6380"))
    for port in ("x", "-1", "0", "65536", "6 380", "\u0663"):
        with pytest.raises(ConfigurationError, match="a port is a number from 1 to 65535"):
            backend(host="cache.example", port=port)


def test_flask_cachings_port_may_be_text():
    config = {"CACHE_TYPE": "RedisCache", "CACHE_REDIS_HOST": "cache.example", "CACHE_REDIS_PORT": "6380"}
    assert "cache.example:6380" in repr(backend_of(app_backends(config)["default"]))


@each_on_asyncio
def test_an_empty_host_is_refused(backend):
    with pytest.raises(ConfigurationError, match="no host"):
        backend(host="")
