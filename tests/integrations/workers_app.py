"""The app of test_workers: each worker counts and caches in the store that ASYNCCACHE_URL names."""

import os

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from asynccache import Cache, CacheModule, get_cache_service, install


async def count(request):
    visits = await get_cache_service(request).incr_async("visits")
    return JSONResponse({"pid": os.getpid(), "visits": visits})


@Cache(ttl=60)
async def page(request):
    return JSONResponse({"run": await get_cache_service(request).incr_async("runs")})


app = Starlette(routes=[Route("/count", count), Route("/page", page)])
install(app, CacheModule.register_setup())
