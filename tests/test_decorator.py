"""`@Cache`: what it takes, what it decorates, and what it says where that cannot work."""

import inspect
import math
from datetime import timedelta

import pytest
from injector import Module, provider
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from asynccache import Cache, CacheModule, ConfigurationError, Inject, UnknownBackendError, inject, install
from asynccache.decorator import cached_settings
from tests.http.serving import client_of, is_hit


class Shop:
    name = "shop"


class ShopModule(Module):
    @provider
    def shop(self) -> Shop:
        return Shop()


async def plain(request):
    return PlainTextResponse("x")


async def generating(request):
    yield b"x"


def generating_too(request):
    yield b"x"


async def talking(websocket):
    await websocket.accept()


async def talking_typed(ws: WebSocket):
    await ws.accept()


class Talking(WebSocketEndpoint):
    async def on_receive(self, websocket, data): ...


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ttl": math.nan}, ValueError, "NaN"),
        ({"ttl": "60"}, TypeError, "a ttl is a number"),
        ({"ttl": True}, TypeError, "a ttl is a number"),
        ({"ttl": plain}, ConfigurationError, r"write @Cache\(\)"),
        ({"key_prefix": 1}, TypeError, "key_prefix=1: give str"),
        ({"key_prefix": None}, TypeError, "key_prefix=None"),
        ({"version": 1.5}, TypeError, "version=1.5: give str or int"),
        ({"version": True}, TypeError, "version=True"),
        ({"backend": None}, TypeError, "backend=None"),
        ({"make_key_callback": "key"}, TypeError, "make_key_callback='key'"),
        ({"vary": "accept"}, TypeError, r"give a collection of names, e.g. \('accept',\)"),
        ({"vary": (b"accept",)}, TypeError, "give names as str"),
        ({"vary": ("*",)}, ConfigurationError, "would never hit"),
        ({"vary": ("a b",)}, ConfigurationError, "no name in HTTP"),
        ({"vary": tuple(f"x-{n}" for n in range(9))}, ConfigurationError, "9 headers"),
        ({"public": 1}, TypeError, "public=1"),
        ({"methods": "GET"}, TypeError, "methods='GET'"),
        ({"methods": ()}, ConfigurationError, "enabled=False"),
        ({"enabled": "no"}, TypeError, "True or False"),
        ({"methods": ("HEAD",)}, ConfigurationError, "add 'GET'"),
        ({"methods": ("GE T",)}, ConfigurationError, "no name in HTTP"),
        ({"statuses": 200}, TypeError, "statuses=200"),
        ({"statuses": ("200",)}, TypeError, "'200'"),
        ({"statuses": (500,)}, ConfigurationError, "statuses has 500"),
        ({"statuses": (206,)}, ConfigurationError, "statuses has 206"),
        ({"statuses": (304,)}, ConfigurationError, "statuses has 304"),
        ({"max_body": -1}, ConfigurationError, "max_body=-1"),
        ({"max_body": 1.5}, TypeError, "max_body=1.5"),
        ({"tags": "a:{b}"}, TypeError, "one tag"),
        ({"tags": ["a:{b.c}"]}, ConfigurationError, "in braces"),
        ({"policy": 60}, TypeError, "CachePolicy"),
    ],
)
def test_bad_arguments_are_named_at_once(arguments, error, message):
    with pytest.raises(error, match=message):
        Cache(**arguments)


def test_bare_it_says_what_to_write():
    with pytest.raises(ConfigurationError, match=r"write @Cache\(\)"):

        @Cache
        async def handler(request): ...


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        (generating, ConfigurationError, "return a StreamingResponse"),
        (generating_too, ConfigurationError, "return a StreamingResponse"),
        (talking, ConfigurationError, "a websocket"),
        (talking_typed, ConfigurationError, "a websocket"),
        (Talking, ConfigurationError, "no handler for"),
        (Shop, ConfigurationError, "no handler for"),
        (Shop(), TypeError, "functions, methods and controller classes"),
        (PlainTextResponse("x"), TypeError, "functions, methods and controller classes"),
        (Cache()(plain), ConfigurationError, "twice"),
    ],
)
def test_what_cannot_be_decorated_is_refused_at_once(target, error, message):
    with pytest.raises(error, match=message):
        Cache()(target)


def test_ttls_may_be_given_in_every_way():
    for ttl in (None, 1, 0.5, timedelta(minutes=1), math.inf):
        assert cached_settings(Cache(ttl)(plain)).ttl == ttl


def test_methods_may_be_written_in_lower_case():
    assert cached_settings(Cache(methods=["get", "Post"])(plain)).methods == {"GET", "POST"}


def test_a_decorated_function_keeps_its_name_its_signature_and_resolves_its_annotations():
    async def handler(request: "Request", number: "int" = 3) -> "PlainTextResponse":
        """Do it."""

    wrapped = Cache()(handler)
    assert (wrapped.__name__, wrapped.__doc__, wrapped.__wrapped__) == ("handler", "Do it.", handler)
    parameters = inspect.signature(wrapped).parameters
    assert [parameter.annotation for parameter in parameters.values()] == [Request, int]
    assert wrapped.__annotations__ == {"request": Request, "number": int, "return": PlainTextResponse}
    assert inspect.iscoroutinefunction(wrapped)


