"""Pages go by the name of their route and its parameters, as the frameworks make URLs of them."""

import pytest
from fastapi import FastAPI, Request
from litestar import Litestar, get, post
from litestar import Request as LitestarRequest
from litestar.di import NamedDependency
from litestar.params import FromPath
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from asynccache import Cache, CacheModule, ICacheService, get_cache_service, install
from asynccache.integrations.fastapi import CacheServiceDep
from asynccache.integrations.litestar import CachePlugin
from tests.http.serving import ask

AT = "/shop/products/7"


def starlette_app():
    @Cache(60)
    async def product(request):
        return JSONResponse(request.path_params["product_id"])

    async def change(request):
        url = request.url_for("shop:product", product_id=7)
        return JSONResponse(await get_cache_service(request).invalidate_url_async(url))

    shop = Mount("/shop", routes=[Route("/products/{product_id:int}", product, name="product")], name="shop")
    app = Starlette(routes=[shop, Route("/change", change, methods=["POST"])])
    install(app, CacheModule.setup(default="local"))
    return app


def fastapi_app():
    app = FastAPI()

    @app.get("/shop/products/{product_id}")
    @Cache(60)
    async def product(product_id: int) -> int:
        return product_id

    @app.post("/change")
    def change(request: Request, cache: CacheServiceDep) -> bool:
        return cache.invalidate_url(request.url_for("product", product_id=7))

    install(app, CacheModule.setup(default="local"))
    return app


def litestar_app():
    @get("/shop/products/{product_id:int}", name="product")
    @Cache(60)
    async def product(product_id: FromPath[int]) -> int:
        return product_id

    @post("/change", status_code=200)
    async def change(request: LitestarRequest, cache_service: NamedDependency[ICacheService]) -> bool:
        return await cache_service.invalidate_url_async(request.url_for("product", product_id=7))

    return Litestar([product, change], plugins=[CachePlugin(CacheModule.setup(default="local"))])


APPS = {"starlette": starlette_app, "fastapi": fastapi_app, "litestar": litestar_app}


class WithHost:
    """Asks with a Host of its own, as a server does: there is one line."""

    def __init__(self, app, host, scheme="http", root_path=""):
        self.app = app
        self.told = (b"host", host)
        self.more = {"scheme": scheme, "root_path": root_path}

    async def __call__(self, scope, receive, send):
        root = self.more["root_path"]
        path = root + scope["path"]
        own = {"headers": [self.told], "path": path, "raw_path": path.encode()}
        await self.app({**scope, **self.more, **own}, receive, send)


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", [b"h", b"Shop.Example:8000", b"h:80", b"[::1]:8000"])
@pytest.mark.parametrize("framework", APPS)
async def test_a_page_goes_by_the_name_of_its_route(framework, host, scheme):
    app = WithHost(APPS[framework](), host, scheme)
    await ask(app, AT)
    assert (await ask(app, AT)).cache == "hit"
    assert (await ask(app, "/change", method="POST")).body == b"true"
    assert (await ask(app, AT)).cache != "hit"


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
async def test_behind_a_proxy_that_serves_the_app_below_a_path(framework):
    app = WithHost(APPS[framework](), b"h", root_path="/api")
    await ask(app, AT)
    assert (await ask(app, "/change", method="POST")).body == b"true"


@pytest.mark.parametrize("framework", APPS)
async def test_each_host_has_a_page_of_its_own(framework):
    app = APPS[framework]()
    one, other = WithHost(app, b"one.example"), WithHost(app, b"other.example")
    for at in (one, other):
        await ask(at, AT)
    assert (await ask(one, "/change", method="POST")).body == b"true"
    assert (await ask(one, AT)).cache != "hit"
    assert (await ask(other, AT)).cache == "hit"


@pytest.mark.parametrize("framework", ["starlette", "fastapi"])
async def test_without_a_request_the_public_address_is_named(framework):
    app = APPS[framework]()
    await ask(WithHost(app, b"shop.example", "https"), AT)
    path = app.url_path_for("shop:product" if framework == "starlette" else "product", product_id=7)
    assert await get_cache_service(app).invalidate_url_async(path.make_absolute_url("https://shop.example"))
