"""What FastAPI declares is known beforehand: parameters of the query, headers and cookies."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Cookie, Depends, FastAPI, Header, Query, Request
from fastapi.testclient import TestClient
from pydantic import AliasChoices, BaseModel, ConfigDict, Field
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from asynccache import Cache, CacheModule, ConfigurationError, install
from tests.http.serving import is_hit, status_of


@pytest.fixture
def app():
    return FastAPI()


def client_of(app, **options):
    install(app, CacheModule.setup(default="local"))
    return TestClient(app, **options)


class Page(BaseModel):
    page: int = 1
    sort_by: str = Field("name", alias="sort")
    size: int = Field(10, validation_alias=AliasChoices("size", "per_page"))


def paged(page: Annotated[Page, Query()]):
    return page


def colours(colour: Annotated[list[str] | None, Query(alias="c")] = None):
    return colour


DECLARED = ["?page=2", "?sort=up", "?size=5", "?per_page=6", "?c=red", "?c=red&c=blue", "?c=blue&c=red", "?limit=3", ""]


def declared_site(app, within="app"):
    where = APIRouter() if within == "router" else app

    @where.get("/", dependencies=[Depends(paged)])
    @Cache(60, query="declared")
    async def page(request: Request, colour: Annotated[list, Depends(colours)], limit: int = 1):
        return {
            "url": request.url.query,
            "params": request.query_params.multi_items(),
            "colour": colour,
            "limit": limit,
        }

    if within == "router":
        app.include_router(where, prefix="/shop", dependencies=[Depends(included)])


def included(of_router: int = 0):
    return of_router


@pytest.mark.parametrize("within", ["app", "router"])
def test_pages_are_kept_by_declared_parameters_alone(app, within):
    declared_site(app, within)
    path = "/shop/" if within == "router" else "/"
    with client_of(app) as client:
        for query in DECLARED:
            first = client.get(f"{path}{query}")
            assert status_of(first) == "fwd=uri-miss; stored", query
            again = client.get(f"{path}?utm_source=evil{query.replace('?', '&')}&fbclid=1")
            assert (status_of(again), again.content) == ("hit", first.content), query
        assert is_hit(client.get(f"{path}?of_router=1")) is (within == "app")


def test_nothing_else_is_seen_by_the_handler_or_its_dependencies(app):
    def look(request: Request):
        return request.query_params.get("utm_source", "nothing")

    @app.get("/")
    @Cache(60, query="declared")
    def page(request: Request, seen: Annotated[str, Depends(look)], a: int = 0) -> list[str]:
        return [seen, str(request.url), request.scope["query_string"].decode(), *request.query_params]

    client = client_of(app)
    assert client.get("/?utm_source=evil&a=1").json() == ["nothing", "http://testserver/?a=1", "a=1", "a"]
    assert is_hit(client.get("/?a=1&utm_source=other"))


def test_lists_hide_what_they_leave_out_before_dependencies_are_called(app):
    def look(request: Request):
        return request.query_params.get("utm_source", "nothing")

    @app.get("/")
    @Cache(60, query=["-utm_*"])
    async def page(request: Request, seen: Annotated[str, Depends(look)]):
        return [seen, request.url.query]

    client = client_of(app)
    assert client.get("/?utm_source=evil&a=1").json() == ["nothing", "a=1"]
    assert is_hit(client.get("/?a=1&utm_source=other"))


def test_routes_of_starlette_in_the_app_hide_it_from_the_handler(app):
    @Cache(60, query=["a"])
    async def page(request):
        return PlainTextResponse(str(request.url))

    app.router.routes.append(Route("/", page))
    client = client_of(app)
    assert client.get("/?a=1&b=evil").text == "http://testserver/?a=1"
    assert is_hit(client.get("/?b=2&a=1"))


def test_mounted_apps(app):
    inner = FastAPI()
    declared_site(inner)
    app.router.routes.append(Mount("/shop", inner))
    client = client_of(app)
    client.get("/shop/?limit=3&b=1")
    assert is_hit(client.get("/shop/?b=2&limit=3"))


def test_one_handler_on_two_routes_is_kept_by_what_each_declares(app):
    @Cache(60, query="declared")
    async def page(a: int = 0):
        return a

    def more(b: int = 0):
        return b

    app.get("/plain")(page)
    app.get("/more", dependencies=[Depends(more)])(page)
    client = client_of(app)
    for path in ("/plain", "/more"):
        client.get(f"{path}?a=1&b=1")
    assert is_hit(client.get("/plain?a=1&b=2"))
    assert not is_hit(client.get("/more?a=1&b=2"))


def test_parameters_are_checked_as_ever(app):
    declared_site(app)
    client = client_of(app)
    assert client.get("/?limit=many&junk=1").status_code == 422


def start(app):
    with client_of(app):
        pass


def test_a_model_that_takes_anything_is_told_at_the_start(app):
    class Anything(BaseModel):
        model_config = ConfigDict(extra="allow")

    @app.get("/{path}")
    @Cache(query="declared")
    async def page(query: Annotated[Anything, Query()]): ...

    with pytest.raises(ConfigurationError, match=r"route '/{path}': nobody knows"):
        start(app)


@pytest.mark.parametrize("query", [["page"], ["-c"]], ids=repr)
def test_a_declared_parameter_that_would_never_be_seen_is_told_at_the_start(app, query):
    @app.get("/")
    @Cache(query=query)
    async def page(colour: Annotated[list, Depends(colours)]): ...

    with pytest.raises(ConfigurationError, match=r"takes '(c|colour)'"):
        start(app)


def test_an_alias_is_enough(app):
    @app.get("/")
    @Cache(60, query=["c", "page", "sort", "per_page"])
    async def page(colour: Annotated[list, Depends(colours)], page: Annotated[Page, Depends(paged)]): ...

    start(app)


def test_a_route_of_starlette_declares_nothing(app):
    @Cache(query="declared")
    async def page(request): ...

    app.router.routes.append(Route("/", page))
    with pytest.raises(ConfigurationError, match="nobody knows"):
        start(app)


# Headers and cookies


class Asking(BaseModel):
    accept_language: str = "-"
    x_colour: str | None = None
    tint: str | None = Field(None, alias="X-Tint")


def test_declared_headers_are_in_the_first_vary_whoever_reads_them(app):
    @app.get("/")
    @Cache(60)
    async def page(x_colour: Annotated[str | None, Header()] = None, x_tint: Annotated[str | None, Header()] = None):
        return 1

    client = client_of(app)
    assert client.get("/").headers["vary"] == "x-colour, x-tint"
    assert not is_hit(client.get("/", headers={"x-tint": "red"}))
    assert is_hit(client.get("/", headers={"x-other": "red"}))


@pytest.mark.parametrize("within", ["handler", "dependency"])
def test_a_model_of_headers_takes_those_it_declares_and_no_others(app, within):
    def ask(asking: Annotated[Asking, Header()]):
        return asking

    async def by_handler(asking: Annotated[Asking, Header()]) -> Asking:
        return asking

    async def by_dependency(asking: Annotated[Asking, Depends(ask)]) -> Asking:
        return asking

    app.get("/")(Cache(60)(by_handler if within == "handler" else by_dependency))
    client = client_of(app)
    german = {"accept-language": "de", "x-tint": "red", "cookie": "session=1"}
    first = client.get("/", headers=german)
    assert first.json() == {"accept_language": "de", "x_colour": None, "X-Tint": "red"}
    assert first.headers["vary"] == "accept-language, x-colour, x-tint"
    assert is_hit(client.get("/", headers=german | {"cookie": "session=2", "x-other": "1"}))
    assert client.get("/", headers=german | {"x-colour": "blue"}).json()["x_colour"] == "blue"


def test_a_model_of_headers_that_takes_any_is_not_cached(app):
    class Any(BaseModel):
        model_config = ConfigDict(extra="allow")

    @app.get("/")
    @Cache(60)
    async def page(asking: Annotated[Any, Header()]):
        return asking

    client = client_of(app)
    client.get("/", headers={"x-a": "1"})
    assert not is_hit(client.get("/", headers={"x-a": "1"}))


def test_a_handler_that_goes_through_all_headers_is_not_cached_though_it_has_a_model(app):
    @app.get("/")
    @Cache(60)
    async def page(asking: Annotated[Asking, Header()], request: Request):
        return dict(request.headers)

    client = client_of(app)
    assert client.get("/", headers={"x-a": "1"}).json()["x-a"] == "1"
    assert not is_hit(client.get("/", headers={"x-a": "1"}))


def test_a_declared_cookie_is_somebodys(app):
    @app.get("/")
    @Cache(60)
    async def page(theme: Annotated[str, Cookie()] = "light"):
        return theme

    client = client_of(app)
    client.get("/")
    assert not is_hit(client.get("/"))
