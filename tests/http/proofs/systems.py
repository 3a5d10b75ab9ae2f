"""The caches that are to be proved, each around the same application: `@Cache` in three frameworks, `CacheMiddleware`.

An application is a function of a request, in any framework's form, that gives an ASGI app, which answers.
"""

import fastapi
import litestar
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from asynccache import Cache, CacheModule, install
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


def starlette_app(answering, backend=None, **options):
    @Cache(**{"ttl": 60} | options)
    async def handler(request):
        return await answering(request)

    app = Starlette(routes=[Route("/{rest:path}", handler, methods=METHODS)])
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


DECORATED = {"Starlette": starlette_app, "FastAPI": fastapi_app, "Litestar": litestar_app}
