"""`@Cache` in FastAPI, next to its own ways: models, dependencies, routers, tasks, exceptions, mounted apps."""

import asyncio
import gc
from typing import Annotated

import pytest
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Depends,
    FastAPI,
    Form,
    HTTPException,
    Request,
    Response,
    WebSocket,
)
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asynccache import (
    Cache,
    CacheModule,
    CachePolicy,
    ConfigurationError,
    ICacheService,
    UnknownBackendError,
    install,
)
from asynccache.integrations.fastapi import CacheServiceDep, get_cache_service
from tests.http.over_sockets import get, serving
from tests.http.serving import ask, is_hit, status_of


class Product(BaseModel):
    id: int
    name: str = "tea"
    cost: float = 1.5


class Shown(BaseModel):
    id: int
    name: str


def client_of(app, **options):
    install(app, CacheModule.setup(default="local"))
    return TestClient(app, **options)


def counting(calls):
    calls.append(1)
    return len(calls)


@pytest.fixture
def app():
    return FastAPI()


def test_a_hit_runs_no_handler_and_is_what_the_client_got_the_first_time(app):
    calls = []

    @app.get("/products/{product_id}", response_model=Shown, status_code=203)
    @Cache(60)
    async def product(product_id: int, response: Response) -> Product:
        response.headers["x-made"] = str(counting(calls))
        return Product(id=product_id)

    client = client_of(app)
    first, second = client.get("/products/7"), client.get("/products/7")
    assert first.status_code == second.status_code == 203
    assert first.json() == second.json() == {"id": 7, "name": "tea"}
    assert second.headers["x-made"] == "1"
    assert (status_of(first), status_of(second)) == ("fwd=uri-miss; stored", "hit")
    assert client.get("/products/8").json()["id"] == 8
    assert client.get("/products/7", headers={"if-none-match": second.headers["etag"]}).status_code == 304


@pytest.mark.parametrize("kind", ["async", "sync"])
def test_handlers_of_both_kinds_are_cached(app, kind):
    calls = []

    @Cache(60)
    async def asynchronous():
        return {"calls": counting(calls)}

    @Cache(60)
    def plain():
        return {"calls": counting(calls)}

    app.get("/")(asynchronous if kind == "async" else plain)
    client = client_of(app)
    assert [client.get("/").json()["calls"] for _ in range(3)] == [1, 1, 1]


def test_openapi_is_what_it_is_without_the_cache():
    def described(decorate):
        app = FastAPI()

        @app.get("/p/{product_id}", tags=["shop"], summary="One")
        @decorate
        async def product(
            product_id: int, q: str | None = None, limit: Annotated[int, Depends(lambda page=1: page)] = 3
        ) -> Product:
            """Show a product."""

        @app.post("/p")
        @decorate
        def create(product: Product, note: Annotated[str, Body()] = "") -> list[Product]: ...

        return app.openapi()

    assert described(Cache(60)) == described(lambda handler: handler)


def test_parameters_are_checked_on_hits_too(app):
    @app.get("/p/{product_id}")
    @Cache(60)
    async def product(product_id: int):
        return product_id

    client = client_of(app)
    assert client.get("/p/1").status_code == client.get("/p/1").status_code == 200
    assert client.get("/p/x").status_code == 422


def test_dependencies_run_on_hits_and_close(app):
    events = []

    async def session():
        events.append("open")
        yield "session"
        events.append("close")

    def guard(x_key: str = "no"):
        if x_key != "1":
            raise HTTPException(403)

    @app.get("/", dependencies=[Depends(guard)])
    @Cache(60)
    async def handler(db: Annotated[str, Depends(session)], request: Request):
        events.append("handler")
        return db

    client = client_of(app)
    assert client.get("/?x_key=1").json() == client.get("/?x_key=1").json() == "session"
    assert client.get("/?x_key=0").status_code == 403
    assert events == ["open", "handler", "close", "open", "close"]


def test_background_tasks_of_the_handler_run_once_and_those_of_dependencies_each_time(app):
    done = []

    def noted(tasks: BackgroundTasks):
        tasks.add_task(done.append, "dependency")

    @app.get("/", dependencies=[Depends(noted)])
    @Cache(60)
    async def handler(tasks: BackgroundTasks):
        tasks.add_task(done.append, "handler")
        return "ok"

    client = client_of(app)
    client.get("/")
    assert done == ["dependency", "handler"]
    client.get("/")
    assert done == ["dependency", "handler", "dependency"]


