"""`@Cache` in Litestar, next to its own ways: controllers, DTOs, hooks, guards, dependencies, middleware."""

import asyncio
from dataclasses import dataclass
from typing import Annotated

import pytest
from litestar import Controller, Litestar, MediaType, Request, Response, Router, get, post, websocket
from litestar.background_tasks import BackgroundTask
from litestar.config.compression import CompressionConfig
from litestar.config.csrf import CSRFConfig
from litestar.datastructures import Cookie, ResponseHeader
from litestar.di import NamedDependency, Provide
from litestar.dto import DataclassDTO, DTOConfig
from litestar.enums import RequestEncodingType
from litestar.exceptions import HTTPException, NotAuthorizedException
from litestar.params import Body, FromPath, FromQuery, JSONBody
from litestar.response import Redirect, Stream, Template
from litestar.testing import TestClient

from asynccache import Cache, CacheModule, ConfigurationError, ICacheService, UnknownBackendError, install
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.integrations.litestar import CachePlugin, get_cache_service
from asynccache.testing import FakeClock, override
from tests.http.over_sockets import get as ask_port
from tests.http.over_sockets import serving
from tests.http.serving import ask, is_hit, status_of


def app_of(*handlers, **options):
    return Litestar([*handlers], plugins=[CachePlugin(CacheModule.setup(default="local"))], **options)


def client_of(*handlers, **options):
    return TestClient(app_of(*handlers, **options), raise_server_exceptions=False)


@pytest.fixture
def calls():
    return []


def counting(calls):
    calls.append(1)
    return len(calls)


def test_a_hit_runs_no_handler_and_is_what_the_client_got_the_first_time(calls):
    @get("/{number:int}", status_code=203, response_headers=[ResponseHeader(name="x-shop", value="tea")])
    @Cache(60)
    async def product(number: FromPath[int]) -> dict[str, int]:
        return {"number": number, "calls": counting(calls)}

    client = client_of(product)
    first, second = client.get("/7"), client.get("/7")
    assert first.status_code == second.status_code == 203
    assert first.content == second.content == b'{"number":7,"calls":1}'
    assert second.headers["x-shop"] == "tea"
    assert (status_of(first), status_of(second)) == ("fwd=uri-miss; stored", "hit")
    assert client.get("/8").json()["number"] == 8
    assert client.get("/7", headers={"if-none-match": second.headers["etag"]}).status_code == 304


def test_sync_handlers_are_cached_and_run_in_threads(calls):
    @get("/")
    @Cache(60)
    def plain() -> int:
        return counting(calls)

    client = client_of(plain)
    assert [client.get("/").json() for _ in range(3)] == [1, 1, 1]


def test_cache_above_the_route_decorator_works_too(calls):
    @Cache(60)
    @get("/")
    async def handler() -> int:
        return counting(calls)

    client = client_of(handler)
    assert [client.get("/").json() for _ in range(2)] == [1, 1]


class Counter(Controller):
    calls: list[int] = []  # noqa: RUF012  # Litestar's controllers are made by Litestar

    @get("/inherited")
    async def inherited(self) -> int:
        return counting(self.calls)


def test_a_controller_is_cached_with_what_it_inherits_and_its_base_is_not():
    @Cache(60)
    class Products(Counter):
        path = "/products"

        @get("/own")
        async def own(self) -> int:
            return counting(self.calls)

        @get("/other")
        @Cache(60, key_prefix="mine")
        async def other(self) -> int:
            return counting(self.calls)

        @post("/")
        async def create(self) -> int:
            return counting(self.calls)

    class Plain(Counter):
        path = "/plain"

    assert isinstance(Products, type)
    client = client_of(Products, Plain)
    for path in ("/products/own", "/products/inherited", "/products/other"):
        assert client.get(path).json() == client.get(path).json()
    assert client.get("/plain/inherited").json() != client.get("/plain/inherited").json()
    assert client.post("/products").json() != client.post("/products").json()


def test_a_controller_without_handlers_says_so():
    with pytest.raises(ConfigurationError, match="has no handler"):

        @Cache(60)
        class Empty(Controller):
            path = "/"


