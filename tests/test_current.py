"""Which service is at hand: that of the request, else the innermost `with`, else the only one that is open."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import copy_context

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from asynccache import CacheModule, CacheService, ConfigurationError, get_cache_service, install
from asynccache.current import Serving, current_service
from asynccache.integrations.modules import installed_from


def test_nothing_at_hand_says_what_to_do():
    with pytest.raises(ConfigurationError, match=r"with CacheService\(default="):
        current_service()


def test_the_innermost_with_is_used_and_left():
    with CacheService(default="local") as outer:
        with CacheService(default="local") as inner, outer, inner:
            assert current_service() is inner
        assert current_service() is outer
    with pytest.raises(ConfigurationError):
        current_service()


async def test_the_innermost_async_with_is_used_by_tasks_made_in_it():
    async with CacheService(default="local") as outer:
        async with CacheService(default="local") as inner:
            assert await asyncio.create_task(asyncio.to_thread(current_service)) is inner
        assert current_service() is outer


async def test_a_task_that_outlives_its_with_does_not_use_what_was_closed():
    closed = asyncio.Event()

    async def late():
        await closed.wait()
        return current_service()

    async with CacheService(default="local") as outer:
        async with CacheService(default="local"):
            task = asyncio.create_task(late())
        closed.set()
        assert await task is outer


def test_threads_use_the_only_one_that_is_open():
    with CacheService(default="local") as cache, ThreadPoolExecutor(2) as threads:
        assert list(threads.map(lambda _: current_service(), range(3))) == [cache] * 3


def test_threads_are_told_that_there_is_no_telling_which():
    with CacheService(default="local"), CacheService(default="local") as inner, ThreadPoolExecutor(1) as threads:
        with pytest.raises(ConfigurationError, match="copy_context"):
            threads.submit(current_service).result()
        assert threads.submit(copy_context().run, current_service).result() is inner


def test_a_with_may_end_in_another_context_than_it_began_in():
    cache = CacheService(default="local")
    copy_context().run(cache.__enter__)
    assert current_service() is cache
    cache.__exit__(None, None, None)
    with pytest.raises(ConfigurationError):
        current_service()


def test_the_service_of_the_request_comes_first():
    used = []

    def app(*routes):
        made = Starlette(routes=routes)
        install(made, CacheModule.setup(default="local"))
        return made

    async def on_loop(request):
        with CacheService(default="local"):
            used.append((current_service(), get_cache_service(request)))
        return PlainTextResponse("")

    def in_thread(request):
        used.append((current_service(), get_cache_service(request)))
        return PlainTextResponse("")

    inner = app(Route("/thread", in_thread))
    outer = app(Route("/loop", on_loop), Mount("/inner", inner))
    with CacheService(default="local") as around, TestClient(outer) as client:
        client.get("/loop")
        client.get("/inner/thread")
        assert current_service() is around
    assert used == [(get_cache_service(outer),) * 2, (get_cache_service(inner),) * 2]


async def test_after_a_request_in_the_same_task_its_service_is_not_at_hand():
    app = Starlette()
    install(app, CacheModule.setup(default="local"))

    async def messages(message=None):
        return message

    await app({"type": "http", "method": "GET", "path": "/nowhere", "headers": []}, messages, messages)
    with pytest.raises(ConfigurationError):
        current_service()


def test_a_lifespan_uses_the_service_of_its_app():
    used = []

    async def started(app):
        used.append(current_service())
        yield

    app = Starlette(lifespan=asynccontextmanager(started))
    install(app, CacheModule.setup(default="local"))
    with TestClient(app):
        thread = threading.Thread(target=lambda: used.append(current_service()))
        thread.start()
        thread.join()
    assert used == [get_cache_service(app)] * 2


def test_a_request_that_is_cleared_away_elsewhere_changes_nothing_there():
    serving, other = Serving(installed_one()), installed_one()
    copy_context().run(serving.__enter__)
    with Serving(other):
        serving.__exit__(None, None, None)
        assert current_service() is other.service


def installed_one():
    return installed_from(CacheModule.setup(default="local"))
