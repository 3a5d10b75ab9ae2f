"""What users type, as the README promises it: every snippet as it stands, around handlers that count their runs."""

from dataclasses import dataclass
from itertools import count
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, CacheModule, CacheService, Evicts, ICacheService, Inject, cached, inject, install
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.integrations.fastapi import CacheServiceDep
from asynccache.testing import FakeClock, override

runs = count(1)


@dataclass
class Profile:
    user_id: int
    run: int


@Cache(ttl=60)
async def report(request):
    return JSONResponse(next(runs))


@inject
async def visits(request, cache: Inject[ICacheService]):
    return JSONResponse({"visits": await cache.incr_async("visits")})


app = Starlette(routes=[Route("/report", report), Route("/visits", visits)])
install(app, CacheModule.setup(default="local"))


@Cache(ttl=300)  # a controller
class Products(HTTPEndpoint):
    async def get(self, request):
        return JSONResponse(next(runs))


class Product(BaseModel):
    name: str


DB = Annotated[dict, Depends(lambda: table)]
shop, table = FastAPI(), {7: Product(name="tea")}


@shop.get("/products/{product_id}")
@Cache(ttl=60, tags=["product:{product_id}"])
async def product(product_id: int, db: DB) -> Product:
    next(runs)
    return db[product_id]


@shop.put("/products/{product_id}")
@Evicts(tags=["product:{product_id}"])
async def update(product_id: int, body: Product, cache: CacheServiceDep):
    table[product_id] = body
    return await cache.incr_async("updates")


install(shop, CacheModule.setup(default="local"))


def test_fastapi_reads_and_writes():
    with override(shop, default="local"), TestClient(shop) as client:
        seen = [client.get("/products/7") for _ in range(2)]
        assert seen[0].json() == seen[1].json() == {"name": "tea"}
        assert "hit" in seen[1].headers["cache-status"]
        assert client.put("/products/7", json={"name": "cake"}).json() == 1
        assert client.get("/products/7").json() == {"name": "cake"}


def test_the_readmes_app():
    with override(app, default="local"), TestClient(app) as client:
        assert client.get("/report").json() == client.get("/report").json()
        assert [client.get("/visits").json() for _ in range(2)] == [{"visits": 1}, {"visits": 2}]


def test_a_controller():
    shop = Starlette(routes=[Route("/products", Products)])
    install(shop, CacheModule.setup(default="local"))
    with TestClient(shop) as client:
        assert client.get("/products").json() == client.get("/products").json()
    assert isinstance(Products, type)


async def test_a_worker_without_a_web_app(redis_server, unique_prefix):
    async def load():
        return next(runs)

    async with CacheService(default=f"{redis_server.url}?key_prefix={unique_prefix}") as cache:
        first = await cache.get_or_set_async("profile:7", load, ttl=60)
        assert await cache.get_or_set_async("profile:7", load, ttl=60) == first


@cached(ttl=3600)  # a plain function
async def profile(user_id: int) -> Profile:
    return Profile(user_id, next(runs))


async def test_a_function(redis_server, unique_prefix):
    async with CacheService(default=f"{redis_server.url}?key_prefix={unique_prefix}"):  # a worker, no web app
        first = await profile(7)
        assert (await profile(7), type(first)) == (first, Profile)
        await profile.invalidate_async(7)
        assert await profile(7) != first
        assert profile.key(7) == f"{__name__}.profile(user_id=7)"


def test_a_test():
    clock = FakeClock()
    with override(app, default=LocalMemCacheBackend(clock=clock)), TestClient(app) as client:
        client.get("/report")
        assert "hit" in client.get("/report").headers["cache-status"]
        clock.advance(61)
        assert "hit" not in client.get("/report").headers["cache-status"]
