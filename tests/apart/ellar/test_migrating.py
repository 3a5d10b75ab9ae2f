"""Rows of docs/migrating/ellar.md that are more than another import: Ellar's own cache beside ours."""

import gc

import pytest
from ellar.app import AppFactory
from ellar.cache import Cache as TheirCache
from ellar.cache import CacheModule as TheirModule
from ellar.cache.backends.local_cache import LocalMemCacheBackend as TheirMemory
from ellar.cache.backends.redis import RedisCacheBackend as TheirRedis
from ellar.common import Controller, ControllerBase, get, post
from ellar.common.responses import PlainTextResponse
from ellar.testing import TestClient
from redis.exceptions import ResponseError

from asynccache import FOREVER, Cache, CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.integrations.ellar import CacheModule
from asynccache.testing import FakeClock

THEIRS = (TheirCache, TheirModule, TheirMemory)
OURS = (Cache, CacheModule, LocalMemCacheBackend)


def client_of(make, caching):
    cache, module, backend = caching
    app = AppFactory.create_app(controllers=[make(cache)], modules=[module.setup(default=backend(key_prefix="shop"))])
    return TestClient(app, raise_server_exceptions=False)


def pages(cache):
    @Controller("/pages")
    class Pages(ControllerBase):
        calls = 0

        @get("/empty")
        @cache(60)
        async def empty(self) -> list:
            Pages.calls += 1
            return []

        @get("/calls")
        async def number(self) -> int:
            return Pages.calls

        @get("/one")
        @cache(60)
        async def one(self) -> str:
            return "got"

        @post("/one")
        @cache(60)
        async def posted(self) -> str:
            return "posted"

        @get("/cookie")
        @cache(60)
        async def cookie(self):
            response = PlainTextResponse("page")
            response.set_cookie("session", f"{id(response)}")
            return response

    return Pages


def controller(cache):
    @cache(60)
    @Controller("/all")
    class Everything(ControllerBase):
        @get("/")
        async def index(self) -> str:
            return "page"

    return Everything


@pytest.mark.parametrize(("caching", "calls"), [(THEIRS, 2), (OURS, 1)])
def test_an_empty_answer_is_a_hit_here(caching, calls):
    client = client_of(pages, caching)
    assert [client.get("/pages/empty").json() for _ in range(2)] == [[], []]
    assert client.get("/pages/calls").json() == calls


@pytest.mark.parametrize(("caching", "answer"), [(THEIRS, "got"), (OURS, "posted")])
def test_a_post_is_answered_by_its_own_route_here(caching, answer):
    client = client_of(pages, caching)
    client.get("/pages/one")
    assert client.post("/pages/one").json() == answer


@pytest.mark.parametrize(("caching", "cookies"), [(THEIRS, 1), (OURS, 2)])
def test_what_sets_a_cookie_is_not_stored_here(caching, cookies, monkeypatch):
    numbers = iter(range(10))
    monkeypatch.setattr(f"{__name__}.id", lambda _: next(numbers), raising=False)
    client = client_of(pages, caching)
    assert len({client.get("/pages/cookie").headers["set-cookie"] for _ in range(2)}) == cookies


@pytest.mark.parametrize(("caching", "status"), [(THEIRS, 500), (OURS, 200)])
def test_cache_on_a_controller_works_here(caching, status):
    assert client_of(controller, caching).get("/all/").status_code == status


async def test_counters_start_from_0_and_go_below_it_here():
    theirs, ours = TheirMemory(), LocalMemCacheBackend()
    with pytest.raises(ValueError, match="not found"):
        await theirs.incr_async("visits")
    assert await ours.incr_async("visits") == 1
    await theirs.set_async("visits", 1)
    assert (await theirs.decr_async("visits", 5), await ours.decr_async("visits", 5)) == (0, -4)


@pytest.mark.parametrize("ttl", [None, 0])
def test_a_backends_ttl_of_none_or_0_is_300_there(ttl):
    clock = FakeClock()
    ours = LocalMemCacheBackend(ttl=ttl, clock=clock)
    ours.set("key", 1)
    clock.advance(301)
    assert TheirMemory(ttl=ttl)._default_ttl == 300
    assert ours.has_key("key") == (ttl is None)


async def test_plain_methods_work_in_a_running_loop_here(recwarn):
    assert LocalMemCacheBackend().set("key", 1)
    with pytest.raises(RuntimeError, match="already running") as raised:
        TheirMemory().get("key")
    raised.value.__traceback__ = None
    del raised
    gc.collect()  # and with it the coroutine that was never awaited
    assert [str(warning.message).endswith("never awaited") for warning in recwarn] == [True]


async def test_redis_fractions_zero_and_touch(redis_server, unique_prefix):
    theirs = TheirRedis(servers=[redis_server.url], key_prefix=unique_prefix)
    ours = RedisCacheBackend(servers=[redis_server.url], key_prefix=f"new-{unique_prefix}")
    assert theirs.make_key("key").removeprefix(unique_prefix) == ours.stored_key("key").removeprefix(
        f"new-{unique_prefix}"
    )
    async with CacheService(default=ours) as service:
        assert await service.set_async("key", 1, ttl=0.5)
        assert await service.has_key_async("key")
        assert await service.set_async("key", 1, ttl=0)
        assert not await service.has_key_async("key")
        for ttl in (0, 0.5):
            with pytest.raises(ResponseError):
                await theirs.set_async("key", 1, ttl=ttl)

        for cache in (theirs, service):
            await cache.set_async("key", 1, ttl=60)
        assert await theirs.touch_async("key")
        assert await service.touch_async("key", FOREVER)
        assert await theirs._get_client().ttl(theirs.make_key("key")) == -1
        assert await theirs._get_client().ttl(ours.stored_key("key")) == -1
        assert await theirs.incr_async("visits") == await service.incr_async("visits") == 1
    await theirs._get_connection_pool(write=True).disconnect()
