"""`@Evicts` in FastAPI, Litestar, Flask and Quart: next to `@Cache`, on functions and controllers, sync and async."""

import asyncio
import itertools
from contextlib import suppress
from types import SimpleNamespace

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.exceptions import ResponseValidationError
from litestar import Controller, Litestar, delete, get, post, put
from litestar import Response as LitestarResponse
from litestar.params import FromPath, FromQuery
from pydantic import BaseModel
from starlette.routing import Mount

from asynccache import (
    Cache,
    CacheModule,
    ConfigurationError,
    Evicts,
    ICacheService,
    Inject,
    UnknownBackendError,
    inject,
    install,
)
from asynccache.backends.redis import RedisCacheBackend
from asynccache.integrations.fastapi import CacheServiceDep
from asynccache.integrations.litestar import CachePlugin
from tests.http.serving import ask
from tests.integrations.views.sites import Site

AT = "/products/7"
TAGS = ["product:{product_id}"]
ALIVE = None
DEAD = "redis://127.0.0.1:1"


def fastapi_site(modules):
    app, numbers = FastAPI(), itertools.count(1)
    router = APIRouter(prefix="/products")

    @router.get("/{product_id}")
    @Cache(60, tags=TAGS)
    async def product(product_id: int):
        return next(numbers)

    @router.put("/{product_id}")
    @Evicts(tags=TAGS)
    async def update(product_id: int, status: int = 200):
        if status != 200:
            raise HTTPException(status)

    @router.delete("/{product_id}", status_code=204)
    @Evicts(tags=TAGS)
    def remove(product_id: int) -> None:
        return None

    app.include_router(router)
    install(app, modules)
    return app


def litestar_site(modules):
    numbers = itertools.count(1)

    @Evicts(tags=TAGS)
    @Cache(60, tags=TAGS)
    class Products(Controller):
        path = "/products"

        @get("/{product_id:int}")
        async def product(self, product_id: FromPath[int]) -> int:
            return next(numbers)

        @put("/{product_id:int}")
        async def update(self, product_id: FromPath[int], status: FromQuery[int] = 200) -> LitestarResponse[None]:
            return LitestarResponse(None, status_code=status)

        @delete("/{product_id:int}", sync_to_thread=True)
        def remove(self, product_id: FromPath[int]) -> None:
            return None

    return Litestar([Products], plugins=[CachePlugin(modules)])


def view_site(framework, modules):
    site, numbers = Site(framework, modules), itertools.count(1)

    @site.app.get("/products/<int:product_id>")
    @Cache(60, tags=TAGS)
    def product(product_id):
        return str(next(numbers))

    @site.app.put("/products/<int:product_id>")
    @Evicts(tags=TAGS)
    async def update(product_id):
        return "", int(site.web.request.args.get("status", 200))

    @Evicts(tags=TAGS)
    class Removing(site.views.MethodView):
        def delete(self, product_id):
            return "", 204

    site.app.add_url_rule("/products/<int:product_id>", view_func=Removing.as_view("removing"))
    return site


class Asgi:
    """An ASGI app, asked as a site of views is."""

    def __init__(self, app):
        self.app = app

    async def ask(self, path, *, method="GET"):
        answer = await ask(self.app, path, method=method)
        return SimpleNamespace(status_code=answer.status, headers={"cache-status": answer.header("cache-status")})


def site_of(framework, default="local"):
    modules = CacheModule.setup(default=default)
    match framework:
        case "fastapi":
            return Asgi(fastapi_site(modules))
        case "litestar":
            return Asgi(litestar_site(modules))
    return view_site(framework, modules)


FRAMEWORKS = ["fastapi", "litestar", "flask", "quart"]