@dataclass
class Person:
    name: str
    secret: str = "hidden"


class Shown(DataclassDTO[Person]):
    config = DTOConfig(exclude={"secret"})


def test_a_return_dto_shapes_what_is_stored_and_lets_hits_pass(calls):
    @get("/", return_dto=Shown)
    @Cache(60)
    async def person() -> Person:
        calls.append(1)
        return Person("Ann")

    client = client_of(person)
    assert client.get("/").json() == client.get("/").json() == {"name": "Ann"}
    assert calls == [1]


def test_hooks_have_their_part_the_first_time_only(calls):
    async def after_request(response: Response) -> Response:
        response.headers["x-after"] = str(counting(calls))
        return response

    @get("/", after_request=after_request)
    @Cache(60)
    async def handler() -> str:
        return "ok"

    @get("/replaced", after_request=lambda response: Response(content=str(counting(calls)), media_type="text/plain"))
    @Cache(60)
    async def replaced() -> str:
        return "nobody sees this"

    client = client_of(handler, replaced)
    for path in ("/", "/replaced"):
        first, second = client.get(path), client.get(path)
        assert is_hit(second)
        assert (first.text, first.headers.get("x-after")) == (second.text, second.headers.get("x-after"))


def test_a_hook_that_fails_on_a_hit_is_an_error_and_no_page(calls):
    async def after_request(response: Response) -> Response:
        if counting(calls) == 2:
            raise HTTPException(status_code=418)
        return response

    @get("/", after_request=after_request)
    @Cache(60)
    async def handler() -> str:
        return "ok"

    client = client_of(handler)
    assert [client.get("/").status_code for _ in range(3)] == [200, 418, 200]


def test_a_before_request_hook_that_answers_leaves_the_store_alone():
    async def before_request(request: Request) -> str | None:
        return "from the hook" if "hook" in request.query_params else None

    @get("/", before_request=before_request)
    @Cache(60)
    async def handler() -> str:
        return "from the handler"

    client = client_of(handler)
    assert client.get("/?hook=1").text == "from the hook"
    assert [client.get("/").text for _ in range(2)] == ["from the handler"] * 2


def test_guards_are_asked_on_hits_too(calls):
    def guard(connection, handler):
        if connection.query_params.get("key") != "1":
            raise NotAuthorizedException

    @get("/", guards=[guard])
    @Cache(60)
    async def handler() -> int:
        return counting(calls)

    client = client_of(handler)
    assert [client.get("/", params={"key": "1"}).json() for _ in range(2)] == [1, 1]
    assert client.get("/").status_code == 401


def test_dependencies_run_on_hits_and_close():
    events = []

    async def session():
        events.append("open")
        yield "session"
        events.append("close")

    @get("/", dependencies={"db": Provide(session)})
    @Cache(60)
    async def handler(db: NamedDependency[str]) -> str:
        events.append("handler")
        return db

    client = client_of(handler)
    assert [client.get("/").text for _ in range(2)] == ["session", "session"]
    assert events == ["open", "handler", "close", "open", "close"]


def test_background_tasks_run_once():
    done = []

    @get("/")
    @Cache(60)
    async def handler() -> Response[str]:
        return Response("ok", background=BackgroundTask(done.append, 1))

    client = client_of(handler)
    assert [client.get("/").text for _ in range(2)] == ["ok", "ok"]
    assert done == [1]


def test_exceptions_and_what_their_handlers_answer_are_not_stored(calls):
    @get("/{kind:str}", exception_handlers={LookupError: lambda *_: Response("handled", status_code=200)})
    @Cache(60)
    async def handler(kind: FromPath[str]) -> str:
        calls.append(kind)
        raise LookupError if kind == "lookup" else HTTPException(status_code=503)

    client = client_of(handler)
    for _ in range(2):
        assert client.get("/lookup").status_code == 200
        assert client.get("/http").status_code == 503
    assert calls == ["lookup", "http"] * 2


