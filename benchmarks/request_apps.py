"""The apps of table D that are not a framework's: Starlette, and what answers before routing.

Each has two pages, `/small` and `/large`. A handler whose answers are to come from a cache says in its answer how often
it was called: whoever asks sees by that whether they did.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

PAGES = {"/small": 800, "/large": 40_000}
SECONDS = 600
_LIKE_A_HIT = {
    "etag": 'W/"0123456789abcdef0123456789abcdef"',
    "cache-control": "max-age=0, s-maxage=600",
    "cache-status": "asynccache; hit",
    "age": "1",
}


def counted(size: int) -> Callable[[], str]:
    """Make a function that gives a body with the number of its call."""
    numbers = count(1)
    return lambda: f"{next(numbers):08}".ljust(size, "x")


def same(size: int) -> Callable[[], str]:
    """Make a function that gives the same body each time."""
    body = "x" * size
    return lambda: body


def _routes(decorate: Callable[[Any], Any]) -> list[Route]:
    def page(size: int) -> Any:
        body = counted(size)

        async def page(request):
            return PlainTextResponse(body())

        return decorate(page)

    return [Route(path, page(size)) for path, size in PAGES.items()]


def bare(**headers: str) -> Any:
    """Make an app whose routes return a ready response: the floor."""

    def page(size: int) -> Any:
        body = "x" * size

        async def page(request):
            return PlainTextResponse(body, headers=headers or None)

        return page

    return Starlette(routes=[Route(path, page(size)) for path, size in PAGES.items()])


def bare_like_a_hit() -> Any:
    """Make the same with the header lines that a hit has: what is left is what the cache does."""
    return bare(**_LIKE_A_HIT)


def uncached() -> Any:
    """Make the same app with our cache installed and not used."""
    from asynccache import CacheModule, install

    app = bare()
    install(app, CacheModule.setup(default="local"))
    return app


def cached(store: Any = "local") -> Any:
    """Make an app with our cache before its handlers."""
    from asynccache import Cache, CacheModule, install

    app = Starlette(routes=_routes(Cache(SECONDS)))
    install(app, CacheModule.setup(default=store))
    return app


def missing() -> Any:
    """Make an app whose pages are stored at each request, if no two are for the same URL."""
    from asynccache import Cache, CacheModule, install

    def page(size: int) -> Any:
        body = "x" * size

        @Cache(SECONDS)
        async def page(request):
            return PlainTextResponse(body)

        return page

    app = Starlette(routes=[Route(path, page(size)) for path, size in PAGES.items()])
    install(app, CacheModule.setup(default="local"))
    return app


def tiered(url: str) -> Any:
    """Make the same over memory before Redis."""
    from asynccache.backends.local_cache import LocalMemCacheBackend
    from asynccache.backends.redis import RedisCacheBackend
    from asynccache.backends.tiered_cache import TieredCacheBackend

    return cached(TieredCacheBackend(LocalMemCacheBackend(), RedisCacheBackend(servers=url)))


def cashews() -> Any:
    """Make an app whose handlers take their bodies from cashews."""
    from cashews import Cache

    cache = Cache()
    cache.setup("mem://")

    def page(size: int) -> Any:
        numbered = counted(size)

        @cache(ttl=SECONDS, key=f"page:{size}")
        async def body():
            return numbered()

        async def page(request):
            return PlainTextResponse(await body())

        return page

    return Starlette(routes=[Route(path, page(size)) for path, size in PAGES.items()])


def raw() -> Any:
    """Make an ASGI app of two messages: the floor before routing."""
    pages = {path: (_headers(size), b"x" * size) for path, size in PAGES.items()}

    async def app(scope, receive, send):
        if scope["type"] == "http":
            headers, body = pages[scope["path"]]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return app


def _headers(size: int) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % size),
        (b"cache-control", b"public, max-age=%d" % SECONDS),
    ]


def _counting() -> Any:
    """Make an ASGI app that says in its answers how often it was asked."""
    pages = {path: (_headers(size), counted(size)) for path, size in PAGES.items()}

    async def app(scope, receive, send):
        if scope["type"] == "http":
            headers, body = pages[scope["path"]]
            await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
            await send({"type": "http.response.body", "body": body().encode()})

    return app


def before_routing() -> Any:
    """Put `CacheMiddleware` before an app."""
    from asynccache import CacheMiddleware

    return CacheMiddleware(_counting(), "local")


def edge() -> Any:
    """Have `CacheMiddleware` answer the pages of `@Cache`d handlers."""
    from asynccache import Cache, CacheMiddleware, CacheModule, install

    app = Starlette(routes=_routes(Cache(SECONDS, edge=True)))
    install(app, CacheModule.setup(default="local"))
    return CacheMiddleware(app)


def starlette_caches() -> Any:
    """Put the middleware of starlette-caches before an app."""
    from aiocache import SimpleMemoryCache
    from starlette_caches.middleware import CacheMiddleware

    return CacheMiddleware(_counting(), cache=SimpleMemoryCache(ttl=SECONDS))
