"""`@Cache` in Ellar 0.9.5: all placements, its injection, guards, versions, responses, configuration."""

import asyncio
import json
from dataclasses import dataclass

import pytest
from ellar.app import App, AppFactory
from ellar.common import (
    Body,
    Controller,
    ControllerBase,
    EllarInterceptor,
    GuardCanActivate,
    Inject,
    Module,
    ModuleRouter,
    UseGuards,
    UseInterceptors,
    Version,
    get,
    post,
    ws_route,
)
from ellar.common.responses import HTMLResponse, PlainTextResponse, StreamingResponse
from ellar.common.serializer import Serializer
from ellar.core import Request
from ellar.core.modules import ModuleBase
from ellar.core.versioning import VersioningSchemes
from ellar.di import injectable
from ellar.openapi import OpenAPIDocumentBuilder
from ellar.testing import Test, TestClient
from starlette.exceptions import HTTPException

from asynccache import Cache, CacheService, ConfigurationError, ICacheService, UnknownBackendError
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.integrations.ellar import CacheModule, get_cache_service
from asynccache.testing import FakeClock, override
from tests.http.over_sockets import get as ask_port
from tests.http.over_sockets import serving
from tests.http.serving import ask, is_hit, status_of


@pytest.fixture
def calls():
    return []


@pytest.fixture
def router():
    return ModuleRouter("/r")


def counting(calls):
    calls.append(1)
    return len(calls)


def app_of(*controllers, routers=(), modules=None, **options):
    return AppFactory.create_app(
        controllers=controllers,
        routers=routers,
        modules=modules or [CacheModule.setup(default="local")],
        **options,
    )


def client_of(*controllers, **options):
    return TestClient(app_of(*controllers, **options), raise_server_exceptions=False)


def below(router, calls):
    @router.get("/")
    @Cache(60)
    async def handler():
        return counting(calls)


def above(router, calls):
    @Cache(60)
    @router.get("/")
    async def handler():
        return counting(calls)


def below_sync(router, calls):
    @router.get("/")
    @Cache(60)
    def handler():
        return counting(calls)


def above_sync(router, calls):
    @Cache(60)
    @router.get("/")
    def handler():
        return counting(calls)


@pytest.mark.parametrize("place", [below, above, below_sync, above_sync])
def test_functions_are_cached_above_and_below_the_route_decorator(place, router, calls):
    place(router, calls)
    client = client_of(routers=[router])
    first, second = client.get("/r/"), client.get("/r/")
    assert first.text == second.text == "1"
    assert (status_of(first), status_of(second)) == ("fwd=uri-miss; stored", "hit")


def test_methods_and_classes_are_cached_above_and_below_their_decorators(calls):
    class Listed:
        @get("/inherited")
        async def inherited(self):
            return counting(calls)

    @Controller("/one")
    @Cache(60)
    class One(Listed, ControllerBase):
        @get("/own")
        def own(self, cache: Inject[ICacheService]):
            return [counting(calls), cache.incr("visits")]

        @post("/")
        async def create(self):
            return counting(calls)

    @Cache(60)
    @Controller("/two")
    class Two(Listed):
        @get("/{number:int}")
        async def of_number(self, number: int):
            return [counting(calls), number]

    @Controller("/three")
    class Three(Listed, ControllerBase):
        @get("/below")
        @Cache(60)
        async def below(self):
            return counting(calls)

        @Cache(60)
        @get("/above")
        async def above(self):
            return counting(calls)

    assert isinstance(One, type)
    client = client_of(One, Two, Three)
    cached = ("/one/own", "/one/inherited", "/two/1", "/two/2", "/two/inherited", "/three/below", "/three/above")
    for path in cached:
        first, second = client.get(path), client.get(path)
        assert (first.status_code, first.json()) == (200, second.json()), path
        assert is_hit(second)
    for path, ask_it in (("/one/", client.post), ("/three/inherited", client.get)):
        assert ask_it(path).json() != ask_it(path).json()


def test_a_hit_is_what_the_client_got_the_first_time(router, calls):
    class Product(Serializer):
        number: int

    @router.get("/{number:int}", response={203: Product})
    @Cache(60)
    async def product(number: int):
        counting(calls)
        return {"number": number, "hidden": True}, 203

    @router.get("/page")
    @Cache(60)
    async def page():
        return HTMLResponse(f"<p>{counting(calls)}</p>", headers={"x-shop": "tea"})

    @router.get("/stream")
    @Cache(60)
    async def stream():
        async def parts():
            for part in range(3):
                yield f"{counting(calls)}-{part} "

        return StreamingResponse(parts())

    client = client_of(routers=[router])
    for path in ("/r/7", "/r/page", "/r/stream"):
        first, second = client.get(path), client.get(path)
        assert is_hit(second)
        assert (first.status_code, first.content) == (second.status_code, second.content)
        assert first.headers.get("x-shop") == second.headers.get("x-shop")
    assert client.get("/r/7").json() == {"number": 7}
    assert client.get("/r/7", headers={"if-none-match": client.get("/r/7").headers["etag"]}).status_code == 304