def test_cookies_that_are_set_are_nobody_elses():
    @get("/", response_cookies=[Cookie(key="who", value="me")])
    @Cache(60)
    async def handler() -> str:
        return "ok"

    client = client_of(handler)
    client.get("/")
    assert not is_hit(client.get("/"))


@pytest.mark.parametrize("kind", ["model", "form", "raw"])
def test_the_body_is_part_of_the_key_where_methods_have_one(calls, kind):
    @post("/", status_code=200)
    @Cache(60, methods=["POST"])
    async def of_model(data: JSONBody[dict[str, int]]) -> list[int]:
        return [counting(calls), data["number"]]

    @post("/", status_code=200)
    @Cache(60, methods=["POST"])
    async def of_form(
        data: Annotated[dict[str, int], Body(media_type=RequestEncodingType.URL_ENCODED)],
    ) -> list[int]:
        return [counting(calls), data["number"]]

    @post("/", status_code=200)
    @Cache(60, methods=["POST"])
    async def raw(request: Request) -> list[int]:
        return [counting(calls), (await request.json())["number"]]

    client = client_of({"model": of_model, "form": of_form, "raw": raw}[kind])
    given = "data" if kind == "form" else "json"
    answers = [client.post("/", **{given: {"number": number}}).json() for number in (1, 1, 2)]
    assert answers == [[1, 1], [1, 1], [2, 2]]


def test_redirects_and_templates_and_streams_are_pages(calls, tmp_path):
    from litestar.plugins.jinja import JinjaTemplateEngine
    from litestar.template.config import TemplateConfig

    (tmp_path / "page.html").write_text("<p>{{ calls }}</p>")

    @get("/moved", status_code=301)
    @Cache(60)
    async def moved() -> Redirect:
        counting(calls)
        return Redirect("/elsewhere", status_code=301)

    @get("/page")
    @Cache(60)
    async def page() -> Template:
        return Template("page.html", context={"calls": counting(calls)})

    @get("/stream", media_type=MediaType.TEXT)
    @Cache(60)
    async def stream() -> Stream:
        async def parts():
            for part in range(3):
                yield f"{counting(calls)}-{part} "

        return Stream(parts())

    config = TemplateConfig(directory=tmp_path, engine=JinjaTemplateEngine)
    client = client_of(moved, page, stream, template_config=config)
    for path in ("/moved", "/page", "/stream"):
        first, second = (client.get(path, follow_redirects=False) for _ in range(2))
        assert (first.status_code, first.text) == (second.status_code, second.text)
        assert is_hit(second)


def test_compression_and_csrf_stay_outside(calls):
    @get("/", media_type=MediaType.TEXT)
    @Cache(60)
    async def handler() -> str:
        return f"{counting(calls)} tea " * 200

    client = client_of(
        handler,
        compression_config=CompressionConfig(backend="gzip", minimum_size=1),
        csrf_config=CSRFConfig(secret="secret" * 8),
    )
    for encoding in ("gzip", "identity", "gzip"):
        client.cookies.clear()
        answer = client.get("/", headers={"accept-encoding": encoding})
        assert answer.text == "1 tea " * 200
        assert answer.headers.get("content-encoding", "identity") == encoding
        assert "csrftoken" in answer.cookies
    assert is_hit(answer)


def test_openapi_is_what_it_is_without_the_cache():
    def described(decorate):
        @get("/{number:int}", tags=["shop"], summary="One")
        @decorate
        async def product(number: FromPath[int], q: FromQuery[str | None] = None) -> Person:
            """Show a product."""

        @post("/")
        @decorate
        async def create(data: JSONBody[Person]) -> list[Person]: ...

        return Litestar([product, create]).openapi_schema.to_schema()

    assert described(Cache(60)) == described(lambda handler: handler)


def test_routers_mount_handlers_under_other_paths(calls):
    @get("/")
    @Cache(60)
    async def handler(request: Request) -> str:
        return f"{request.url.path} {counting(calls)}"

    client = client_of(Router("/one", route_handlers=[handler]), Router("/two", route_handlers=[handler]))
    assert [client.get(path).text for path in ("/one", "/two", "/one", "/two")] == [
        "/one 1", "/two 2", "/one 1", "/two 2",
    ]  # fmt: skip


