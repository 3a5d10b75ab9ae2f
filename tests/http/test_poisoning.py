"""What is not in the key cannot be in a page: an attacker asks first, and the next one gets a clean page (A9)."""

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from asynccache import Cache, get_cache_service
from asynccache.core.page_keys import page_key
from tests.http.serving import app_of, ask

CLEAN = {"path": "/a/b?x=1&y=2"}
HEADERS = [
    "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-prefix", "x-forwarded-scheme", "forwarded",
    "x-original-url", "x-rewrite-url", "x-http-method-override", "x-host", "origin", "referer", "user-agent", "accept",
    "accept-encoding", "accept-language", "content-type", "x-real-ip", "via", "te", "if-none-match", "range", "cookie",
    "authorization", "cache-control", "pragma", "x-anything",
]  # fmt: skip
REQUESTS = [
    {"headers": [(b"host", b"evil.example")]},
    {"path": "/a/b?x=evil&y=2"},
    {"path": "/a/b?x=1&y=2&evil=1"},
    {"path": "/a/b?x=1&y=2&x=evil"},
    {"path": "/a/b?x=evil&x=1&y=2"},
    {"path": "/a/b?x=1;evil=1&y=2"},
    {"path": "/a/b?x=1&y=2%26evil=1"},
    {"path": "/a/b?%78=evil&x=1&y=2"},
    {"path": "/a/b/?x=1&y=2"},
    {"path": "/a/B?x=1&y=2"},
    {"path": "/a/b;evil?x=1&y=2"},
    {"path": "/a/b.css?x=1&y=2"},
    {"path": "//a/b?x=1&y=2"},
    {"path": "/a/b?x=1&y=2", "raw_path": b"/a%2Fb"},
    {"path": "/a/../evil?x=1&y=2", "raw_path": b"/a/b"},
    {"path": "/evil?x=1&y=2", "raw_path": b"/a/b"},
    {"root_path": "/evil"},
    {"scheme": "https"},
    {"method": "HEAD"},
    {"method": "POST"},
    {"client": ("6.6.6.6", 6)},
    {"body": b"evil", "headers": [(b"content-length", b"4")]},
    {"body": b"evil", "headers": [(b"transfer-encoding", b"chunked")]},
]


def reflecting(header):
    """Make a handler that gives back whatever could carry an attack."""

    @Cache(60, methods=("GET", "HEAD"))
    async def handler(request):
        parts = [
            request.method,
            request.url,
            request.base_url,
            request.scope["path"],
            request.query_params.multi_items(),
        ]
        parts += [request.headers.get(header) if header else "", (await request.body()).decode()]
        return PlainTextResponse(repr([str(part) for part in parts]))

    return handler


async def fetch(app, asked):
    asked = CLEAN | asked
    body = asked.pop("body", b"")
    return (await ask(app, asked.pop("path"), body=body, **asked)).body


@pytest.mark.parametrize("header", HEADERS)
async def test_a_header_that_the_handler_reflects_poisons_nothing(header):
    app, fresh = app_of(reflecting(header)), app_of(reflecting(header))
    clean = await fetch(fresh, {})
    for _ in range(2):
        evil = await fetch(app, {"headers": [(header.encode(), b"evil")]})
        assert b"evil" in evil or header == "if-none-match"  # which the cache itself answers
        assert await fetch(app, {}) == clean


@pytest.mark.parametrize("asked", REQUESTS, ids=str)
async def test_a_request_that_differs_poisons_nothing(asked):
    app, fresh = app_of(*routes()), app_of(*routes())
    clean, own = await fetch(fresh, {}), await fetch(app_of(*routes()), asked)
    for _ in range(2):
        assert await fetch(app, asked) == own or asked.get("method") == "HEAD"
        assert await fetch(app, {}) == clean


def routes():
    return [Route("/{rest:path}", reflecting(None), methods=["GET", "HEAD", "POST"])]


async def test_a_page_that_another_made_after_ours_was_deleted_is_not_ours():
    app = app_of(*routes())
    clean = await fetch(app, {})
    await get_cache_service(app).delete_async(page_key("GET", "http://h/a/b?x=1&y=2"))
    assert b"evil" in await fetch(app, {"path": "/evil?x=1&y=2", "raw_path": b"/a/b"})
    assert await fetch(app, {}) == clean
