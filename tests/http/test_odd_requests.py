"""Scopes, users, sessions and decorators as some servers and applications make them."""

from collections import UserDict

import pytest
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from asynccache import Cache
from tests.http.serving import app_of, ask, client_of, is_hit, scope_of


def cached(make, **options):
    @Cache(60, **options)
    async def handler(request):
        made = make(request)
        return PlainTextResponse(str(await made if hasattr(made, "__await__") else made))

    return handler


async def stored(handler, **scope):
    app = app_of(handler)
    await ask(app, **scope)
    return (await ask(app, **scope)).cache == "hit"


class Silent:
    """A user that does not say whether it is logged in."""


class Refusing:
    @property
    def is_authenticated(self):
        raise NotImplementedError


@pytest.mark.parametrize("user", [Silent(), Refusing()])
async def test_a_user_of_whom_nothing_is_known_counts_as_logged_in(user):
    assert not await stored(cached(lambda request: "page"), user=user)
    assert await stored(cached(lambda request: "page", public=True), user=user)


class Slotted(UserDict):
    """A session whose class cannot be exchanged."""

    __slots__ = ()

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


class Bare:
    """A session that is no mapping at all."""

    __slots__ = ("name",)


@pytest.mark.parametrize("session", [UserDict(name="alice"), Slotted(name="alice"), Bare()])
async def test_sessions_of_any_kind_are_not_stored_once_they_are_read(session):
    kind = type(session)
    handler = cached(lambda request: getattr(request.scope["session"], "get", str)("name"))
    assert not await stored(handler, session=session)
    assert type(session) is kind


async def test_a_session_that_the_handler_puts_in_place_of_another_is_written():
    seen = []

    async def replaced(request):
        request.scope["session"] = {"name": "alice"}
        return "page"

    app = app_of(cached(replaced))
    for _ in range(2):
        scope = scope_of(session={})
        await app(scope, lambda: None, Collect(seen))
        assert scope["session"] == {"name": "alice"}
    assert seen.count(b"page") == 2


class Collect(list):
    def __init__(self, seen):
        self.seen = seen

    async def __call__(self, message):
        self.seen.append(message.get("body"))


@pytest.mark.parametrize("value", [None, 7])
async def test_a_scope_without_a_state_gets_one_only_if_something_is_in_it(value):
    def write(request):
        if value:
            request.state.mine = value
        return getattr(request.state, "mine", None) if value else ""

    app = app_of(cached(write))
    scope = scope_of()
    del scope["state"]
    await app(scope, lambda: None, Collect([]))
    assert scope.get("state") == ({"mine": 7} if value else None)


async def test_clients_may_be_lists_and_headers_tuples_and_both_come_back():
    app = app_of(cached(lambda request: "page"))
    scope = scope_of(client=["1.2.3.4", 5])
    headers = scope["headers"] = tuple(scope["headers"])
    await app(scope, lambda: None, Collect([]))
    assert scope["client"] == ["1.2.3.4", 5]
    assert scope["headers"] is headers


async def test_a_request_without_headers_is_answered_and_stored():
    handler = cached(lambda request: request.headers.get("x-a", "none"))
    app, seen = app_of(handler), []
    for _ in range(2):
        scope = scope_of()
        scope["headers"] = []
        await app(scope, lambda: None, Collect(seen))
        assert scope["headers"] == []
    assert seen == [None, b"none", None, b"none"]


async def test_scopes_with_the_least_that_asgi_asks_for_are_answered_and_stored():
    app, seen = app_of(cached(lambda request: "page")), []
    for _ in range(2):
        scope = scope_of()
        for key in ("scheme", "raw_path", "root_path", "client", "server", "state", "query_string"):
            del scope[key]
        await app(scope, lambda: None, Collect(seen))
    assert seen == [None, b"page", None, b"page"]


async def test_the_body_of_a_get_that_was_not_announced_is_seen_when_it_is_read():
    app = app_of(cached(lambda request: request.body()))

    async def receive():
        return {"type": "http.request", "body": b"evil", "more_body": False}

    seen = []
    for _ in range(2):
        await app(scope_of(http_version="2"), receive, Collect(seen))
    assert seen == [None, b"b'evil'"] * 2
    assert (await ask(app)).body == b"b''"


async def test_the_body_of_a_get_that_was_not_announced_is_seen_when_it_is_streamed():
    @Cache(60)
    async def handler(request):
        return PlainTextResponse(b"".join([chunk async for chunk in request.stream()]))

    app = app_of(handler)
    assert (await ask(app, body=b"evil", http_version="2")).body == b"evil"
    assert (await ask(app)).body == b""
    assert (await ask(app)).cache == "hit"


@pytest.mark.parametrize("length", [b"abc", b"-1"])
async def test_a_length_that_is_none_is_left_to_the_handler(length):
    app = app_of(cached(lambda request: "page"))
    assert (await ask(app, headers=[(b"content-length", length)])).cache == "fwd=bypass"


async def test_two_hosts_are_one_other_host():
    app = app_of(cached(lambda request: "page"))
    await ask(app)
    assert (await ask(app, headers=[(b"host", b"evil")])).cache == "fwd=uri-miss; stored"
    assert (await ask(app)).cache == "hit"


def test_a_decorator_above_may_add_a_background_task_to_misses_and_hits():
    ran = []
    inner = cached(lambda request: "page")

    async def outer(request):
        response = await inner(request)
        response.background = BackgroundTask(ran.append, response.status_code)
        return response

    client = client_of(outer)
    for _ in range(3):
        client.get("/")
    assert ran == [200] * 3


def test_what_a_decorator_above_sees_of_a_miss_is_the_response():
    kinds = []
    inner = cached(lambda request: "page")

    async def outer(request):
        response = await inner(request)
        kinds.append((isinstance(response, PlainTextResponse.__mro__[1]), response.body, response.media_type))
        response.headers["x-outer"] = "1"
        return response

    client = client_of(outer)
    for _ in range(2):
        assert client.get("/").headers["x-outer"] == "1"
    assert kinds[0] == (True, b"page", "text/plain")
    assert kinds[1][:2] == (True, b"page")


class CopiesTheScope:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        await self.app(dict(scope), receive, send)


def test_a_middleware_that_copies_the_scope_changes_nothing():
    client = client_of(cached(lambda request: request.headers.get("x-a")), middleware=[Middleware(CopiesTheScope)])
    client.get("/", headers={"x-a": "1"})
    assert is_hit(client.get("/", headers={"x-a": "1"}))
    assert client.get("/", headers={"x-a": "2"}).text == "2"