@injectable
class HasKey(GuardCanActivate):
    async def can_activate(self, context):
        return context.switch_to_http_connection().get_client().query_params.get("key") == "1"


def test_guards_and_interceptors_run_on_hits_too_wherever_they_are_written(router, calls):
    seen = []

    class Notes(EllarInterceptor):
        async def intercept(self, context, next_interceptor):
            seen.append(1)
            return await next_interceptor()

    @router.get("/above")
    @UseGuards(HasKey())
    @UseInterceptors(Notes())
    @Cache(60)
    async def above():
        return counting(calls)

    @router.get("/below")
    @Cache(60)
    @UseGuards(HasKey())
    @UseInterceptors(Notes())
    async def below():
        return counting(calls)

    client = client_of(routers=[router])
    for path in ("/r/above", "/r/below"):
        assert is_hit([client.get(path, params={"key": "1"}) for _ in range(2)][1])
        assert client.get(path).status_code == 403
    assert (len(calls), len(seen)) == (2, 4)


def test_interceptors_change_no_answer_from_the_store_twice(router, calls):
    class Envelope(EllarInterceptor):
        async def intercept(self, context, next_interceptor):
            return {"data": await next_interceptor()}

    @router.get("/")
    @UseInterceptors(Envelope())
    @Cache(60)
    async def handler():
        return {"calls": counting(calls)}

    client = client_of(routers=[router])
    answers = [client.get("/r/") for _ in range(3)]
    assert [answer.json() for answer in answers] == [{"data": {"calls": 1}}] * 3
    assert is_hit(answers[2])


def test_called_by_another_route_a_cached_one_is_a_plain_function(router, calls):
    @router.get("/cached")
    @Cache(60)
    async def cached():
        return {"calls": counting(calls)}

    @router.get("/")
    async def handler():
        return (await cached())["calls"]

    client = client_of(routers=[router])
    assert [client.get("/r/").json() for _ in range(3)] == [1, 2, 3]


def test_versions_in_a_header_have_pages_of_their_own():
    @Controller("/v")
    class Versioned(ControllerBase):
        @get("/")
        @Version("1")
        @Cache(60)
        async def first(self):
            return "first"

        @get("/")
        @Version("2")
        @Cache(60)
        async def second(self):
            return "second"

    app = app_of(Versioned)
    app.enable_versioning(VersioningSchemes.HEADER, version_parameter="version", header_parameter="accept")
    client = TestClient(app)
    versions = ("1", "2", "1", "2")
    answers = [client.get("/v/", headers={"accept": f"application/json; version={version}"}) for version in versions]
    assert [answer.json() for answer in answers] == ["first", "second", "first", "second"]


def test_errors_are_not_stored(router, calls):
    @router.get("/{kind}")
    @Cache(60)
    async def handler(kind: str):
        calls.append(kind)
        raise HTTPException(503) if kind == "http" else LookupError

    client = client_of(routers=[router])
    assert [client.get(f"/r/{kind}").status_code for kind in ("http", "http", "other", "other")] == [503, 503, 500, 500]
    assert calls == ["http", "http", "other", "other"]


def test_the_body_is_part_of_the_key_where_methods_have_one(router, calls):
    class Question(Serializer):
        number: int

    @router.post("/model")
    @Cache(60, methods=["POST"])
    async def of_model(question: Body[Question]):
        return [counting(calls), question.number]

    @router.post("/raw")
    @Cache(60, methods=["POST"])
    async def of_request(request: Inject[Request]):
        return [counting(calls), (await request.json())["number"]]

    client = client_of(routers=[router])
    for path in ("/r/model", "/r/raw"):
        calls.clear()
        answers = [client.post(path, json={"number": number}).json() for number in (1, 1, 2)]
        assert answers == [[1, 1], [1, 1], [2, 2]]


def test_the_documents_key_callback_works_as_it_is_written():
    from asynccache.utils import get_name

    def make_key_function(ctx, key_prefix):
        function_name = get_name(ctx.get_handler())
        return "%s:%s:%s" % (function_name, key_prefix, ctx.switch_to_http_connection().get_client().url)  # noqa: UP031

    @Controller
    class MyController(ControllerBase):
        @get("/")
        @Cache(ttl=300, version="v1", make_key_callback=make_key_function)
        async def index(self):
            return {"message": "Response from Index"}

    app = app_of(MyController)
    client = TestClient(app)
    first, second = client.get("/my/"), client.get("/my/")
    assert first.json() == second.json() == {"message": "Response from Index"}
    assert is_hit(second)
    assert get_cache_service(app).has_key("index::http://testserver/my/", version="v1")


