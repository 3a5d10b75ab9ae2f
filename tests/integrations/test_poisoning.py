"""What is not in the key cannot be in a page, in each framework: an attacker asks first, the next one is not hit."""

import fastapi
import litestar
import pytest
from starlette.responses import PlainTextResponse

from asynccache import Cache, CacheModule, install
from asynccache.integrations.litestar import CachePlugin
from tests.http.serving import ask
from tests.http.test_poisoning import CLEAN, HEADERS, REQUESTS, fetch

METHODS = ["GET", "HEAD", "POST"]


async def reflected(request, header):
    """Give back whatever could carry an attack."""
    parts = [request.method, request.url, request.base_url, request.scope["path"]]
    parts.append(list(request.query_params.multi_items()))
    parts += [request.headers.get(header) if header else "", (await request.body()).decode()]
    return repr([str(part) for part in parts])


def of_fastapi(header):
    app = fastapi.FastAPI()

    @app.api_route("/{rest:path}", methods=METHODS)
    @Cache(60)
    async def handler(rest: str, request: fastapi.Request):
        return PlainTextResponse(await reflected(request, header))

    install(app, CacheModule.setup(default="local"))
    return app


def of_litestar(header):
    @litestar.route("/{rest:path}", http_method=METHODS, media_type=litestar.MediaType.TEXT, status_code=200)
    @Cache(60)
    async def handler(request: litestar.Request) -> str:
        return await reflected(request, header)

    return litestar.Litestar(
        [handler], plugins=[CachePlugin(CacheModule.setup(default="local"))], openapi_config=None, logging_config=None
    )


@pytest.mark.parametrize("app_of", [of_fastapi, of_litestar])
@pytest.mark.parametrize("header", HEADERS)
async def test_a_header_that_the_handler_reflects_poisons_nothing(header, app_of):
    app = app_of(header)
    clean = await fetch(app_of(header), {})
    for _ in range(2):
        evil = await fetch(app, {"headers": [(header.encode(), b"evil")]})
        assert b"evil" in evil or header == "if-none-match"  # which the cache itself answers
        assert await fetch(app, {}) == clean


@pytest.mark.parametrize("app_of", [of_fastapi, of_litestar])
@pytest.mark.parametrize("asked", REQUESTS, ids=str)
async def test_a_request_that_differs_poisons_nothing(asked, app_of):
    app = app_of(None)
    clean, own = await fetch(app_of(None), {}), await fetch(app_of(None), asked)
    for _ in range(2):
        assert await fetch(app, asked) == own or asked.get("method") == "HEAD"
        assert await fetch(app, {}) == clean


@pytest.mark.parametrize("app_of", [of_fastapi, of_litestar])
async def test_the_clean_page_is_from_the_store(app_of):
    app = app_of(None)
    assert [(await ask(app, CLEAN["path"])).cache for _ in range(2)] == ["fwd=uri-miss; stored", "hit"]
