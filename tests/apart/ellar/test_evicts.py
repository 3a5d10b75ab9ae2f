"""`@Evicts` in Ellar: on functions and controllers, next to `@Cache`, in either order."""

import itertools

import pytest
from ellar.app import AppFactory
from ellar.common import Controller, ControllerBase, ModuleRouter, delete, get, put
from ellar.core import Request
from ellar.testing import TestClient
from starlette.exceptions import HTTPException

from asynccache import Cache, ConfigurationError, Evicts
from asynccache.integrations.ellar import CacheModule
from tests.http.serving import is_hit

TAGS = ["product:{product_id}"]


def client_of(*controllers, routers=()):
    app = AppFactory.create_app(controllers=controllers, routers=routers, modules=[CacheModule.setup(default="local")])
    return TestClient(app, raise_server_exceptions=False)


def is_gone(client, at, method, path=None):
    client.get(at)
    assert is_hit(client.get(at))
    client.request(method, path or at)
    return not is_hit(client.get(at))


def products():
    numbers = itertools.count(1)

    class ProductsController(ControllerBase):
        @get("/{product_id:int}")
        async def product(self, product_id: int):
            return next(numbers)

        @put("/{product_id:int}")
        async def update(self, product_id: int, status: int = 200):
            if status != 200:
                raise HTTPException(status)
            return product_id

        @delete("/{product_id:int}")
        def remove(self, product_id: int):
            return product_id

    return ProductsController


@pytest.mark.parametrize("order", ["evicts above", "cache above"])
def test_controllers(order):
    evicts, cache = Evicts(tags=TAGS), Cache(60, tags=TAGS)
    kind = evicts(cache(products())) if order == "evicts above" else cache(evicts(products()))
    client = client_of(Controller("/p")(kind))
    assert is_gone(client, "/p/7", "PUT")
    assert is_gone(client, "/p/7", "DELETE")
    assert not is_gone(client, "/p/7", "PUT", "/p/8")
    assert not is_gone(client, "/p/7", "PUT", "/p/7?status=409")
    assert not is_gone(client, "/p/7", "GET")


@pytest.mark.parametrize("place", ["above", "below"])
def test_functions(place):
    router = ModuleRouter("/r")

    @router.get("/{product_id:int}")
    @Cache(60, tags=TAGS)
    async def product(product_id: int):
        return product_id

    def update(request: Request, product_id: int):
        return product_id

    if place == "above":
        Evicts(tags=TAGS)(router.put("/{product_id:int}")(update))
    else:
        router.put("/{product_id:int}")(Evicts(tags=TAGS)(update))
    assert is_gone(client_of(routers=[router]), "/r/7", "PUT")


def test_what_is_wrong_is_told_when_the_app_is_made():
    router = ModuleRouter("/r")

    @router.get("/")
    @Evicts(tags=["a"])
    async def reads():
        return 1

    with pytest.raises(ConfigurationError, match="only read"):
        client_of(routers=[router])
