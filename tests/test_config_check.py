"""A configuration is checked by using it; and a service is pinged."""

import asyncio

import pytest

from asynccache import BackendUnavailableError, CacheService, ConfigurationError, UnknownBackendError
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.config_check import check, check_async
from tests.servers.process import free_port


class Forgetful(LocalMemCacheBackend):
    """Says that it keeps entries."""

    async def read(self, *_):
        return None


@pytest.fixture(params=["sync", "async"])
def checked(request):
    async def of(config=None):
        return await (asyncio.to_thread(check, config) if request.param == "sync" else check_async(config))

    return of


async def test_each_backend_is_pinged(checked, redis_server):
    dead = f"127.0.0.1:{free_port()}"
    config = {
        "default": [f"redis://:hunter2@{dead}", "local"],
        "shared": f"{redis_server.url}?key_prefix=check&deadline=5",
        "off": "dummy",
        "odd": Forgetful(),
    }
    found = {(result.name, result.place): result for result in await checked(config)}
    assert [*found] == [("default", 0), ("default", 1), ("default", 2), ("shared", 0), ("off", 0), ("odd", 0)]
    answered = {where for where, result in found.items() if result.error is None}
    assert answered == {("default", 0), ("default", 2), ("shared", 0), ("off", 0)}
    assert all((result.seconds is None) == (result.error is not None) for result in found.values())
    assert all(result.seconds >= 0 for result in found.values() if result.seconds is not None)
    assert dead in found["default", 1].error
    assert found["default", 1].kind == "RedisCacheBackend"
    assert redis_server.address in found["shared", 0].described
    assert "does not keep" in found["odd", 0].error
    assert "hunter2" not in repr(found)


async def test_the_environment_is_what_is_checked_where_nothing_is_given(checked, monkeypatch):
    monkeypatch.setenv("ASYNCCACHE_URL", "dummy")
    assert [result.kind for result in await checked()] == ["DummyCacheBackend"]


async def test_a_configuration_that_is_none_raises(checked):
    with pytest.raises(ConfigurationError, match="lokal"):
        await checked({"default": "lokal"})


async def test_a_ping_leaves_nothing_behind():
    backend = LocalMemCacheBackend()
    async with CacheService(default=backend, off="dummy") as cache:
        assert 0 <= await cache.ping_async() < 1
        assert 0 <= cache.ping() < 1
        assert 0 <= cache.ping("off") < 1
        with pytest.raises(UnknownBackendError):
            await cache.ping_async("other")
    assert backend.stats()["entries"] == 0


async def test_a_ping_of_what_does_not_answer_raises():
    address = f"127.0.0.1:{free_port()}"
    async with CacheService(default=f"redis://{address}", chain=[f"redis://{address}", "local"]) as cache:
        for ping in (cache.ping_async(), asyncio.to_thread(cache.ping)):
            with pytest.raises(BackendUnavailableError, match=address):
                await ping
        assert await cache.ping_async("chain") >= 0


async def test_a_full_server_that_takes_nothing_does_not_answer_well(launch):
    from tests.servers import Redis

    server = launch(Redis("--maxmemory", "1", "--maxmemory-policy", "noeviction"))
    async with CacheService(default=f"{server.url}?deadline=5") as cache:
        with pytest.raises(BackendUnavailableError, match="OOM"):
            await cache.ping_async()
