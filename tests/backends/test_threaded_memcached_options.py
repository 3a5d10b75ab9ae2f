"""How PyMemcacheCacheBackend and PyLibMCCacheBackend are told where the servers are, and what to do."""

import asyncio
import logging
import socket
import ssl
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
from pymemcache import serde
from pymemcache.client.base import KeepaliveOpts

from asynccache import CacheService, ConfigurationError
from asynccache.backends.aio_cache import AioMemCacheBackend
from asynccache.backends.pylib_cache import PyLibMCCacheBackend
from asynccache.backends.pymem_cache import PyMemcacheCacheBackend
from tests.servers.certificates import certify

PATIENT = 5.0
both = pytest.mark.parametrize("make", [PyMemcacheCacheBackend, PyLibMCCacheBackend])


@both
@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ["localhost:11211"]),
        ({"servers": "cache"}, ["cache:11211"]),
        ({"servers": "memcached://a:1,b;c:3"}, ["a:1", "b:11211", "c:3"]),
        ({"servers": ["a:1", ("b", 2)]}, ["a:1", "b:2"]),
        ({"servers": "[::1]:1"}, ["[::1]:1"]),
        ({"servers": "fe80::1"}, ["[fe80::1]:11211"]),
        ({"servers": ["/tmp/memcached.sock", "b"]}, ["/tmp/memcached.sock", "b:11211"]),
    ],
)
def test_servers_are_named_in_many_ways(make, options, names):
    assert [server.name for server in make(**options).servers] == names


@both
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"servers": "memcached://user:hidden@cache"}, "knows no passwords"),
        ({"servers": "memcached://cache?pool_size=4"}, "options as arguments"),
        ({"servers": "redis://cache"}, "scheme"),
        ({"servers": []}, "empty"),
        ({"pool_size": 0}, "pool_size"),
        ({"deadline": 0}, "deadline"),
        ({"on_error": "ignore"}, "on_error"),
        ({"options": {"no_dellay": True}}, "no option 'no_dellay'"),
    ],
)
def test_option_that_cannot_work_is_an_error(make, options, message):
    with pytest.raises(ConfigurationError, match=message) as raised:
        make(**options)
    assert "hidden" not in str(raised.value)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (PyMemcacheCacheBackend, {"socket_keepalive": 5}),
        (PyLibMCCacheBackend, {"behaviors": {"no such": 1}}),
        (PyLibMCCacheBackend, {"username": "user", "password": "hidden"}),
    ],
)
def test_what_the_client_refuses_is_said_at_once(make, options):
    with pytest.raises(ConfigurationError, match="does not take the options") as raised:
        make(options=options)
    assert "hidden" not in str(raised.value)


def test_ellars_pymemcache_options_work_as_they_are(memcached_server, unique_prefix, caplog):
    options = {"default_noreply": False, "allow_unicode_keys": True, "serde": serde.pickle_serde, "no_delay": True}
    cache = PyMemcacheCacheBackend(
        servers=[memcached_server.address], options=options, key_prefix=unique_prefix, deadline=PATIENT
    )
    assert "options that are not used" in caplog.text
    assert "serde: serializer=... decides" in caplog.text
    assert cache.set("whatever \xe9", {"a": (1, 2)}) is True
    assert cache.get("whatever \xe9") == {"a": (1, 2)}
    cache.close()


def test_noreply_makes_no_result_a_lie(memcached_server, unique_prefix):
    options = {"default_noreply": True}
    cache = PyMemcacheCacheBackend(
        servers=memcached_server.url, options=options, key_prefix=unique_prefix, deadline=PATIENT
    )
    assert cache.delete("k") is False
    assert cache.add("k", 1) is True
    assert cache.add("k", 2) is False
    cache.close()


def test_djangos_pylibmc_options_work_as_they_are(memcached_server, unique_prefix, caplog):
    options = {"binary": True, "behaviors": {"ketama": True, "tcp_keepalive": True}}
    cache = PyLibMCCacheBackend(
        servers=memcached_server.url, options=options, key_prefix=unique_prefix, deadline=PATIENT
    )
    assert "ketama: servers share the keys by rendezvous hashing" in caplog.text
    assert "tcp_keepalive" not in caplog.text
    assert cache.incr("n") == 1
    cache.close()


def test_options_that_are_used_are_no_news(caplog):
    caplog.set_level(logging.DEBUG, logger="asynccache")
    PyMemcacheCacheBackend(options={"no_delay": True, "socket_keepalive": KeepaliveOpts()})
    PyLibMCCacheBackend(options={"binary": True, "behaviors": {"tcp_nodelay": False}})
    assert caplog.text == ""


class CountingSockets:
    """A socket module, as gevent's would be, that counts."""

    def __init__(self):
        self.made = 0

    def socket(self, *args):
        self.made += 1
        return socket.socket(*args)

    def __getattr__(self, name):
        return getattr(socket, name)


