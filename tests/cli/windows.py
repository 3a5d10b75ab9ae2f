"""An app for `explain`: pages that are cached for each reason there is, and not for each."""

from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asynccache import Cache, CacheMiddleware, CacheModule, CacheService, install

AWAY = "redis://127.0.0.1:1"
FRESH = {"cache-control": "max-age=60", "etag": '"1"'}
calls = []


@Cache(ttl=60, tags=["products"])
async def products(request):
    return PlainTextResponse(f"in {request.headers.get('accept-language')}")


@Cache(ttl=60)
async def basket(request):
    return PlainTextResponse(request.cookies.get("basket", "empty"))


@Cache(ttl=0)
async def brief(request):
    return PlainTextResponse("x")


def page(**headers):
    async def plain(request):
        calls.append(request.method)
        return PlainTextResponse("x", headers={name.replace("_", "-"): value for name, value in headers.items()})

    return plain


async def broken(request):
    raise RuntimeError("no stock")


ROUTES = [
    Route("/products", products),
    Route("/basket", basket),
    Route("/brief", brief),
    Route("/fresh", page(**FRESH), methods=["GET", "POST"]),
    Route("/private", page(cache_control="private, max-age=60")),
    Route("/checked", page(cache_control="no-cache", etag='"1"')),
    Route("/login", page(cache_control="max-age=60", set_cookie="session=secret")),
    Route("/guess", page(last_modified="Sat, 01 Aug 2026 00:00:00 GMT")),
    Route("/edge", page(cache_control="no-store", cdn_cache_control="max-age=600")),
    Route("/odd", page(cache_control="max-age=60", vary="*")),
    Route("/broken", broken),
]
app = Starlette(routes=ROUTES)
install(app, CacheModule.setup(default=AWAY, pages=AWAY))


def create_app():
    return CacheMiddleware(Starlette(routes=ROUTES), AWAY, default_ttl=60)


lazy = Starlette(routes=ROUTES)
lazy.add_middleware(CacheMiddleware, service=AWAY, default_ttl=60)  # it is made when the app is first called


@asynccontextmanager
async def _stays_down(app):
    raise RuntimeError("no database")
    yield


down = Starlette(lifespan=_stays_down)


@asynccontextmanager
async def _with_a_cache(app):
    async with CacheService(default=AWAY) as cache:
        yield {"cache": cache}


async def counted(request):
    return PlainTextResponse(f"{await request.state.cache.incr_async('visits')}")


late = Starlette(routes=[Route("/", counted)], lifespan=_with_a_cache)


async def silent(scope, receive, send):
    """Give no answer, and know of no lifespan."""
    raise ValueError(f"what is {scope['type']}?")
