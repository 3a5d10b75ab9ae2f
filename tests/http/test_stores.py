"""Pages in stores that other processes share: the same over real servers, and whatever becomes of them."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from starlette.responses import PlainTextResponse

from asynccache import Cache, get_cache_service
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.dummy_cache import DummyCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.tiered_cache import TieredCacheBackend
from asynccache.core.entry import Kind
from asynccache.core.page_keys import page_key
from asynccache.plan.io import LOOP
from asynccache.serializers import Compressed, MsgpackSerializer
from tests.http.serving import app_of, ask

KEY = page_key("GET", "http://h/")


@pytest.fixture(params=["local", "redis", "memcached", "compressed"])
def make_backend(request, unique_prefix):
    """Make backends on the same store."""
    if request.param == "local":
        backend = LocalMemCacheBackend()
        return lambda: backend
    if request.param == "memcached":
        server = request.getfixturevalue("memcached_server")
        return lambda: MemcachedCacheBackend(servers=server.url, key_prefix=unique_prefix)
    server = request.getfixturevalue("redis_server")
    serializer = Compressed(MsgpackSerializer()) if request.param == "compressed" else None
    return lambda: RedisCacheBackend(server.url, key_prefix=unique_prefix, serializer=serializer)


@asynccontextmanager
async def running(handler, backend):
    app = app_of(handler, backend=backend)
    async with get_cache_service(app):
        yield app


def page(**options):
    @Cache(60, **options)
    async def handler(request):
        handler.calls += 1
        await asyncio.sleep(0.01)
        return PlainTextResponse(f"call {handler.calls} \0" + "x" * 2000, headers={"x-a": "1"})

    handler.calls = 0
    return handler


async def test_two_processes_share_a_page(make_backend):
    handler = page()
    async with running(handler, make_backend()) as one, running(handler, make_backend()) as two:
        first = await ask(one)
        second = await ask(two)
    assert first.cache == "fwd=uri-miss; stored"
    assert second.cache == "hit"
    assert second.body == first.body
    assert second.header("x-a") == "1"


async def test_variants_hit_after_they_were_learnt(make_backend):
    async with running(page(vary=("accept",)), make_backend()) as app:
        for _ in range(3):
            answers = [await ask(app, headers=[(b"accept", accept)]) for accept in (b"a", b"b")]
        assert [answer.cache for answer in answers] == ["hit", "hit"]
        assert answers[0].body != answers[1].body


async def test_names_learnt_later_join_those_that_are_known(make_backend):
    @Cache(60)
    async def handler(request):
        more = request.headers.get("x-b", "-") if "x-a" in request.headers else ""
        return PlainTextResponse(request.headers.get("x-a", "-") + more)

    asked = [[], [(b"x-a", b"1")], [(b"x-a", b"1"), (b"x-b", b"2")], [(b"x-b", b"2")]]
    async with running(handler, make_backend()) as app, running(handler, make_backend()) as other:
        for _ in range(4):
            for one in (app, other):
                answers = [await ask(one, headers=headers) for headers in asked]
                assert [answer.body for answer in answers] == [b"-", b"1-", b"12", b"-"]
        assert [answer.cache for answer in answers] == ["hit"] * 4
        await get_cache_service(other).delete_async(KEY)
        assert "stored" in (await ask(app, headers=asked[2])).cache


async def test_a_page_that_depends_on_nothing_any_more_is_found(make_backend):
    handler = page(vary=("accept",))
    plain = page()
    async with running(handler, make_backend()) as app, running(plain, make_backend()) as other:
        await ask(app)
        await get_cache_service(app).delete_async(KEY)
        await ask(other)
        assert (await ask(other)).cache == "hit"
        assert (await ask(app)).cache == "hit"


async def test_delete_has_key_touch_and_get_work_on_pages(make_backend):
    async with running(page(vary=("accept",)), make_backend()) as app:
        service = get_cache_service(app)
        for accept in (b"a", b"b"):
            await ask(app, headers=[(b"accept", accept)])
        assert await service.has_key_async(KEY)
        assert await service.get_async(KEY, default="miss") == "miss"
        assert await service.touch_async(KEY, 100)
        assert await service.delete_async(KEY)
        assert not await service.has_key_async(KEY)
        for accept in (b"a", b"b"):
            assert "stored" in (await ask(app, headers=[(b"accept", accept)])).cache


async def test_many_at_once_run_the_handler_once(make_backend):
    handler = page()
    async with running(handler, make_backend()) as app:
        answers = await asyncio.gather(*(ask(app) for _ in range(50)))
    assert handler.calls == 1
    assert len({answer.body for answer in answers}) == 1


async def test_a_near_tier_before_a_store_of_this_process_alone_is_not_all_there_is():
    kept = {}
    far = CallableCacheBackend(kept.get, kept.__setitem__, kept.__delitem__)
    async with running(page(vary=("accept",)), TieredCacheBackend(LocalMemCacheBackend(), far)) as app:
        assert [(await ask(app)).cache for _ in range(3)] == ["fwd=uri-miss; stored", "hit", "hit"]


async def test_a_value_under_the_key_of_a_page_is_no_page(make_backend):
    handler = page()
    async with running(handler, make_backend()) as app:
        await get_cache_service(app).set_async(KEY, {"status": 200})
        assert (await ask(app)).body.startswith(b"call 1")
        assert (await ask(app)).cache == "hit"


class Junk:
    def __bytes__(self):
        return b"\x80\x04no page"


async def test_a_damaged_page_is_removed_and_made_again(redis_server, unique_prefix, caplog):
    backend = RedisCacheBackend(redis_server.url, key_prefix=unique_prefix)
    async with running(page(), backend) as app:
        await backend.write(LOOP, KEY, Junk(), 60, kind=Kind.PAGE)
        assert (await ask(app)).cache == "fwd=uri-miss; stored"
        assert (await ask(app)).cache == "hit"
    assert "was not usable and is removed" in caplog.text


@pytest.mark.parametrize("on_error", ["miss", "raise"])
@pytest.mark.parametrize("vary", [(), ("accept",)])
async def test_a_store_that_is_away_never_fails_a_request(fresh_redis, on_error, vary):
    handler = page(vary=vary)
    async with running(handler, RedisCacheBackend(fresh_redis.url, on_error=on_error)) as app:
        assert (await ask(app)).cache == "fwd=uri-miss; stored"
        fresh_redis.kill()
        for _ in range(5):
            answer = await ask(app)
            assert (answer.status, answer.cache) == (200, "fwd=uri-miss")
        calls = handler.calls
        answers = await asyncio.gather(*(ask(app) for _ in range(20)))
        assert {answer.status for answer in answers} == {200}
        assert handler.calls == calls + 1


class Broken(LocalMemCacheBackend):
    """A backend of somebody's own that raises whatever it likes."""

    async def read(self, io, key, version=None, kind=Kind.VALUE):
        raise RuntimeError("broken")

    async def read_many(self, io, keys, version=None, kind=Kind.VALUE):
        raise RuntimeError("broken")

    async def write(self, io, key, value, ttl, version=None, kind=Kind.VALUE):
        raise RuntimeError("broken")

    peek = None