async def is_gone(site, path, method):
    await site.ask(AT)
    assert "hit" in (await site.ask(AT)).headers["cache-status"]
    await site.ask(path, method=method)
    return "hit" not in (await site.ask(AT)).headers["cache-status"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_what_was_changed_is_gone(framework):
    site = site_of(framework)
    assert await is_gone(site, AT, "PUT")
    assert await is_gone(site, AT, "DELETE")
    assert not await is_gone(site, "/products/8", "PUT")
    assert not await is_gone(site, f"{AT}?status=409", "PUT")
    assert not await is_gone(site, AT, "GET")


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_an_eviction_that_fails_is_answered_as_a_failure(framework):
    site = site_of(framework, RedisCacheBackend(DEAD))
    if framework == "quart":  # whose test client raises what the server would answer with 500
        with pytest.raises(ConnectionError):
            await site.ask(AT, method="PUT")
    elif framework == "fastapi":  # Starlette answers, and raises for the server's log
        sent = []

        async def note(message):
            sent.append(message)

        with pytest.raises(ConnectionError):
            await ask(site.app, AT, method="PUT", send=note)
        assert sent[0]["status"] == 500
    else:
        assert (await site.ask(AT, method="PUT")).status_code == 500


class Product(BaseModel):
    id: int
    name: str


def fastapi_app(*routes):
    app = FastAPI()
    for add in routes:
        add(app)
    install(app, CacheModule.setup(default="local"))
    return app


async def is_evicted(app, path="/7", **options):
    """Tell whether what has the tag `product:7` is gone after a request."""
    service = app.state.asynccache.service
    await service.set_async("a", 1, tags=["product:7"])
    with suppress(ResponseValidationError):  # as the server logs it
        await ask(app, path, **options)
    return not await service.has_key_async("a")


@pytest.mark.parametrize("name", ["tea", None])
async def test_fastapi_answers_that_are_not_what_was_promised_evict_nothing(name):
    app = FastAPI()

    @app.put("/{product_id}", response_model=Product)
    @Evicts(tags=TAGS)
    async def update(product_id: int):
        return {"id": product_id, "name": name}

    install(app, CacheModule.setup(default="local"))
    assert await is_evicted(app, method="PUT") is (name is not None)


@pytest.mark.parametrize("fails", [False, True])
async def test_fastapi_dependencies_that_fail_when_they_are_closed_evict_nothing(fails):
    app, order = FastAPI(), []

    async def transaction():
        yield
        order.append("commit")
        if fails:
            raise HTTPException(409)

    @app.put("/{product_id}", dependencies=[Depends(transaction, scope="function")])
    @Evicts(tags=TAGS)
    async def update(product_id: int):
        order.append("write")

    install(app, CacheModule.setup(default="local"))
    assert await is_evicted(app, method="PUT") is not fails
    assert order == ["write", "commit"]


async def test_fastapi_a_body_a_dependency_and_a_parameter_of_the_path_that_the_handler_does_not_take():
    app = FastAPI()

    @app.put("/{product_id}")
    @Evicts(tags=["product:{product_id}"])
    async def update(body: Product, cache: CacheServiceDep, product_id: int) -> Product:
        await cache.set_async("b", 1)
        return body

    @app.post("/{product_id}")
    @Evicts(tags=["product:{product_id}"])
    @inject
    def create(product_id: int, cache: Inject[ICacheService]) -> bool:
        return cache.set("c", 1)

    install(app, CacheModule.setup(default="local"))
    headers = [(b"content-type", b"application/json")]
    assert await is_evicted(app, method="PUT", body=b'{"id": 7, "name": "tea"}', headers=headers)
    assert not await is_evicted(app, method="PUT", body=b"{}", headers=headers)
    assert await is_evicted(app, method="POST")
    assert "requestBody" in app.openapi()["paths"]["/{product_id}"]["put"]


async def test_fastapi_a_mounted_app():
    inner, outer = FastAPI(), FastAPI()

    @inner.put("/{product_id}")
    @Evicts(tags=TAGS)
    async def update(product_id: int): ...

    outer.router.routes.append(Mount("/shop", inner))
    install(outer, CacheModule.setup(default="local"))
    assert await is_evicted(outer, "/shop/7", method="PUT")


async def test_fastapi_what_is_wrong_is_told_at_the_start():
    app = FastAPI()

    @Evicts(tags=TAGS)
    @app.put("/{product_id}")
    async def update(product_id: int): ...

    install(app, CacheModule.setup(default="local"))
    with pytest.raises(ConfigurationError, match="above the route decorator"):
        async with app.router.lifespan_context(app):
            pass


def test_litestar_what_is_wrong_is_told_when_the_app_is_made():
    @get("/", sync_to_thread=False)
    @Evicts(tags=["a"])
    def reads() -> None: ...

    @Evicts(tags=["a"], backend="none")
    @post("/", sync_to_thread=False)
    def writes() -> None: ...

    for handler, error, match in ((reads, ConfigurationError, "only read"), (writes, UnknownBackendError, "'none'")):
        with pytest.raises(error, match=match):
            Litestar([handler], plugins=[CachePlugin(CacheModule.setup(default="local"))])


@pytest.mark.parametrize("framework", ["flask", "quart"])
async def test_views_what_is_wrong_is_told_before_the_first_request(framework):
    site = Site(framework)
    site.app.testing = True

    @Evicts(tags=["a"])
    @site.app.post("/")
    def update(): ...

    with pytest.raises(ConfigurationError, match="above the route decorator"):
        await site.ask("/")


@pytest.mark.parametrize("framework", ["flask", "quart"])
async def test_views_one_view_may_read_and_write(framework):
    site, numbers = Site(framework), itertools.count(1)

    @site.app.route("/<int:product_id>", methods=["GET", "POST"])
    @Evicts(tags=TAGS)
    @Cache(60, tags=TAGS)
    def product(product_id):
        return str(next(numbers))

    answers = [(await site.ask("/7", method=method)).text for method in ("GET", "GET", "POST", "GET", "GET")]
    assert answers == ["1", "1", "2", "3", "3"]


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_many_at_once_evict_each_their_own(framework):
    site = site_of(framework)
    paths = [f"/products/{number}" for number in range(8)]
    await asyncio.gather(*(site.ask(path) for path in paths))
    await asyncio.gather(*(site.ask(path, method="PUT") for path in paths[::2]))
    states = [(await site.ask(path)).headers["cache-status"] for path in paths]
    assert ["hit" in state for state in states] == [False, True] * 4
