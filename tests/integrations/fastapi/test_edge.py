"""FastAPI with a `CacheMiddleware` around: what pages say of themselves, and which dependencies are skipped."""

from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, HTTPException, Request
from starlette.middleware.sessions import SessionMiddleware

from asynccache import Cache, CacheMiddleware, CacheModule, get_cache_service, install
from tests.http.serving import ask

SAID = "max-age=0, s-maxage=60"


@pytest.fixture
def app():
    app = FastAPI()
    install(app, CacheModule.setup(default="local"))
    return app


async def heads(app, path="/7", *headers, times=3):
    return [(await ask(app, path, headers=headers)).header("cache-control") for _ in range(times)]


async def test_pages_say_how_long_they_are_good_for(app):
    @app.get("/{number}")
    @Cache(60)
    async def product(number: int, agent: Annotated[str | None, Header(alias="User-Agent")] = None) -> int:
        return number

    assert await heads(app) == [SAID] * 3
    assert await heads(app, "/7", (b"x-api-key", b"k")) == [None] * 3


async def test_what_a_dependency_read_keeps_it_back(app):
    def visitor(request: Request):
        return request.session.get("name", "nobody")

    app.add_middleware(SessionMiddleware, secret_key="s")

    @app.get("/{number}")
    @Cache(60)
    async def product(number: int, who: Annotated[str, Depends(visitor)]) -> str:
        return who

    assert await heads(app) == [None] * 3


@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_edge_skips_dependencies_and_handler(app, kind):
    seen = []

    async def load():
        seen.append("dependency")

    def sync(number: int):
        seen.append("handler")
        return number

    async def awaited(number: int):
        return sync(number)

    router = APIRouter(dependencies=[Depends(load)])
    router.get("/{number}")(Cache(60, edge=True, tags=["p:{number}"])(sync if kind == "sync" else awaited))
    app.include_router(router)
    outer = CacheMiddleware(app)
    assert [(await ask(outer, "/7")).body for _ in range(3)] == [b"7"] * 3
    assert seen == ["dependency", "handler"]
    await get_cache_service(app).invalidate_tags_async("p:7")
    await ask(outer, "/7")
    assert seen == ["dependency", "handler"] * 2
    await ask(outer, "/7", headers=[(b"cookie", b"a=1")])
    assert seen[4:] == ["dependency"]


async def test_a_dependency_that_lets_nobody_in_without_a_key_is_not_skipped_for_them(app):
    async def guard(x_api_key: Annotated[str | None, Header()] = None):
        if x_api_key not in {"one", "two"}:
            raise HTTPException(403)

    @app.get("/{number}", dependencies=[Depends(guard)])
    @Cache(60, edge=True)
    async def product(number: int) -> int:
        return number

    outer = CacheMiddleware(app)
    for _ in range(2):
        answers = [await ask(outer, "/7", headers=[(b"x-api-key", key)]) for key in (b"one", b"two", b"bad", b"")]
        assert [answer.status for answer in answers] == [200, 200, 403, 403]
        assert (await ask(outer, "/7")).status == 403


async def test_pages_are_stored_outside_with_their_tags(app):
    calls = []

    @app.get("/{number}")
    @Cache(60, tags=["p:{number}"])
    async def product(number: int) -> int:
        calls.append(number)
        return len(calls)

    outer = CacheMiddleware(app)
    assert [(await ask(outer, "/7")).body for _ in range(2)] == [b"1"] * 2
    await get_cache_service(app).invalidate_tags_async("p:7")
    assert [(await ask(outer, "/7")).body for _ in range(2)] == [b"2"] * 2
