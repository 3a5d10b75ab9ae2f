"""The apps of table D, one to a server: `python -m benchmarks.request_apps NAME BYTES` prints its port and serves."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

PAGE = "/page"


def bare(size: int) -> Any:
    """Make a Starlette app that answers itself: the floor."""
    body = "x" * size

    async def page(request):
        return PlainTextResponse(body)

    return Starlette(routes=[Route(PAGE, page)])


def cached(size: int) -> Any:
    """Make the same app with our cache before its handler."""
    from asynccache import Cache, CacheModule, install

    body = "x" * size

    @Cache(600)
    async def page(request):
        return PlainTextResponse(body)

    app = Starlette(routes=[Route(PAGE, page)])
    install(app, CacheModule.setup(default="local"))
    return app


def raw(size: int) -> Any:
    """Make an ASGI app of two messages: the floor before routing."""
    body = b"x" * size
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % size),
        (b"cache-control", b"public, max-age=600"),
    ]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app


def before_routing(size: int) -> Any:
    """Put `CacheMiddleware` before that app."""
    from asynccache import CacheMiddleware

    return CacheMiddleware(raw(size), "local")


def edge(size: int) -> Any:
    """Have `CacheMiddleware` answer the pages of a `@Cache`d handler."""
    from asynccache import Cache, CacheMiddleware, CacheModule, install

    body = "x" * size

    @Cache(600, edge=True)
    async def page(request):
        return PlainTextResponse(body)

    app = Starlette(routes=[Route(PAGE, page)])
    install(app, CacheModule.setup(default="local"))
    return CacheMiddleware(app)


def uncached(size: int) -> Any:
    """Make the same app with our cache installed and not used."""
    from asynccache import CacheModule, install

    app = bare(size)
    install(app, CacheModule.setup(default="local"))
    return app


def fastapi_cache(size: int) -> Any:
    """Make a FastAPI app with fastapi-cache2."""
    from fastapi import FastAPI
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.inmemory import InMemoryBackend
    from fastapi_cache.decorator import cache

    body = "x" * size

    @asynccontextmanager
    async def lifespan(app):
        FastAPICache.init(InMemoryBackend())
        yield

    app = FastAPI(lifespan=lifespan)

    @app.get(PAGE)
    @cache(expire=600)
    async def page():
        return body

    return app


def ellar(size: int) -> Any:
    """Make an Ellar app with Ellar's own cache."""
    from ellar.app import AppFactory
    from ellar.cache import Cache, CacheModule
    from ellar.cache.backends.local_cache import LocalMemCacheBackend
    from ellar.common import ModuleRouter

    body = "x" * size
    router = ModuleRouter("")

    @router.get(PAGE)
    @Cache(ttl=600)
    async def page():
        return body

    return AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default=LocalMemCacheBackend())])


APPS: dict[str, Callable[[int], Any]] = {
    "Starlette, bare": bare,
    "asynccache hit": cached,
    "asynccache installed, route uncached": uncached,
    "fastapi-cache2 hit": fastapi_cache,
    "Ellar hit": ellar,
    "raw ASGI": raw,
    "CacheMiddleware hit": before_routing,
    "@Cache(edge=True) hit": edge,
}


def main() -> None:
    name, size = sys.argv[1:]
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # or asyncio sets no TCP_NODELAY
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(APPS[name](int(size)), log_level="error", access_log=False, loop="auto", http="auto")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