def test_socket_module_is_used(memcached_server, unique_prefix):
    module = CountingSockets()
    options = {"socket_module": module, "socket_keepalive": KeepaliveOpts(), "no_delay": True}
    cache = PyMemcacheCacheBackend(
        servers=memcached_server.url, options=options, key_prefix=unique_prefix, deadline=PATIENT
    )
    assert cache.set("k", 1) is True
    assert cache.get("k") == 1
    assert module.made == 1
    cache.close()


class TwoAddresses:
    """A socket module for which `localhost` has an address at which nobody listens, before the right one."""

    def __init__(self, port):
        self.port = port

    def getaddrinfo(self, host, port, *_):
        tcp = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*tcp, ("127.0.0.2", 1)), (*tcp, ("127.0.0.1", self.port))]

    def __getattr__(self, name):
        return getattr(socket, name)


def test_every_address_of_a_host_is_tried(memcached_server, unique_prefix):
    options = {"socket_module": TwoAddresses(memcached_server.port)}
    cache = PyMemcacheCacheBackend(servers="somewhere", options=options, key_prefix=unique_prefix, deadline=PATIENT)
    assert cache.set("k", 1) is True
    cache.close()


@asynccontextmanager
async def tls_before(server, certificates):
    """Stand before a server and speak TLS to clients."""

    async def hand_on(reader, writer):
        try:
            while chunk := await reader.read(65_536):
                writer.write(chunk)
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection(server.host, server.port)
        await asyncio.gather(hand_on(reader, inner_writer), hand_on(inner_reader, writer))

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as listening:
        yield listening.sockets[0].getsockname()[:2]


async def test_tls_context_encrypts(memcached_server, unique_prefix, tmp_path):
    certificates = certify(tmp_path)
    context = ssl.create_default_context(cafile=certificates.authority)
    async with tls_before(memcached_server, certificates) as address:
        options = {"tls_context": context}
        cache = PyMemcacheCacheBackend(
            servers=[address], options=options, key_prefix=unique_prefix, deadline=PATIENT, on_error="raise"
        )
        for number in range(5):
            assert await cache.set_async("k", b"x" * 50_000 * number) is True
            assert await cache.get_async("k") == b"x" * 50_000 * number
        assert [len(lines._idle) for lines in cache._lines.values()] == [1]
        await cache.aclose()


@pytest.mark.parametrize("name", ["pymemcache", "pylibmc"])
def test_missing_client_is_named_where_the_backend_is_made(name):
    path = {"pymemcache": "pymem_cache.PyMemcache", "pylibmc": "pylib_cache.PyLibMC"}[name]
    module, _, prefix = path.rpartition(".")
    code = f"""
import sys
sys.modules[{name!r}] = None
from asynccache import MissingDependencyError
from asynccache.backends.{module} import {prefix}CacheBackend
try:
    {prefix}CacheBackend()
except MissingDependencyError as error:
    print(error)
"""
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout.decode()
    assert f"{prefix}CacheBackend" in printed
    assert f"pip install 'asynccache[{name}]'" in printed


@pytest.mark.parametrize(
    ("make", "client_options"),
    [(PyMemcacheCacheBackend, {"no_delay": True}), (PyLibMCCacheBackend, {"behaviors": {"tcp_nodelay": True}})],
)
async def test_as_a_backend_of_caches(memcached_server, unique_prefix, make, client_options):
    settings = {
        "BACKEND": f"{make.__module__}.{make.__name__}",
        "LOCATION": [memcached_server.address],
        "KEY_PREFIX": unique_prefix,
        "TIMEOUT": 60,
        "OPTIONS": {"deadline": PATIENT, "options": client_options},
    }
    async with CacheService(default=settings) as cache:
        assert await cache.set_async("k", 1) is True
        assert await cache.get_async("k") == 1
        assert type(cache.get_backend()) is make
        assert cache.get_backend().default_ttl == 60


async def test_all_memcached_backends_share_their_entries(memcached_servers, unique_prefix):
    place = {"servers": [server.address for server in memcached_servers], "key_prefix": unique_prefix}
    caches = [
        AioMemCacheBackend(deadline=PATIENT, **place),
        PyMemcacheCacheBackend(deadline=PATIENT, **place),
        PyLibMCCacheBackend(deadline=PATIENT, **place),
        PyLibMCCacheBackend(deadline=PATIENT, options={"binary": True}, **place),
    ]
    for writer in caches:
        values = {f"{number} \xe9 of {caches.index(writer)}": (number, b"x") for number in range(20)}
        assert await writer.set_many_async(values) == []
        for reader in caches:
            assert await reader.get_many_async(values) == values
    assert [await cache.incr_async("n") for cache in caches * 2] == list(range(1, 9))
    for cache in caches:
        await cache.aclose()
