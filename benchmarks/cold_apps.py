"""The apps of table H: each is asked twice for a page in its own process, by nothing but ASGI messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

PAGE = "/page"


def main(name: str) -> None:
    asyncio.run(_asked(APPS[name]()))


async def _asked(app: Any) -> None:
    """Run its lifespan, and ask for the page twice within."""
    begun, ended = asyncio.Event(), asyncio.Event()
    events = iter(({"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}))

    async def receive() -> dict[str, str]:
        if begun.is_set():
            await ended.wait()
        return next(events)

    async def send(message: dict[str, Any]) -> None:
        assert "failed" not in message["type"], message
        begun.set()

    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(app(scope, receive, send))
        await begun.wait()
        for _ in range(2):
            await _request(app, scope["state"])
        ended.set()


async def _request(app: Any, state: Any) -> None:
    statuses = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        statuses.append(message.get("status", 200))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PAGE,
        "raw_path": PAGE.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"shop.example")],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 8000),
        "state": dict(state),
    }
    await app(scope, receive, send)
    assert set(statuses) == {200}, statuses


def starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def page(request):
        return PlainTextResponse("page")

    return Starlette(routes=[Route(PAGE, page)])


def asynccache_starlette() -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from asynccache import Cache, CacheModule, install

    @Cache(600)
    async def page(request):
        return PlainTextResponse("page")

    app = Starlette(routes=[Route(PAGE, page)])
    install(app, CacheModule.setup(default="local"))
    return app


def fastapi() -> Any:
    from fastapi import FastAPI

    app = FastAPI()

    @app.get(PAGE)
    async def page():
        return "page"

    return app


def asynccache_fastapi() -> Any:
    from fastapi import FastAPI

    from asynccache import Cache, CacheModule, install

    app = FastAPI()

    @app.get(PAGE)
    @Cache(600)
    async def page():
        return "page"

    install(app, CacheModule.setup(default="local"))
    return app


def fastapi_cache() -> Any:
    from fastapi import FastAPI
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.inmemory import InMemoryBackend
    from fastapi_cache.decorator import cache

    @asynccontextmanager
    async def lifespan(app):
        FastAPICache.init(InMemoryBackend())
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get(PAGE)
    @cache(expire=600)
    async def page():
        return "page"

    return app


def ellar() -> Any:
    from ellar.app import AppFactory
    from ellar.cache import Cache, CacheModule
    from ellar.cache.backends.local_cache import LocalMemCacheBackend
    from ellar.common import ModuleRouter

    router = ModuleRouter("")

    @router.get(PAGE)
    @Cache(ttl=600)
    async def page():
        return "page"

    return AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default=LocalMemCacheBackend())])


APPS: dict[str, Callable[[], Any]] = {
    make.__name__: make for make in (starlette, asynccache_starlette, fastapi, asynccache_fastapi, fastapi_cache, ellar)
}
