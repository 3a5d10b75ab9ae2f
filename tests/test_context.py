"""`ExecutionContext` and key callbacks."""

import pytest
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, ExecutionContext, ICacheService, get_cache_service
from asynccache.utils import get_name
from tests.http.serving import app_of, client_of, is_hit, status_of


def make_key(context: ExecutionContext, key_prefix: str) -> str:
    """Make a key as Ellar's documentation shows it."""
    function_name = get_name(context.get_handler())
    connection = context.switch_to_http_connection().get_client()
    return f"{function_name}:{key_prefix}:{connection.url}"


def answering(callback, **options):
    @Cache(60, make_key_callback=callback, **options)
    async def my_route_function(request):
        my_route_function.calls += 1
        return PlainTextResponse(f"call {my_route_function.calls}")

    my_route_function.calls = 0
    return my_route_function


def test_ellars_example_works_as_it_is_written():
    app = app_of(answering(make_key, key_prefix="mine"))
    client = TestClient(app)
    client.get("/cache?a=1")
    assert is_hit(client.get("/cache?a=1"))
    assert get_cache_service(app).has_key("my_route_function:mine:http://testserver/cache?a=1")


async def later(context, key_prefix):
    return f"{key_prefix}{context.path_params['rest'].partition('/')[0]}"


@pytest.mark.parametrize("callback", [later, lambda context, key_prefix: context.path_params["rest"].partition("/")[0]])
def test_sync_and_async_callbacks_make_the_whole_key(callback):
    client = client_of(answering(callback))
    client.get("/a/1")
    assert is_hit(client.get("/a/2"))
    assert not is_hit(client.get("/b/1"))


def test_none_skips_the_cache():
    handler = answering(lambda context, key_prefix: None)
    client = client_of(handler)
    assert [client.get("/").text for _ in range(2)] == ["call 1", "call 2"]
    assert status_of(client.get("/")) == "fwd=bypass"


@pytest.mark.parametrize("key", [1, b"key", ["key"]])
def test_what_is_no_key_is_named(key):
    with pytest.raises(TypeError, match="a str, or None for no cache"):
        TestClient(app_of(answering(lambda context, key_prefix: key))).get("/")


def test_a_callback_that_fails_fails_the_request_only():
    handler = answering(lambda context, key_prefix: context.query_params["key"])
    client = client_of(handler)
    assert client.get("/").status_code == 500
    assert client.get("/?key=a").text == "call 1"
    assert is_hit(client.get("/?key=a"))


def test_variants_apply_to_the_key_of_a_callback():
    handler = answering(lambda context, key_prefix: "key", vary=("accept",))
    client = client_of(handler)
    texts = [client.get("/", headers={"accept": accept}).text for accept in ("a", "b", "a")]
    assert texts == ["call 1", "call 2", "call 1"]


def test_methods_have_keys_of_their_own():
    handler = answering(lambda context, key_prefix: "key", methods=("GET", "HEAD", "POST"))
    client = client_of(Route("/", handler, methods=["GET", "POST"]))
    texts = [client.get("/").text, client.post("/", content="1").text, client.post("/", content="2").text]
    assert texts == ["call 1", "call 2", "call 3"]
    assert is_hit(client.head("/"))
    assert is_hit(client.post("/", content="1"))


def test_it_knows_the_call_of_a_function():
    seen = {}

    def callback(context, key_prefix):
        seen.update(
            name=get_name(context.handler),
            kind=(context.get_class(), context.controller),
            args=context.get_args() == (context.request,),
            arguments=context.arguments,
            app=context.app is context.get_app() is app,
            url=(str(context.url), context.method, dict(context.path_params), dict(context.query_params)),
            headers=(context.headers["x-a"], context.cookies["c"], context.user),
            injected=context.get(ICacheService) is context.injector.get(ICacheService) is get_cache_service(app),
            text=repr(context),
        )
        return "key"

    app = app_of(answering(callback))
    TestClient(app).get("/a?b=1", headers={"x-a": "1", "cookie": "c=2"})
    assert seen == {
        "name": "my_route_function",
        "kind": (None, None),
        "args": True,
        "arguments": {},
        "app": True,
        "url": ("http://testserver/a?b=1", "GET", {"rest": "a"}, {"b": "1"}),
        "headers": ("1", "2", None),
        "injected": True,
        "text": "<ExecutionContext GET /a test_context.answering.<locals>.my_route_function>".replace(
            "test_context.", ""
        ),
    }


def test_it_knows_the_controller():
    seen = []

    def callback(context, key_prefix):
        seen.append((context.get_class(), context.controller, get_name(context.get_handler())))
        return "key"

    @Cache(60, make_key_callback=callback)
    class Pages(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("x")

    client_of(Route("/", Pages)).get("/")
    assert seen == [(Pages, Pages, "get")]


def test_names_of_handlers():
    class Handler:
        async def get(self): ...

    assert get_name(make_key) == "make_key"
    assert get_name(Handler) == "Handler"
    assert get_name(Handler().get) == "get"
    assert get_name(Handler()) == "Handler"
