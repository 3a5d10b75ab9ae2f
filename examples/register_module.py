"""Register the cache: several backends by name, each for its own purpose.

A backend is an instance, a URL or a bare word, so that a deployment changes it without touching the code:
`CacheModule.register_setup("settings")` takes `CACHES` of a module, and `CacheModule.register_setup()` the environment.

Run it: uvicorn examples.register_module:app
"""

from datetime import timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asynccache import Cache, CacheModule, get_cache_service, install
from asynccache.backends.local_cache import LocalMemCacheBackend


@Cache(ttl=60, backend="pages")
async def menu(request: Request) -> JSONResponse:
    return JSONResponse(["soup", "salad", "cake"])


async def put_into_basket(request: Request) -> JSONResponse:
    basket = request.path_params["basket"]
    count = await get_cache_service(request).incr_async(basket, backend="baskets")
    return JSONResponse({"basket": basket, "dishes": count})


async def stats(request: Request) -> JSONResponse:
    return JSONResponse(get_cache_service(request).stats())


app = Starlette(
    routes=[
        Route("/menu", menu),
        Route("/baskets/{basket}", put_into_basket, methods=["POST"]),
        Route("/stats", stats),
    ]
)
install(
    app,
    CacheModule.setup(
        default="local",  # a bare word; "redis" takes its address from REDIS_URL
        pages="local://?key_prefix=pages&max_entries=10000",  # a URL; "redis://localhost:6379/0?key_prefix=pages"
        baskets=LocalMemCacheBackend(key_prefix="basket", ttl=timedelta(days=1)),  # an instance
    ),
)