@pytest.mark.parametrize("control", ["max-age=5", "private"])
async def test_a_backend_that_raises_never_fails_a_request(control):
    @Cache(60)
    async def handler(request):
        return PlainTextResponse("x", headers={"cache-control": control})

    app = app_of(handler, backend=Broken())
    assert [(await ask(app)).body for _ in range(2)] == [b"x", b"x"]


async def test_a_page_that_the_store_does_not_take_is_told_once(caplog):
    @Cache(60)
    async def handler(request):
        return PlainTextResponse("x" * 100_000)

    app = app_of(handler, backend=LocalMemCacheBackend(max_bytes=10_000))
    for _ in range(3):
        assert (await ask(app)).cache == "fwd=uri-miss"
    assert sum("did not take its page of 100000 bytes" in line for line in caplog.messages) == 1


async def test_a_page_that_is_stored_counts_a_miss_and_no_hit():
    @Cache(60)
    async def handler(request):
        return PlainTextResponse("x")

    backend = LocalMemCacheBackend()
    app = app_of(handler, backend=backend)
    for hits in range(3):
        await ask(app)
        assert (backend.stats()["hits"], backend.stats()["misses"]) == (hits, 1)


async def test_a_store_that_is_away_is_not_told_once_more_by_each_handler(caplog):
    @Cache(60)
    async def handler(request):
        return PlainTextResponse("x")

    app = app_of(handler, backend=RedisCacheBackend("redis://127.0.0.1:1", deadline=0.15))
    answers = [await ask(app) for _ in range(3)]
    assert [answer.body for answer in answers] == [b"x"] * 3
    assert [line for line in caplog.messages if "is not cached" in line] == []


async def test_a_backend_that_keeps_nothing_stores_nothing_and_answers():
    handler = page()
    app = app_of(handler, backend=DummyCacheBackend())
    answers = await asyncio.gather(*(ask(app) for _ in range(5)))
    assert handler.calls == 1
    assert len({answer.body for answer in answers}) == 1
    assert (await ask(app)).body.startswith(b"call 2")
