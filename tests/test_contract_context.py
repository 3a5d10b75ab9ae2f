"""A key callback is told the same of a request, whatever framework serves it."""

import asyncio

import fastapi
import flask
import litestar
import pytest
import quart
from fastapi.testclient import TestClient
from litestar.testing import TestClient as LitestarClient
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asynccache import Cache, CacheModule, ICacheService, install
from asynccache.integrations.flask import Caching as FlaskCaching
from asynccache.integrations.litestar import CachePlugin
from asynccache.integrations.quart import Caching as QuartCaching
from asynccache.utils import get_name

PATH = "/items/7?sort=name"
HEADERS = {"accept-language": "de"}


@pytest.fixture
def told():
    return []


@pytest.fixture
def cache(told):
    """Decorate a handler, whose callback notes what it is told."""

    def tell(ctx, key_prefix):
        told.append(
            {
                "handler": get_name(ctx.get_handler()),
                "controller": ctx.get_class(),
                "app": type(ctx.get_app()).__name__,
                "path": ctx.switch_to_http_connection().get_client().url.path,
                "method": ctx.method,
                "path_params": {name: str(value) for name, value in ctx.path_params.items()},
                "query_params": dict(ctx.query_params),
                "language": ctx.headers["accept-language"],
                "service": isinstance(ctx.get(ICacheService), ICacheService),
                "key_prefix": key_prefix,
            }
        )
        return "key"

    return Cache(ttl=60, key_prefix="shop", make_key_callback=tell)


def ask_starlette(cache):
    @cache
    async def item(request):
        return PlainTextResponse("")

    app = Starlette(routes=[Route("/items/{number:int}", item)])
    install(app, CacheModule.setup(default="local"))
    with TestClient(app) as client:
        client.get(PATH, headers=HEADERS)


def ask_fastapi(cache):
    app = fastapi.FastAPI()

    @app.get("/items/{number}")
    @cache
    async def item(number: int, sort: str): ...

    install(app, CacheModule.setup(default="local"))
    with TestClient(app) as client:
        client.get(PATH, headers=HEADERS)


def ask_litestar(cache):
    @litestar.get("/items/{number:int}")
    @cache
    async def item() -> str:
        return ""

    with LitestarClient(litestar.Litestar([item], plugins=[CachePlugin(CacheModule.setup(default="local"))])) as client:
        client.get(PATH, headers=HEADERS)


def ask_flask(cache):
    app = flask.Flask(__name__)

    @app.get("/items/<int:number>")
    @cache
    def item(number):
        return ""

    FlaskCaching(app, CacheModule.setup(default="local"))
    app.test_client().get(PATH, headers=HEADERS)


def ask_quart(cache):
    app = quart.Quart(__name__)

    @app.get("/items/<int:number>")
    @cache
    async def item(number):
        return ""

    QuartCaching(app, CacheModule.setup(default="local"))
    asyncio.run(app.test_client().get(PATH, headers=HEADERS))


@pytest.mark.parametrize(
    ("ask", "app"),
    [
        (ask_starlette, "Starlette"),
        (ask_fastapi, "FastAPI"),
        (ask_litestar, "Litestar"),
        (ask_flask, "Flask"),
        (ask_quart, "Quart"),
    ],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_a_key_callback_is_told_the_same_by_all(ask, app, cache, told):
    ask(cache)
    assert told == [
        {
            "handler": "item",
            "controller": None,
            "app": app,
            "path": "/items/7",
            "method": "GET",
            "path_params": {"number": "7"},
            "query_params": {"sort": "name"},
            "language": "de",
            "service": True,
            "key_prefix": "shop",
        }
    ]
