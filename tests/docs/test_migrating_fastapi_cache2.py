"""What docs/migrating/fastapi-cache2.md says of responses: fastapi-cache2 beside ours."""

from typing import Annotated

import pytest
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.decorator import cache
from starlette.testclient import TestClient

from asynccache import Cache, CacheModule, get_cache_service, install


@pytest.fixture
def app():
    """Give an app that has both."""
    FastAPICache.init(InMemoryBackend(), prefix="moving")
    made = FastAPI()
    install(made, CacheModule.setup(default="local"))
    yield made
    InMemoryBackend._store.clear()
    FastAPICache.reset()


@pytest.fixture
def client(app):
    with TestClient(app) as client:
        yield client


def both(app, handler, **options):
    """Route `/theirs` and `/ours` to what the two decorators make of a handler."""
    app.get("/theirs")(cache(expire=60)(handler))
    app.get("/ours")(Cache(60, **options)(handler))


def status(response):
    if found := response.headers.get("x-fastapi-cache"):
        return found
    return response.headers["cache-status"].partition("; ")[2]


def test_a_hit_has_the_status_and_the_headers(app, client):
    async def handler():
        return JSONResponse({"a": 1}, status_code=201, headers={"x-a": "1"})

    both(app, handler, statuses=(201,))
    theirs, ours = ([client.get(path) for _ in range(2)][1] for path in ("/theirs", "/ours"))
    assert (status(theirs), theirs.status_code, theirs.headers.get("x-a")) == ("HIT", 200, None)
    assert (status(ours), ours.status_code, ours.headers.get("x-a")) == ("hit", 201, "1")


def test_headers_that_the_handler_sets_are_there_on_hits(app, client):
    async def handler(response: Response) -> int:
        response.headers["x-a"] = "1"
        return 1

    both(app, handler)
    theirs, ours = ([client.get(path) for _ in range(2)][1] for path in ("/theirs", "/ours"))
    assert (status(theirs), theirs.headers.get("x-a")) == ("HIT", None)
    assert (status(ours), ours.headers.get("x-a")) == ("hit", "1")


def test_the_key_is_the_url_and_not_what_the_handler_takes(app, client):
    async def handler(number: int = 0) -> int:
        return number

    both(app, handler)
    queries = ("?a=1&b=2", "?b=2&a=1", "?utm=1")
    assert [status(client.get(f"/theirs{query}")) for query in queries] == ["MISS", "HIT", "HIT"]
    missed = "fwd=uri-miss; stored"
    assert [status(client.get(f"/ours{query}")) for query in queries] == [missed, "hit", missed]


def test_a_dependency_that_is_new_on_each_request_spoils_no_hit(app, client):
    class Session:
        pass

    kept = []  # or a new one could have the address of one that is gone

    def session():
        kept.append(Session())
        return kept[-1]

    async def opened(session: Annotated[Session, Depends(session)]) -> int:
        return 1

    both(app, opened)
    assert [status(client.get("/theirs")) for _ in range(2)] == ["MISS", "MISS"]
    assert [status(client.get("/ours")) for _ in range(2)] == ["fwd=uri-miss; stored", "hit"]


def test_two_handlers_of_one_name_share_nothing(app, client):
    def named(answer):
        async def handler() -> str:
            return answer

        return handler

    for path in ("/a", "/b"):
        app.get(f"{path}/theirs")(cache(expire=60)(named(path)))
        app.get(f"{path}/ours")(Cache(60)(named(path)))
    assert [client.get(f"{path}/theirs").json() for path in ("/a", "/b")] == ["/a", "/a"]
    assert [client.get(f"{path}/ours").json() for path in ("/a", "/b")] == ["/a", "/b"]


def test_a_client_cannot_switch_the_cache_off(app, client):
    async def handler() -> int:
        return 1

    both(app, handler)
    for path in ("/theirs", "/ours"):
        client.get(path)
    said = {"cache-control": "no-cache"}
    assert status(client.get("/theirs", headers=said)) == "MISS"
    answers = [client.get("/ours", headers={"cache-control": said}) for said in ("no-store", "no-cache", "max-age=0")]
    assert [status(answer) for answer in answers] == ["hit"] * 3


def test_a_handler_that_reads_a_cookie_is_not_stored(app, client):
    async def handler(request: Request) -> str:
        return request.cookies.get("name", "nobody")

    both(app, handler)
    asked = [{"cookie": f"name={name}"} for name in ("Ann", "Ben")]
    assert [client.get("/theirs", headers=cookie).json() for cookie in asked] == ["Ann", "Ann"]
    assert [client.get("/ours", headers=cookie).json() for cookie in asked] == ["Ann", "Ben"]


def test_disabled_is_an_argument(app, client):
    async def handler() -> int:
        return 1

    both(app, handler, enabled=False)
    assert "cache-status" not in client.get("/ours").headers
    assert not get_cache_service(app).stats()["default"]["entries"]