def test_annotations_that_nobody_knows_yet_stay():
    async def handler(request: "Later"): ...  # noqa: F821

    assert Cache()(handler).__annotations__ == {"request": "Later"}


def test_a_class_comes_back_itself():
    class Pages(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("x")

    assert Cache(60)(Pages) is Pages
    assert cached_settings(Pages).ttl == 60
    client = client_of(Route("/", Pages))
    client.get("/")
    assert is_hit(client.get("/"))


class Base(HTTPEndpoint):
    calls = 0

    async def get(self, request):
        Base.calls += 1
        return PlainTextResponse(f"base {Base.calls}")

    @Cache(5)
    async def query(self, request): ...

    def post(self, request):
        return PlainTextResponse("posted")


def test_a_decorated_subclass_caches_what_it_inherits_and_leaves_the_base_alone():
    @Cache(60)
    class Sub(Base): ...

    client = client_of(Route("/sub", Sub), Route("/base", Base))
    assert not is_hit(client.get("/sub"))
    assert is_hit(client.get("/sub"))
    assert "cache-status" not in client.get("/base").headers
    assert "cache-status" not in client.post("/sub").headers
    assert cached_settings(Base) is None


def test_a_handlers_own_cache_wins_and_a_subclass_wins_over_its_base():
    @Cache(60, methods=("GET", "QUERY"))
    class Sub(Base): ...

    @Cache(90)
    class Grandchild(Sub): ...

    assert cached_settings(Sub.query).ttl == 5
    assert cached_settings(Sub.get).ttl == 60
    assert cached_settings(Grandchild.get).ttl == 90
    assert Grandchild.get.__wrapped__ is Base.get
    assert cached_settings(Sub.get).ttl == 60


def test_sync_methods_of_a_class_are_cached():
    @Cache(60)
    class Pages(HTTPEndpoint):
        def get(self, request):
            return PlainTextResponse("sync")

    client = client_of(Route("/", Pages))
    client.get("/")
    assert is_hit(client.get("/"))


def test_a_method_alone_is_cached():
    class Pages(HTTPEndpoint):
        @Cache(60)
        async def get(self, request):
            return PlainTextResponse("x")

    client = client_of(Route("/", Pages))
    client.get("/")
    assert is_hit(client.get("/"))


def test_a_subclass_that_overrides_and_calls_the_base_is_one_page():
    @Cache(60)
    class Parent(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("parent")

    @Cache(60)
    class Child(Parent):
        async def get(self, request):
            inner = await super().get(request)
            return PlainTextResponse(inner.body + b" child")

    client = client_of(Route("/", Child))
    assert client.get("/").text == "parent child"
    again = client.get("/")
    assert is_hit(again)
    assert again.text == "parent child"


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("outside", [Cache(60), inject])
def test_it_stacks_with_inject_in_both_orders(sync, outside):
    if sync:

        def handler(request, shop: Inject[Shop]):
            return PlainTextResponse(shop.name)
    else:

        async def handler(request, shop: Inject[Shop]):
            return PlainTextResponse(shop.name)

    stacked = Cache(60)(inject(handler)) if outside is not inject else inject(Cache(60)(handler))
    app = Starlette(routes=[Route("/", stacked)])
    install(app, [CacheModule.setup(default="local"), ShopModule()])
    client = TestClient(app)
    assert client.get("/").text == "shop"
    assert is_hit(client.get("/"))
    assert list(inspect.signature(stacked).parameters) == ["request"]


def test_a_handler_without_a_request_is_told_to_take_one():
    @Cache(60)
    async def handler(): ...

    async def outer(request):
        return await handler()

    app = Starlette(routes=[Route("/", outer)])
    install(app, CacheModule.setup(default="local"))
    with pytest.raises(ConfigurationError, match="takes its request"):
        TestClient(app).get("/")


def test_a_websocket_that_comes_as_another_name_is_refused():
    @Cache(60)
    async def handler(connection): ...

    app = Starlette(routes=[WebSocketRoute("/", handler)])
    install(app, CacheModule.setup(default="local"))
    with pytest.raises(ConfigurationError, match="only HTTP responses"), TestClient(app):
        pass
    with pytest.raises(ConfigurationError, match="only HTTP responses"), TestClient(app).websocket_connect("/"):
        pass


@pytest.mark.parametrize("controller", [False, True])
def test_an_unknown_backend_is_found_at_start(controller):
    class Pages(HTTPEndpoint):
        async def get(self, request): ...

    endpoint = Cache(backend="pages")(Pages if controller else plain)
    app = Starlette(routes=[Route("/", endpoint)])
    install(app, CacheModule.setup(default="local"))
    with pytest.raises(UnknownBackendError, match="pages"), TestClient(app):
        pass