def test_openapi_is_what_it_is_without_the_cache():
    def described(decorate):
        router = ModuleRouter("/r")

        @dataclass
        class Shown:
            number: int

        class Product(Serializer):
            number: int

        @router.get("/{number:int}", response={200: Product})
        @decorate
        async def product(number: int, q: str = ""):
            """Show a product."""

        return OpenAPIDocumentBuilder().build_document(app_of(routers=[router])).model_dump_json(exclude_none=True)

    assert json.loads(described(Cache(60))) == json.loads(described(lambda handler: handler))


def test_the_service_is_injected_by_ellar_in_sync_and_async_routes(router):
    @router.get("/plain")
    def plain(cache_service: Inject[ICacheService]):
        return cache_service.incr("visits")

    @router.get("/async")
    async def asynchronous(cache_service: Inject[ICacheService], same: Inject[CacheService], request: Inject[Request]):
        assert cache_service is same is get_cache_service(request)
        return await cache_service.incr_async("visits")

    client = client_of(routers=[router])
    assert [client.get(path).json() for path in ("/r/plain", "/r/async", "/r/plain")] == [1, 2, 3]


class Application(ModuleBase):
    """A module of the application itself."""


@pytest.mark.parametrize("caches", [{"default": "local"}, {"default": LocalMemCacheBackend(key_prefix="mine")}])
def test_register_setup_reads_caches_from_the_applications_config(caches, router, calls):
    below(router, calls)
    module = Module(modules=[CacheModule.register_setup()], routers=[router])(type("Root", (Application,), {}))
    app = AppFactory.create_from_app_module(module, config_module={"CACHES": caches})
    client = TestClient(app)
    assert [client.get("/r/").json() for _ in range(2)] == [1, 1]
    wanted = caches["default"]
    assert get_cache_service(app).get_backend().key_prefix == getattr(wanted, "key_prefix", "")


def test_register_setup_with_nothing_configured_is_local_memory(router, calls, monkeypatch):
    for name in ("ASYNCCACHE_URL", "REDIS_URL", "REPLIT_DB_URL"):
        monkeypatch.delenv(name, raising=False)
    below(router, calls)
    client = client_of(routers=[router], modules=[CacheModule.register_setup()])
    assert [client.get("/r/").json() for _ in range(2)] == [1, 1]


def test_what_is_wrong_is_said_when_the_application_is_made(router):
    @router.get("/")
    @Cache(60, backend="pages")
    async def handler(): ...

    with pytest.raises(ConfigurationError, match="default"):
        CacheModule.setup(pages="local")
    with pytest.raises(UnknownBackendError, match="pages"):
        app_of(routers=[router])
    with pytest.raises(ConfigurationError, match="websocket"):

        @ws_route("/ws")
        @Cache(60)
        async def talk(websocket): ...


def test_backends_open_and_close_with_the_application_and_can_be_overridden(router, calls):
    below(router, calls)
    app, clock = app_of(routers=[router]), FakeClock()
    assert isinstance(app, App)
    with override(app, default=LocalMemCacheBackend(clock=clock)), TestClient(app) as client:
        assert [client.get("/r/").json() for _ in range(2)] == [1, 1]
        clock.advance(61)
        assert client.get("/r/").json() == 2
    with TestClient(app) as client:
        assert client.get("/r/").json() == 3


def test_the_module_works_in_ellars_own_test_modules(calls):
    @Controller("/c")
    @Cache(60)
    class Pages(ControllerBase):
        @get("/")
        async def page(self):
            return counting(calls)

    client = Test.create_test_module(
        controllers=[Pages], modules=[CacheModule.setup(default="local")]
    ).get_test_client()
    assert [client.get("/c/").json() for _ in range(2)] == [1, 1]


async def test_many_at_once_run_the_handler_once_sync_and_async(router, calls):
    import time

    @router.get("/async")
    @Cache(60)
    async def asynchronous():
        await asyncio.sleep(0.02)
        return counting(calls)

    @router.get("/plain")
    @Cache(60)
    def plain():
        time.sleep(0.02)
        return counting(calls)

    app = app_of(routers=[router])
    for path, body in (("/r/async", b"1"), ("/r/plain", b"2")):
        answers = await asyncio.gather(*(ask(app, path) for _ in range(50)))
        assert {answer.body for answer in answers} == {body}
        assert {answer.cache for answer in answers} == {"fwd=uri-miss; stored", "fwd=uri-miss; collapsed"}


def test_it_is_the_same_under_uvicorn(router, calls):
    @router.get("/{name}")
    @Cache(60)
    async def handler(name: str):
        return PlainTextResponse(f"{name} {counting(calls)}")

    with serving(app_of(routers=[router])) as port:
        (first, body), (second, again) = ask_port(port, "/r/tea"), ask_port(port, "/r/tea")
        assert body == again == b"tea 1"
        assert b"fwd=uri-miss; stored" in first
        assert b"asynccache; hit" in second