def test_exceptions_and_what_their_handlers_answer_are_not_stored(app):
    calls = []

    @app.exception_handler(LookupError)
    async def not_there(request, error):
        return PlainTextResponse("made by the handler of exceptions", 200)

    @app.get("/{kind}")
    @Cache(60)
    async def handler(kind: str):
        calls.append(kind)
        raise LookupError if kind == "lookup" else HTTPException(503)

    client = client_of(app)
    for _ in range(2):
        assert client.get("/lookup").status_code == 200
        assert client.get("/http").status_code == 503
    assert calls == ["lookup", "http"] * 2


def test_what_fails_to_be_a_response_is_not_stored(app):
    @app.get("/", response_model=Product)
    @Cache(60)
    async def handler():
        return {"id": "no number"}

    client = client_of(app, raise_server_exceptions=False)
    assert [client.get("/").status_code for _ in range(2)] == [500, 500]


def test_cookies_that_are_set_are_nobody_elses(app):
    @app.get("/")
    @Cache(60)
    async def handler(response: Response):
        response.set_cookie("session", "secret")
        return "ok"

    client = client_of(app)
    client.get("/")
    assert not is_hit(client.get("/"))


@pytest.mark.parametrize("kind", ["model", "request", "form", "late"])
def test_the_body_is_part_of_the_key_where_methods_have_one(app, kind):
    calls = []

    @Cache(60, methods=["POST"])
    async def of_model(product: Product):
        return [counting(calls), product.id]

    @Cache(60, methods=["POST"])
    async def of_request(request: Request):
        return [counting(calls), (await request.json())["id"]]

    @Cache(60, methods=["POST"])
    async def of_form(number: Annotated[int, Form(alias="id")]):
        return [counting(calls), number]

    @Cache(60, methods=["POST"])
    async def late(request: Request):
        return [counting(calls), int((await request.body())[-2:-1])]

    app.post("/")({"model": of_model, "request": of_request, "form": of_form, "late": late}[kind])
    client = client_of(app)
    given = "data" if kind == "form" else "json"
    answers = [client.post("/", **{given: {"id": number}}).json() for number in (1, 1, 2)]
    assert answers == [[1, 1], [1, 1], [2, 2]]


def test_routers_in_files_of_their_own_are_cached_and_checked(app):
    products, shop = APIRouter(prefix="/products"), APIRouter(prefix="/shop")
    calls = []

    @products.get("/{product_id}")
    @Cache(60)
    async def product(product_id: int):
        return counting(calls)

    shop.include_router(products)
    app.include_router(shop)
    with client_of(app) as client:
        assert [client.get("/shop/products/1").json() for _ in range(2)] == [1, 1]


def test_one_handler_on_two_routes_has_pages_of_its_own_on_each(app):
    @Cache(60)
    async def handler(request: Request):
        return request.url.path

    app.get("/one")(handler)
    app.get("/two")(handler)
    client = client_of(app)
    assert [client.get(path).json() for path in ("/one", "/two", "/one")] == ["/one", "/two", "/one"]


@pytest.mark.parametrize("included", [False, True])
def test_cache_above_the_route_decorator_is_an_error_at_start_up(app, included):
    router = APIRouter() if included else app

    @Cache(60)
    @router.get("/late")
    async def handler(): ...

    if included:
        app.include_router(router)
    with pytest.raises(ConfigurationError, match="move @Cache below it"), client_of(app):
        pass


def test_cache_above_the_route_decorator_in_a_factory_is_an_error_too(app):
    def add_routes(router):
        @Cache(60)
        @router.get("/late")
        async def handler(): ...

    add_routes(app)
    gc.collect()
    with pytest.raises(ConfigurationError, match="move @Cache below it"), client_of(app):
        pass


def test_a_function_may_be_routed_both_with_and_without_a_cache(app):
    async def handler():
        return "ok"

    app.get("/plain")(handler)
    app.get("/cached")(Cache(60)(handler))
    with client_of(app) as client:
        assert client.get("/plain").headers.get("cache-status") is None
        assert "stored" in status_of(client.get("/cached"))


def test_an_unknown_backend_is_an_error_at_start_up_in_included_routers_too(app):
    router = APIRouter()

    @router.get("/")
    @Cache(60, backend="pages")
    async def handler(): ...

    app.include_router(router, prefix="/shop")
    with pytest.raises(UnknownBackendError, match="pages"), client_of(app):
        pass


def test_websockets_pass(app):
    @app.websocket("/ws")
    async def echo(socket: WebSocket):
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    with client_of(app).websocket_connect("/ws") as socket:
        socket.send_text("hello")
        assert socket.receive_text() == "hello"


def test_the_service_is_a_dependency_in_two_ways(app):
    @app.get("/own")
    async def own(cache: CacheServiceDep):
        return await cache.incr_async("visits")

    @app.get("/depends")
    def depends(cache: Annotated[ICacheService, Depends(get_cache_service)]):
        return cache.incr("visits")

    client = client_of(app)
    assert [client.get(path).json() for path in ("/own", "/depends", "/own")] == [1, 2, 3]


