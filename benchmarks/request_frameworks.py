"""The apps of table D in other frameworks: a route that returns a ready response, our cache, and their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.request_apps import PAGES, SECONDS, counted, same

_SAME: Callable[[Any], Any] = lambda handler: handler  # noqa: E731


def fastapi() -> Any:
    """Make a FastAPI app that returns ready responses."""
    from fastapi import FastAPI

    return _with_pages(FastAPI(), _SAME)


def fastapi_uncached() -> Any:
    """Make the same with our cache installed and not used."""
    from asynccache import CacheModule, install

    app = fastapi()
    install(app, CacheModule.setup(default="local"))
    return app


def fastapi_cached() -> Any:
    """Make the same with our cache before its handlers."""
    from fastapi import FastAPI

    from asynccache import Cache, CacheModule, install

    app = _with_pages(FastAPI(), Cache(SECONDS))
    install(app, CacheModule.setup(default="local"))
    return app


def fastapi_cached_below_a_dependency() -> Any:
    """Make the same for routes with a dependency, which is called for a hit, too."""
    from fastapi import Depends, FastAPI

    from asynccache import Cache, CacheModule, install

    async def dependency(q: int = 1) -> int:
        return q

    app = _with_pages(FastAPI(dependencies=[Depends(dependency)]), Cache(SECONDS))
    install(app, CacheModule.setup(default="local"))
    return app


def _with_pages(app: Any, decorate: Callable[[Any], Any]) -> Any:
    from starlette.responses import PlainTextResponse

    for path, size in PAGES.items():
        app.get(path)(_page(size, PlainTextResponse, decorate))
    return app


def _page(size: int, response: Callable[[str], Any], decorate: Callable[[Any], Any]) -> Any:
    """Make a handler that returns ready responses, the same ones if nothing is to keep them."""
    body = same(size) if decorate is _SAME else counted(size)

    async def page():
        return response(body())

    return decorate(page)


def fastapi_cache() -> Any:
    """Make a FastAPI app with fastapi-cache2."""
    from fastapi import FastAPI
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.inmemory import InMemoryBackend
    from fastapi_cache.decorator import cache

    @asynccontextmanager
    async def lifespan(app):
        FastAPICache.init(InMemoryBackend())
        yield

    return _with_texts(FastAPI(lifespan=lifespan), cache(expire=SECONDS))


def fastapi_cashews() -> Any:
    """Make a FastAPI app with cashews before its handlers."""
    from cashews import Cache
    from fastapi import FastAPI

    cache = Cache()
    cache.setup("mem://")
    return _with_texts(FastAPI(), cache(ttl=SECONDS))


def _with_texts(app: Any, decorate: Callable[[Any], Any]) -> Any:
    """Let handlers return texts, since these caches keep what handlers return."""

    def page(path: str, size: int) -> Any:
        body = counted(size)

        async def page():
            return body()

        page.__name__ = page.__qualname__ = path.strip("/")  # which their keys are made of
        return decorate(page)

    for path, size in PAGES.items():
        app.get(path)(page(path, size))
    return app


def litestar() -> Any:
    """Make a Litestar app that returns ready responses."""
    return _litestar(_SAME)


def litestar_uncached() -> Any:
    """Make the same with our cache installed and not used."""
    from asynccache import CacheModule
    from asynccache.integrations.litestar import CachePlugin

    return _litestar(_SAME, plugins=[CachePlugin(CacheModule.setup(default="local"))])


def litestar_cached() -> Any:
    """Make the same with our cache before its handlers."""
    from asynccache import Cache, CacheModule
    from asynccache.integrations.litestar import CachePlugin

    return _litestar(Cache(SECONDS), plugins=[CachePlugin(CacheModule.setup(default="local"))])


def litestar_own() -> Any:
    """Make the same with Litestar's own cache."""
    return _litestar(_SAME, of_route={"cache": SECONDS})


def _litestar(decorate: Callable[[Any], Any], of_route: dict[str, Any] | None = None, **options: Any) -> Any:
    from litestar import Litestar, MediaType, Response, get

    def page(size: int) -> Any:
        is_cached = of_route is not None or decorate is not _SAME
        body = counted(size) if is_cached else same(size)

        async def page() -> Response:
            return Response(body(), media_type=MediaType.TEXT)

        page.__annotations__["return"] = Response[str]
        return decorate(page)

    return Litestar([get(path, **of_route or {})(page(size)) for path, size in PAGES.items()], **options)


def ellar() -> Any:
    """Make an Ellar app that returns ready responses."""
    return _ellar(_SAME)


def ellar_uncached() -> Any:
    """Make the same with our cache installed and not used."""
    from asynccache.integrations.ellar import CacheModule

    return _ellar(_SAME, CacheModule.setup(default="local"))


def ellar_cached() -> Any:
    """Make the same with our cache before its handlers."""
    from asynccache import Cache
    from asynccache.integrations.ellar import CacheModule

    return _ellar(Cache(SECONDS), CacheModule.setup(default="local"))


def ellar_own() -> Any:
    """Make the same with Ellar's own cache."""
    from ellar.cache import Cache, CacheModule
    from ellar.cache.backends.local_cache import LocalMemCacheBackend

    return _ellar(Cache(ttl=SECONDS), CacheModule.setup(default=LocalMemCacheBackend()))


def _ellar(decorate: Callable[[Any], Any], *modules: Any) -> Any:
    from ellar.app import AppFactory
    from ellar.common import ModuleRouter, PlainTextResponse

    router = ModuleRouter("")

    for path, size in PAGES.items():
        router.get(path)(_page(size, PlainTextResponse, decorate))
    return AppFactory.create_app(routers=[router], modules=list(modules))
