"""The caches that are to be proved, each around the same application: `@Cache` in three frameworks, `CacheMiddleware`.

An application is a function of a request, in any framework's form, that gives an ASGI app, which answers.
"""

import fastapi
import litestar
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asynccache import Cache, CacheMiddleware, CacheModule, CacheService, get_cache_service, install
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.integrations.litestar import CachePlugin

METHODS = ["GET", "HEAD", "POST", "PUT"]


class Raw(Response):
    """What FastAPI passes on as it is."""

    def __init__(self, app):
        super().__init__()
        self._app = app

    async def __call__(self, scope, receive, send):
        await self._app(scope, receive, send)


class LateRaw(litestar.Response):
    """What Litestar passes on as it is."""

    def __init__(self, app):
        super().__init__(None)
        self._app = app

    def to_asgi_response(self, *args, **kwargs):
        return self._app


def module_of(backend=None):
    return CacheModule.setup(default=LocalMemCacheBackend() if backend is None else backend)


def starlette_app(answering, backend=None, middleware=(), **options):
    @Cache(**{"ttl": 60} | options)
    async def handler(request):
        return await answering(request)

    app = Starlette(routes=[Route("/{rest:path}", handler, methods=METHODS)], middleware=list(middleware))
    install(app, module_of(backend))
    return app


def fastapi_app(answering, backend=None, **options):
    app = fastapi.FastAPI(openapi_url=None)

    @app.api_route("/{rest:path}", methods=METHODS)
    @Cache(**{"ttl": 60} | options)
    async def handler(rest: str, request: fastapi.Request):
        return Raw(await answering(request))

    install(app, module_of(backend))
    return app


def litestar_app(answering, backend=None, **options):
    @litestar.route("/{rest:path}", http_method=METHODS, status_code=200)
    @Cache(**{"ttl": 60} | options)
    async def handler(request: litestar.Request) -> litestar.Response:
        return LateRaw(await answering(request))

    plugin = CachePlugin(module_of(backend))
    return litestar.Litestar([handler], plugins=[plugin], openapi_config=None, logging_config=None)


def bare_app(answering):
    """Make an app without any framework."""

    async def app(scope, receive, send):
        answer = await answering(Request(scope, receive))
        await answer(scope, receive, send)

    return app


def safe_edge(answering, backend=None, **options):
    return edge_of(answering, backend, "safe", **options)


def full_edge(answering, backend=None, **options):
    return edge_of(answering, backend, "rfc9111", **options)


def edge_of(answering, backend, profile, *, enabled=True, **options):
    if not enabled:
        return bare_app(answering)
    service = CacheService(default=LocalMemCacheBackend() if backend is None else backend)
    app = CacheMiddleware(bare_app(answering), service, profile=profile, **options)
    app.service = service
    return app


def edge_of_decorated(answering, backend=None, **options):
    """Let a `CacheMiddleware` answer what a decorated handler has stored, before it is routed."""
    app = starlette_app(answering, backend, edge=True, **options)
    return CacheMiddleware(app) if options.get("enabled", True) else app


def service_in(app):
    """Give the service that an app of these stores by."""
    if isinstance(app, CacheMiddleware):
        return getattr(app, "service", None) or get_cache_service(app.app)
    return get_cache_service(app)


def edge_around_decorated(answering, backend=None, **options):
    """Let a `CacheMiddleware` go by what a decorated handler says of its pages."""
    return CacheMiddleware(starlette_app(answering, backend, **options))


EDGES = {"safe": safe_edge, "rfc9111": full_edge}
DECORATED = {
    "Starlette": starlette_app,
    "FastAPI": fastapi_app,
    "Litestar": litestar_app,
    "edge=True": edge_of_decorated,
}
