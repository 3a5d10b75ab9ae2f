"""Cached handlers that somebody else than their route calls, and requests that handlers make in their own process."""

import functools
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Response
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asynccache import Cache, CacheModule, install
from tests.http.serving import is_hit


@pytest.fixture
def app():
    return FastAPI()


def client_of(app):
    install(app, CacheModule.setup(default="local"))
    return TestClient(app)


def counter(app):
    """Give a cached handler, at `/count`, that counts its calls."""
    calls = []

    @app.get("/count")
    @Cache(60)
    async def count(by: int = 1):
        calls.append(by)
        return {"calls": len(calls)}

    return count


@pytest.mark.parametrize("cached", [True, False])
def test_as_a_dependency_a_cached_handler_is_a_plain_function(app, cached):
    count = counter(app)

    @app.get("/")
    @Cache(60, enabled=cached)
    async def handler(found: Annotated[dict, Depends(count)]):
        return found["calls"]

    client = client_of(app)
    answers = [client.get("/") for _ in range(3)]
    assert [answer.json() for answer in answers] == ([1, 1, 1] if cached else [1, 2, 3])
    assert ["cache-status" in answer.headers for answer in answers] == [cached] * 3
    assert client.get("/count").json() == {"calls": 4}


@pytest.mark.parametrize("cached", [True, False])
def test_called_by_another_handler_it_gives_what_it_returns(app, cached):
    count = counter(app)

    @app.get("/")
    @Cache(60, enabled=cached)
    async def handler():
        return (await count())["calls"]

    client = client_of(app)
    answers = [client.get("/") for _ in range(3)]
    assert [answer.json() for answer in answers] == ([1, 1, 1] if cached else [1, 2, 3])
    assert ["cache-status" in answer.headers for answer in answers] == [cached] * 3


def test_called_by_itself_it_is_cached_once(app):
    @app.get("/{number}")
    @Cache(60)
    async def factorial(number: int):
        return 1 if number < 2 else number * await factorial(number - 1)

    client = client_of(app)
    answers = [client.get("/5") for _ in range(2)]
    assert [answer.json() for answer in answers] == [120, 120]
    assert is_hit(answers[1])


def test_whatever_leads_to_it_from_a_route_it_is_cached(app):
    def around(function):
        @functools.wraps(function)
        async def wrapper(*args, **kwargs):
            return await function(*args, **kwargs)

        return wrapper

    class Shop:
        @Cache(60)
        async def bound(self, number: int):
            return number

        @Cache(60)
        async def __call__(self, number: int):
            return number

    class Endpoint(HTTPEndpoint):
        @Cache(60)
        async def get(self, request):
            return PlainTextResponse(request.path_params["number"])

    @Cache(60)
    async def plain(number: int, more: int = 0):
        return number + more

    app.get("/bound/{number}")(Shop().bound)
    app.get("/called/{number}")(Shop())
    app.get("/partial/{number}")(functools.partial(plain, more=0))
    app.get("/around/{number}")(around(around(plain)))
    app.add_route("/class/{number}", Endpoint)
    client = client_of(app)
    for path in ("/bound/1", "/called/1", "/partial/1", "/around/1", "/class/1"):
        answers = [client.get(path) for _ in range(2)]
        assert [answer.text for answer in answers] == ["1", "1"]
        assert is_hit(answers[1]), path


@pytest.mark.parametrize("own", ["Starlette", "FastAPI"])
@pytest.mark.parametrize("cached", [True, False])
def test_what_a_handler_asks_other_apps_in_process_has_pages_of_its_own(app, own, cached):
    if own == "Starlette":

        @Cache(60)
        async def page(request):
            return PlainTextResponse(request.url.path)

        other = Starlette(routes=[Route("/{name}", page)])
    else:
        other = FastAPI()

        @other.get("/{name}")
        @Cache(60)
        async def page_of(name: str):
            return PlainTextResponse(f"/{name}")

    install(other, CacheModule.setup(default="local"))

    @app.get("/")
    @Cache(60, enabled=cached)
    async def handler():
        transport = httpx.ASGITransport(other)
        async with httpx.AsyncClient(transport=transport, base_url="http://other") as client:
            answers = [await client.get(path) for path in ("/one", "/two", "/one")]
        return [answer.text for answer in answers], [is_hit(answer) for answer in answers]

    client = client_of(app)
    assert client.get("/").json() == [["/one", "/two", "/one"], [False, False, True]]
    second = client.get("/")
    assert second.json()[0] == ["/one", "/two", "/one"]
    assert ("cache-status" in second.headers) is cached


def test_a_handler_may_ask_its_own_app_and_its_own_url(app):
    asked = []

    @app.get("/{name}")
    @Cache(60)
    async def page(name: str):
        asked.append(name)
        if len(asked) > 1:
            return name
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            return [(await client.get(f"/{other}")).json() for other in ("self", "other")]

    client = client_of(app)
    assert client.get("/self").json() == ["self", "other"]
    assert is_hit(client.get("/self"))
    assert client.get("/other").json() == "other"


def around(change):
    """Make a decorator that changes what a handler returned."""

    def decorate(handler):
        @functools.wraps(handler)
        async def changed(*args, **kwargs):
            return change(await handler(*args, **kwargs))

        return changed

    return decorate


def with_header(answer):
    if isinstance(answer, Response):
        answer.headers["x-changed"] = "now"
    return answer


@pytest.mark.parametrize(
    ("change", "shown", "header"),
    [(lambda answer: {"data": answer}, '{"data":{"n":1}}', None), (with_header, '{"n":1}', "now")],
    ids=["wrapped", "header"],
)
def test_decorators_above_cache_change_no_answer_from_the_store_twice(app, change, shown, header):
    @app.get("/")
    @around(change)
    @Cache(60)
    async def handler():
        return {"n": 1}

    client = client_of(app)
    answers = [client.get("/") for _ in range(3)]
    assert [answer.text for answer in answers] == [shown] * 3
    assert is_hit(answers[2])
    assert answers[2].headers.get("x-changed") == header


def test_decorators_above_cache_may_refuse(app):
    allowed = [True]

    @app.get("/")
    @around(lambda answer: answer if allowed[0] else PlainTextResponse("no", 403))
    @Cache(60)
    async def handler():
        return {"n": 1}

    client = client_of(app)
    assert [client.get("/").status_code for _ in range(2)] == [200, 200]
    allowed[0] = False
    assert client.get("/").text == "no"


def test_a_decorator_that_fails_on_an_answer_from_the_store_is_told_why(app):
    @app.get("/")
    @around(lambda answer: answer | {"more": 1})
    @Cache(60)
    async def handler():
        return {"n": 1}

    client = client_of(app)
    assert client.get("/").json() == {"n": 1, "more": 1}
    with pytest.raises(TypeError) as failure:
        client.get("/")
    assert "put @Cache above the decorator" in failure.value.__notes__[0]
