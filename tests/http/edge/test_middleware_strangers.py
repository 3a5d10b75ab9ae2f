"""What one client brings or provokes is nobody else's: fields that may tell who asks, cookies, errors, odd answers."""

import asyncio

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from asynccache import Cache, CacheMiddleware, CacheModule, install
from tests.http.edge.origins import FRESH, Edge, lines, whole
from tests.http.serving import ask

NAMED = lines(x_api_key="alice")
USUAL = lines(accept="text/html", user_agent="Mozilla", x_forwarded_for="192.0.2.1")


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
async def test_what_says_nothing_of_its_reuse_is_for_requests_that_tell_nobodys_name(profile):
    edge = Edge(lambda _, number: whole(b"%d" % number), default_ttl=60, profile=profile)
    answers = [(await edge.ask(headers=headers)).body for headers in (NAMED, USUAL, NAMED, USUAL, [])]
    assert answers == [b"1", b"2", b"3", b"2", b"2"]


async def test_a_field_in_vary_may_tell_a_name():
    edge = Edge(lambda _, number: whole(b"%d" % number, (b"vary", b"X-Api-Key")), default_ttl=60)
    answers = [(await edge.ask(headers=headers)).body for headers in (NAMED, lines(x_api_key="bob"), NAMED)]
    assert answers == [b"1", b"2", b"1"]


@pytest.mark.parametrize("name", [b"Authorization", b"X-A"])
async def test_names_in_capitals_are_names(name):
    edge = Edge(None, FRESH, (b"vary", b"x-a"))
    assert [(await edge.ask(headers=headers)).body for headers in ([], [(name, b"1")], [])] == [b"1", b"2", b"1"]


class Rebuilding(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        made = await call_next(request)
        body = b"".join([part async for part in made.body_iterator])
        return Response(body, made.status_code, headers=dict(made.headers))


class Handing:
    def __init__(self, app):
        self._app = app
        self._given = 0

    async def __call__(self, scope, receive, send):
        async def sending(message):
            if message["type"] == "http.response.start":
                self._given += 1
                message = {**message, "headers": [*message["headers"], (b"set-cookie", b"visitor=%d" % self._given)]}
            await send(message)

        await self._app(scope, receive, sending)


async def test_a_cookie_that_is_added_to_a_page_far_out_is_one_visitors():
    async def page(request):
        return PlainTextResponse("page")

    app = Starlette(routes=[Route("/", Cache(60)(page))], middleware=[Middleware(Handing), Middleware(Rebuilding)])
    install(app, CacheModule.setup(default="local"))
    edge = CacheMiddleware(app, profile="rfc9111")
    assert [(await ask(edge, "/")).header("set-cookie") for _ in range(2)] == ["visitor=1", "visitor=2"]


async def test_an_error_of_one_client_makes_nobody_ask_alone():
    def reply(scope, number):
        if dict(scope["headers"]).get(b"accept") == b"odd":
            return whole(b"no", status=406)
        return [lambda: asyncio.sleep(0.01), *whole(b"%d" % number, FRESH)]

    edge = Edge(reply)
    assert (await edge.ask(headers=lines(accept="odd"))).status == 406
    assert {answer.body for answer in await asyncio.gather(*(edge.ask() for _ in range(5)))} == {b"2"}


@pytest.mark.parametrize("status", [204, 205])
async def test_a_body_where_none_may_be_is_not_stored(status):
    edge = Edge(lambda *_: whole(b"odd", FRESH, status=status))
    assert [(await edge.ask()).cache for _ in range(2)] == ["fwd=uri-miss"] * 2