def test_a_stream_is_recorded_as_it_goes_by(app):
    calls = []

    @app.get("/")
    @Cache(60)
    async def handler():
        async def parts():
            for part in range(3):
                await asyncio.sleep(0)
                yield f"{counting(calls)}-{part} "

        return StreamingResponse(parts())

    client = client_of(app)
    assert client.get("/").text == client.get("/").text == "1-0 2-1 3-2 "


async def test_many_at_once_run_the_handler_once(app):
    calls = []

    @app.get("/")
    @Cache(60)
    async def handler():
        await asyncio.sleep(0.02)
        return counting(calls)

    install(app, CacheModule.setup(default="local"))
    answers = await asyncio.gather(*(ask(app) for _ in range(50)))
    assert {answer.body for answer in answers} == {b"1"}
    assert {answer.cache for answer in answers} == {
        "fwd=uri-miss; stored",
        "fwd=uri-miss; collapsed",
    }


async def test_a_client_that_goes_away_leaves_the_handler_to_another(app):
    calls, gone = [], asyncio.Event()

    @app.get("/")
    @Cache(60)
    async def handler():
        calls.append(1)
        await (asyncio.sleep(0) if len(calls) > 1 else gone.wait())
        return len(calls)

    install(app, CacheModule.setup(default="local"))
    leader = asyncio.create_task(ask(app))
    await asyncio.sleep(0.01)
    follower = asyncio.create_task(ask(app))
    await asyncio.sleep(0.01)
    leader.cancel()
    assert (await follower).body == b"2"


def test_apps_mounted_in_it_are_cached_below_their_own_middleware(app):
    inner = FastAPI()
    inner.add_middleware(GZipMiddleware, minimum_size=1)

    @inner.get("/")
    @Cache(60)
    async def handler():
        return "tea " * 100

    app.mount("/inner", inner)
    client = client_of(app)
    for encoding in ("gzip", "identity", "gzip"):
        answer = client.get("/inner/", headers={"accept-encoding": encoding})
        assert answer.json() == "tea " * 100
        assert answer.headers.get("content-encoding", "identity") == encoding
    assert is_hit(answer)


def test_starlette_routes_within_it_are_cached_too(app):
    calls = []

    @Cache(60)
    async def page(request):
        return PlainTextResponse(f"{counting(calls)} {request.path_params['name']}")

    app.router.routes.append(Route("/plain/{name}", page))
    app.mount("/sub", Starlette(routes=[Mount("/deep", routes=[Route("/{name}", page)])]))
    client = client_of(app)
    assert [client.get("/plain/a").text for _ in range(2)] == ["1 a", "1 a"]
    assert [client.get("/sub/deep/b").text for _ in range(2)] == ["2 b", "2 b"]


def test_it_is_the_same_under_uvicorn(app):
    calls = []

    @app.get("/{name}")
    @Cache(60)
    def handler(name: str):
        return {"name": name, "calls": counting(calls)}

    install(app, CacheModule.setup(default="local"))
    with serving(app) as port:
        (first, body), (second, again) = get(port, "/tea"), get(port, "/tea")
        assert body == again == b'{"name":"tea","calls":1}'
        assert b"fwd=uri-miss; stored" in first
        assert b"asynccache; hit" in second
        tag = next(line for line in second.split(b"\r\n") if line.startswith(b"etag")).partition(b": ")[2].decode()
        assert get(port, "/tea", "GET", f"If-None-Match: {tag.replace('w/', 'W/')}")[0].startswith(b"http/1.1 304")


def test_it_works_within_a_starlette_app():
    inner = FastAPI()

    @inner.get("/")
    @Cache(60)
    async def handler():
        return "ok"

    install(inner, CacheModule.setup(default="local"))
    client = TestClient(Starlette(routes=[Mount("/api", app=inner)]))
    assert [status_of(client.get("/api/")) for _ in range(2)] == ["fwd=uri-miss; stored", "hit"]


@pytest.mark.parametrize(("policy", "calls_of_nobody"), [(None, 1), (CachePolicy(negative_ttl=0), 2)])
def test_none_is_an_answer_like_any_other_and_has_a_ttl_of_its_own_where_that_is_said(app, policy, calls_of_nobody):
    calls = []

    @app.get("/{name}")
    @Cache(60, policy=policy)
    async def found(name: str) -> str | None:
        calls.append(name)
        return None if name == "nobody" else name

    client = client_of(app)
    assert [client.get("/nobody").json() for _ in range(2)] == [None] * 2
    assert [client.get("/alice").json() for _ in range(2)] == ["alice"] * 2
    assert [calls.count("nobody"), calls.count("alice")] == [calls_of_nobody, 1]
