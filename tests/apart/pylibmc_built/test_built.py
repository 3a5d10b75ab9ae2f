"""pylibmc built on libmemcached 1.1, which ends the process where the wheel's version only goes wrong.

The session that runs this runs tests/backends/test_pylib_cache*.py in the same environment.
"""

import pylibmc
import pytest

from asynccache.backends.pylib_cache import PyLibMCCacheBackend
from tests.outages import DEADLINE


def test_this_is_the_build():
    assert pylibmc.libmemcached_version_hex >= 0x01001000


@pytest.mark.parametrize("binary", [True, False])
def test_keys_that_are_commands_end_no_process(memcached_server, unique_prefix, binary):
    cache = PyLibMCCacheBackend(
        servers=memcached_server.url, key_prefix=unique_prefix, deadline=5, options={"binary": binary}
    )
    for key in ("a b", "a\r\nset evil 0 0 1\r\nx", "a\0", "k" * 251, "\ud83d"):
        assert cache.set(key, 1) is True
        assert cache.incr(key) == 2
        assert cache.touch(key) is True
        assert cache.delete(key) is True
    assert cache.stats()["errors"] == 0
    cache.close()


@pytest.mark.parametrize("stray", [b"END\r\n", b"DELETED\r\n", b"VALUE another 0 5\r\nSTRAY\r\nEND\r\n"], ids=repr)
def test_line_that_is_no_answer_ends_no_process(memcached_server, fault_proxy, unique_prefix, stray):
    proxy = fault_proxy(memcached_server.host, memcached_server.port)
    cache = PyLibMCCacheBackend(servers=proxy.address, key_prefix=unique_prefix, deadline=DEADLINE)
    assert cache.set("k", 1) is True
    proxy.set(prepend_p=1.0, prepend=stray)
    assert cache.set("k", 2) is False
    assert cache.get("k") is None
    proxy.heal()
    cache.close()