def test_the_service_is_a_dependency_under_a_name_of_choice():
    @get("/")
    async def handler(cache_service: NamedDependency[ICacheService], request: Request) -> list[int]:
        return [await cache_service.incr_async("visits"), get_cache_service(request).incr("visits")]

    @get("/", sync_to_thread=False)
    def renamed(store: NamedDependency[ICacheService]) -> int:
        return store.incr("visits")

    assert [client_of(handler).get("/").json() for _ in range(2)] == [[1, 2], [1, 2]]
    app = Litestar([renamed], plugins=[CachePlugin(CacheModule.setup(default="local"), dependency="store")])
    assert TestClient(app).get("/").json() == 1
    assert get_cache_service(app).get("visits") == 1


def test_what_is_wrong_is_said_when_the_app_is_made():
    @get("/")
    @Cache(60, backend="pages")
    async def unknown() -> None: ...

    @get("/both", cache=60)
    @Cache(60)
    async def both() -> None: ...

    async def socket_handler(socket: Annotated[object, "websocket"]) -> None: ...

    with pytest.raises(ConfigurationError, match=r"'/both', which has Litestar's own cache=60: use one of them"):
        app_of(both)

    with pytest.raises(UnknownBackendError, match=r"'/'.*pages"):
        app_of(unknown)
    with pytest.raises((ConfigurationError, TypeError), match=r"websocket|functions"):
        Cache(60)(websocket("/ws")(socket_handler))
    twice = CachePlugin(CacheModule.setup(default="local"))
    with pytest.raises(ConfigurationError, match="two CachePlugins"):
        Litestar([], plugins=[twice, CachePlugin(CacheModule.setup(default="local"))])


def test_starlettes_install_says_what_litestar_takes():
    with pytest.raises(ConfigurationError, match=r"not Litestar: .*asynccache\.integrations\.litestar"):
        install(Litestar(), CacheModule.setup(default="local"))


def test_without_the_plugin_the_first_request_says_so():
    @get("/")
    @Cache(60)
    async def handler() -> None: ...

    with TestClient(Litestar([handler], debug=True)) as client:
        assert "CachePlugin" in client.get("/").text


def test_backends_open_and_close_with_the_app_and_can_be_overridden(calls):
    @get("/")
    @Cache(60)
    async def handler() -> int:
        return counting(calls)

    app, clock = app_of(handler), FakeClock()
    with override(app, default=LocalMemCacheBackend(clock=clock)), TestClient(app) as client:
        assert [client.get("/").json() for _ in range(2)] == [1, 1]
        clock.advance(61)
        assert client.get("/").json() == 2
    with TestClient(app) as client:
        assert client.get("/").json() == 3


async def test_many_at_once_run_the_handler_once(calls):
    @get("/")
    @Cache(60)
    async def handler() -> int:
        await asyncio.sleep(0.02)
        return counting(calls)

    app = app_of(handler)
    answers = await asyncio.gather(*(ask(app) for _ in range(50)))
    assert {answer.body for answer in answers} == {b"1"}
    assert {answer.cache for answer in answers} == {"fwd=uri-miss; stored", "fwd=uri-miss; collapsed"}


def test_it_is_the_same_under_uvicorn(calls):
    @get("/{name:str}")
    @Cache(60)
    async def handler(name: FromPath[str]) -> dict[str, object]:
        return {"name": name, "calls": counting(calls)}

    with serving(app_of(handler)) as port:
        (first, body), (second, again) = ask_port(port, "/tea"), ask_port(port, "/tea")
        assert body == again == b'{"name":"tea","calls":1}'
        assert b"fwd=uri-miss; stored" in first
        assert b"asynccache; hit" in second


def test_none_is_an_answer_like_any_other(calls):
    @get("/")
    @Cache(60)
    async def nobody() -> str | None:
        counting(calls)
        return None

    with client_of(nobody) as client:
        assert [client.get("/").text for _ in range(2)] == ["null"] * 2
    assert len(calls) == 1
