"""`@Cache(query=...)` in Ellar: what a page is not kept by is seen by nobody within the route."""

import pytest
from ellar.app import AppFactory
from ellar.common import ModuleRouter
from ellar.core import Request
from ellar.testing import TestClient

from asynccache import Cache, ConfigurationError
from asynccache.integrations.ellar import CacheModule
from tests.http.serving import is_hit


def client_of(router):
    app = AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default="local")])
    return TestClient(app)


@pytest.mark.parametrize("query", [["page"], ["-utm_*", "-x"]], ids=["allowed", "left out"])
def test_what_is_left_out_is_not_seen(query):
    router = ModuleRouter("/r")

    @router.get("/")
    @Cache(60, query=query)
    async def page(request: Request, page: int, x: str = "-"):
        return {"page": page, "x": x, "url": request.url.query, "all": dict(request.query_params)}

    client = client_of(router)
    first = client.get("/r/?utm_source=a&page=2&x=evil")
    assert first.json() == {"page": 2, "x": "-", "url": "page=2", "all": {"page": "2"}}
    assert is_hit(client.get("/r/?page=2&x=other&utm_medium=b"))
    assert not is_hit(client.get("/r/?page=3"))


def test_nobody_knows_what_is_declared():
    router = ModuleRouter("/r")

    @router.get("/")
    @Cache(60, query="declared")
    async def page():
        return 1

    with pytest.raises(ConfigurationError, match="nobody knows"):
        client_of(router)
