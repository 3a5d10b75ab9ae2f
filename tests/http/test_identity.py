"""Nobody gets what was made for another: what a handler reads, and who may speak for it."""

import base64
import logging
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    BaseUser,
    SimpleUser,
    requires,
)
from starlette.datastructures import Headers
from starlette.middleware import Middleware, sessions
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, CacheModule, install
from tests.http.serving import client_of, is_hit, status_of

SESSION = Middleware(SessionMiddleware, secret_key="secret")


class Member(BaseUser):
    """A user of a class of one's own."""

    def __init__(self, name):
        self.name = name
        self.is_admin = name == "admin"

    @property
    def is_authenticated(self):
        return True


class ByHeader(AuthenticationBackend):
    def __init__(self, kind):
        self.kind = kind

    async def authenticate(self, conn):
        name = conn.headers.get("x-user")
        return None if name is None else (AuthCredentials(["member", name]), self.kind(name))


def login(kind=SimpleUser):
    return Middleware(AuthenticationMiddleware, backend=ByHeader(kind))


def cached(make, **options):
    @Cache(60, **options)
    async def handler(request):
        return PlainTextResponse(str(make(request)))

    return handler


def stored(client, **headers):
    """Tell whether the second of two equal requests is a hit."""
    client.get("/", headers=headers)
    return is_hit(client.get("/", headers=headers))


READS_OF_HEADERS = {
    "get": lambda request: request.headers.get("x-tenant"),
    "item": lambda request: request.headers["x-tenant"],
    "in": lambda request: "x-tenant" in request.headers,
    "getlist": lambda request: request.headers.getlist("X-Tenant"),
    "fresh request": lambda request: Request(request.scope).headers.get("x-tenant"),
    "fresh headers": lambda request: Headers(scope=request.scope).get("x-tenant"),
    "raw scope": lambda request: [value for name, value in request.scope["headers"] if name == b"x-tenant"],
    "raw scope, reversed": lambda request: [value for name, value in request["headers"] if b"x-tenant" == name],  # noqa: SIM300
    "one of": lambda request: [value for name, value in request["headers"] if name in (b"x-tenant", b"x-other")],
}


@pytest.mark.parametrize("read", READS_OF_HEADERS.values(), ids=READS_OF_HEADERS)
def test_a_header_that_was_read_is_a_variant_and_in_vary(read):
    client = client_of(cached(read))
    one, two = {"x-tenant": "one"}, {"x-tenant": "two"}
    texts = [client.get("/", headers=headers).text for headers in (one, two, one, two)]
    assert texts[0] == texts[2]
    assert texts[1] == texts[3]
    hit = client.get("/", headers=two)
    assert is_hit(hit)
    assert "x-tenant" in hit.headers["vary"]
    assert hit.text == str(read(Request({"type": "http", "headers": [(b"x-tenant", b"two")]})))


READS_OF_ALL_HEADERS = {
    "dict": lambda request: dict(request.headers),
    "items": lambda request: request.headers.items(),
    "keys": lambda request: request.headers.keys(),
    "values": lambda request: request.headers.values(),
    "host and values": lambda request: (request.headers["host"], request.headers.values()),
    "repr": lambda request: repr(request.headers),
    "equal": lambda request: request.headers == Headers({}) or sorted(request.scope["headers"]),
    "raw dict": lambda request: dict(request.scope["headers"]),
    "raw decode": lambda request: [name.decode() for name, _ in request.scope["headers"]],
    "raw lower": lambda request: [value for name, value in request.scope["headers"] if name.lower() == b"x-tenant"],
    "prefix": lambda request: [value for name, value in request.scope["headers"] if name.startswith(b"x-")],
    "mutablecopy": lambda request: request.headers.mutablecopy().items(),
    "slices": lambda request: [name[:2] for name, _ in request.scope["headers"]],
}


@pytest.mark.parametrize("read", READS_OF_ALL_HEADERS.values(), ids=READS_OF_ALL_HEADERS)
def test_reading_all_headers_is_not_stored(read, caplog):
    assert not stored(client_of(cached(read)))
    assert "read all headers" in caplog.text


def test_reading_all_headers_is_stored_where_vary_and_public_speak():
    client = client_of(cached(lambda request: len(dict(request.headers)), vary=("accept",), public=True))
    assert stored(client)


NO_READS = {
    "url": lambda request: request.url,
    "base_url": lambda request: request.base_url,
    "host": lambda request: (request.headers["host"], request.url.hostname),
    "query": lambda request: request.query_params.get("x"),
    "path": lambda request: request.path_params,
    "method": lambda request: request.method,
    "length of headers": lambda request: "",
    "own state": lambda request: (setattr(request.state, "mine", 1), request.state.mine),
}


@pytest.mark.parametrize("read", NO_READS.values(), ids=NO_READS)
def test_what_is_in_the_key_needs_nobody_to_speak(read):
    client = client_of(cached(read))
    assert stored(client)
    assert "vary" not in client.get("/").headers


def test_a_read_of_a_header_that_is_absent_is_a_read():
    client = client_of(cached(lambda request: request.headers.get("x-tenant", "none")))
    client.get("/")
    assert client.get("/", headers={"x-tenant": "one"}).text == "one"
    assert client.get("/").text == "none"


READS_OF_COOKIES = {
    "cookies": lambda request: request.cookies.get("name"),
    "header": lambda request: request.headers.get("cookie"),
    "raw": lambda request: [value for name, value in request.scope["headers"] if name == b"cookie"],
}


@pytest.mark.parametrize("read", READS_OF_COOKIES.values(), ids=READS_OF_COOKIES)
@pytest.mark.parametrize("cookie", [{}, {"cookie": "name=alice"}])
def test_a_cookie_that_was_read_is_not_stored(read, cookie, caplog):
    assert not stored(client_of(cached(read)), **cookie)
    assert "read cookie" in caplog.text


@pytest.mark.parametrize(
    "options", [{"vary": ("cookie",)}, {"public": True}, {"make_key_callback": lambda ctx, _: str(ctx.cookies)}]
)
def test_a_cookie_is_stored_where_something_speaks_for_it(options):
    client = client_of(cached(lambda request: request.cookies.get("name"), **options))
    assert stored(client, cookie="name=alice")
    if "public" not in options:
        assert client.get("/", headers={"cookie": "name=bob"}).text == "bob"


def test_a_cookie_that_nobody_read_is_no_matter():
    client = client_of(cached(lambda request: "same"))
    client.get("/", headers={"cookie": "a=1"})
    assert is_hit(client.get("/", headers={"cookie": "a=2"}))


BASIC = {"authorization": "Basic " + base64.b64encode(b"alice:x").decode()}


def test_requests_with_authorization_are_neither_stored_nor_answered():
    calls = []
    client = client_of(cached(lambda request: calls.append(1) or len(calls)))
    assert [client.get("/", headers=BASIC).text for _ in range(2)] == ["1", "2"]
    assert [client.get("/").text for _ in range(2)] == ["3", "3"]
    assert client.get("/", headers=BASIC).text == "4"
    assert client.get("/").text == "3"


@pytest.mark.parametrize("control", ["public", "s-maxage=60", "must-revalidate", "max-age=5, Public"])
def test_a_response_may_say_that_authorized_requests_share_it(control):
    @Cache(60)
    async def handler(request):
        return PlainTextResponse(request.headers.get("authorization", "x") * 0, headers={"cache-control": control})

    client = client_of(handler)
    client.get("/", headers=BASIC)
    assert is_hit(client.get("/", headers=BASIC))
    assert is_hit(client.get("/", headers={"authorization": "other"}))
    assert is_hit(client.get("/"))


@pytest.mark.parametrize(
    "options",
    [{"vary": ("Authorization",)}, {"make_key_callback": lambda ctx, _: ctx.headers.get("authorization", "-")}],
)
def test_authorization_is_stored_where_the_key_holds_it(options):
    client = client_of(cached(lambda request: request.headers.get("authorization"), **options))
    assert stored(client, **BASIC)
    assert client.get("/", headers={"authorization": "other"}).text == "other"


def test_public_speaks_for_authorization_but_not_for_a_guard_inside(caplog):
    assert stored(client_of(cached(lambda request: "same", public=True)), **BASIC)
    guarded = client_of(cached(lambda request: request.headers.get("authorization"), public=True))
    assert not stored(guarded, **BASIC)
    assert "move @Cache below the guard" in caplog.text


READS_OF_SESSIONS = {
    "get": lambda session: session.get("name"),
    "item": lambda session: "name" in session and session["name"],
    "dict": dict,
    "json": lambda session: JSONResponse(session).body.decode(),
    "len": len,
    "truth": bool,
    "write": lambda session: session.update(seen=1),
}


@pytest.mark.parametrize("read", READS_OF_SESSIONS.values(), ids=READS_OF_SESSIONS)
def test_a_session_with_something_in_it_is_not_stored(read):
    @Cache(60)
    async def handler(request):
        if "login" in request.query_params:
            request.session["name"] = request.query_params["login"]
        return PlainTextResponse(str(read(request.session)))

    client = client_of(handler, middleware=[SESSION])
    client.get("/?login=alice")
    client.get("/")
    answer = client.get("/")
    assert not is_hit(answer)
    assert answer.text == str(read({"name": "alice"}))


def test_an_empty_session_that_stays_empty_is_stored_for_those_without_one():
    @Cache(60)
    async def page(request):
        return PlainTextResponse(request.session.get("name", "nobody"))

    @Cache(60)
    async def enter(request):
        request.session["name"] = "alice"
        return PlainTextResponse("welcome")

    routes = [Route("/", page), Route("/enter", enter)]
    client = client_of(*routes, middleware=[SESSION])
    first = client.get("/")
    hit = client.get("/")
    assert is_hit(hit)
    assert hit.headers.get("vary") == first.headers.get("vary")  # what the session's middleware says, if it does
    assert not is_hit(client.get("/enter"))
    assert "session" in client.cookies
    assert client.get("/").text == "alice"
    client.cookies.clear()
    nobody = client.get("/")
    assert is_hit(nobody)
    assert nobody.text == "nobody"


def test_who_comes_first_with_a_session_does_not_keep_others_from_the_cache():
    @Cache(60)
    async def handler(request):
        return PlainTextResponse(request.session.get("name", "nobody"))

    async def enter(request):
        request.session["name"] = "alice"
        return PlainTextResponse("")

    client = client_of(Route("/", handler), Route("/enter", enter), middleware=[SESSION])
    client.get("/enter")
    assert [client.get("/").text for _ in range(2)] == ["alice", "alice"]
    assert status_of(client.get("/")) == "fwd=bypass"
    client.cookies.clear()
    assert stored(client)


@pytest.mark.parametrize("make", [dict, "Session"])
def test_sessions_of_other_middleware_are_seen_and_written_through(make):
    kind = make if make is dict else getattr(sessions, make, dict)
    kept = []

    class Sessions:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            session = kind({"name": "alice"})
            inner = {**scope, "session": session}
            await self.app(inner, receive, send)
            kept.append((dict(session), type(session), inner["session"] is session))

    @Cache(60)
    async def handler(request):
        request.session["count"] = 1
        return PlainTextResponse(request.session["name"])

    client = client_of(handler, middleware=[Middleware(Sessions)])
    assert not stored(client)
    assert kept == [({"name": "alice", "count": 1}, kind, True)] * 2


@pytest.mark.parametrize("kind", [SimpleUser, Member])
def test_pages_of_those_who_are_logged_in_are_not_stored(kind):
    client = client_of(cached(lambda request: "page"), middleware=[login(kind)])
    assert not stored(client, **{"x-user": "alice"})
    assert not is_hit(client.get("/"))
    assert is_hit(client.get("/"))
    assert not is_hit(client.get("/", headers={"x-user": "alice"}))


@pytest.mark.parametrize("kind", [SimpleUser, Member])
def test_public_speaks_for_those_who_are_logged_in(kind):
    client = client_of(cached(lambda request: "page", public=True), middleware=[login(kind)])
    assert stored(client, **{"x-user": "alice"})
    assert is_hit(client.get("/", headers={"x-user": "bob"}))


def test_a_callback_that_reads_the_user_speaks_for_the_user():
    def key(ctx, prefix):
        return f"{prefix}{getattr(ctx.user, 'name', '')}"

    handler = cached(lambda request: request.user.name, make_key_callback=key, key_prefix="user:")
    client = client_of(handler, middleware=[login(Member)])
    assert stored(client, **{"x-user": "alice"})
    assert client.get("/", headers={"x-user": "bob"}).text == "bob"


def test_a_callback_that_reads_no_user_does_not_speak_for_one():
    handler = cached(lambda request: request.user.name, make_key_callback=lambda ctx, prefix: "same")
    assert not stored(client_of(handler, middleware=[login(Member)]), **{"x-user": "alice"})


def test_a_guard_above_runs_on_hits_too():
    @requires("member")
    @Cache(60, public=True)
    async def handler(request):
        return PlainTextResponse("members only")

    client = client_of(handler, middleware=[login()])
    assert stored(client, **{"x-user": "alice"})
    assert client.get("/").status_code == 403


@pytest.mark.parametrize("public", [False, True])
@pytest.mark.parametrize("sync", [False, True])
def test_a_guard_below_keeps_the_page_from_being_stored(public, sync, caplog):
    if sync:

        @Cache(60, public=public)
        @requires("member")
        def handler(request):
            return PlainTextResponse("members only")
    else:

        @Cache(60, public=public)
        @requires("member")
        async def handler(request):
            return PlainTextResponse("members only")

    client = client_of(handler, middleware=[login()])
    assert not stored(client, **{"x-user": "alice"})
    assert client.get("/").status_code == 403
    if public:
        assert "move @Cache below the guard" in caplog.text


def test_a_guard_below_that_looks_at_the_user_is_seen_too(caplog):
    handler = cached(lambda request: request.user.display_name, public=True)
    assert not stored(client_of(handler, middleware=[login()]), **{"x-user": "alice"})
    assert "move @Cache below the guard" in caplog.text


READS_OF_CLIENTS = {
    "host": lambda request: request.client.host,
    "raw": lambda request: request.scope["client"][0],
    "unpacked": lambda request: "{}:{}".format(*request.scope["client"]),
}


@pytest.mark.parametrize("read", READS_OF_CLIENTS.values(), ids=READS_OF_CLIENTS)
def test_the_clients_address_is_identity(read, caplog):
    assert not stored(client_of(cached(read)))
    assert "read client" in caplog.text
    assert stored(client_of(cached(read, public=True)))


class Tenant(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        request.state.tenant = request.headers.get("x-tenant")
        answer = await call_next(request)
        answer.headers["x-seen"] = str(getattr(request.state, "mine", None))
        return answer


def test_what_a_middleware_put_into_the_state_is_identity(caplog):
    client = client_of(cached(lambda request: request.state.tenant), middleware=[Middleware(Tenant)])
    assert not stored(client, **{"x-tenant": "one"})
    assert "state.tenant" in caplog.text
    assert client.get("/", headers={"x-tenant": "two"}).text == "two"


def test_what_the_handler_puts_into_the_state_arrives_outside():
    handler = cached(lambda request: setattr(request.state, "mine", 7))
    assert client_of(handler, middleware=[Middleware(Tenant)]).get("/").headers["x-seen"] == "7"


def test_a_callback_speaks_for_the_item_of_the_state_it_read():
    handler = cached(
        lambda request: request.state.tenant, make_key_callback=lambda ctx, _: str(ctx.request.state.tenant)
    )
    client = client_of(handler, middleware=[Middleware(Tenant)])
    assert stored(client, **{"x-tenant": "one"})
    assert client.get("/", headers={"x-tenant": "two"}).text == "two"


def test_what_the_apps_lifespan_put_into_the_state_is_the_same_for_all():
    @asynccontextmanager
    async def lifespan(app):
        yield {"db": object()}

    app = Starlette(routes=[Route("/", cached(lambda request: bool(request.state.db)))], lifespan=lifespan)
    install(app, CacheModule.setup(default="local"))
    with TestClient(app) as client:
        assert stored(client)


def test_what_a_middleware_exchanged_in_the_lifespans_state_is_not_the_same_for_all():
    @asynccontextmanager
    async def lifespan(app):
        yield {"tenant": None}

    class Some(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            if "x-tenant" in request.headers:
                request.state.tenant = request.headers["x-tenant"]
            return await call_next(request)

    routes = [Route("/", cached(lambda request: request.state.tenant))]
    app = Starlette(routes=routes, middleware=[Middleware(Some)], lifespan=lifespan)
    install(app, CacheModule.setup(default="local"))
    with TestClient(app) as client:
        assert stored(client)
        assert client.get("/", headers={"x-tenant": "one"}).text == "one"
        assert is_hit(client.get("/"))


class Reading:
    """Middleware that reads headers and the session when the answer goes out, as many do."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def reading(message):
            Headers(scope=scope).items()
            str(scope["client"])
            dict(scope.get("session", {}))
            await send(message)

        await self.app(scope, receive, reading)


def test_what_middleware_reads_on_the_way_out_does_not_count():
    @Cache(60)
    async def handler(request):
        return StreamingResponse(iter("abc"))

    assert stored(client_of(handler, middleware=[SESSION, Middleware(Reading)]))


def test_a_decorator_above_that_read_before_leaves_the_handler_observed():
    handler = cached(lambda request: request.cookies.get("name"))

    async def outer(request):
        request.cookies, request.headers, request.state  # noqa: B018
        return await handler(request)

    assert not stored(client_of(outer), cookie="name=alice")


def test_the_reason_is_told_once_for_each_handler(caplog):
    client = client_of(cached(lambda request: request.cookies))
    with caplog.at_level(logging.DEBUG, "asynccache"):
        for number in range(5):
            client.get(f"/{number}")
    assert sum("is not cached" in line for line in caplog.messages) == 1


def test_a_lazy_stream_that_reads_is_seen():
    @Cache(60)
    async def handler(request):
        async def chunks():
            yield "a"
            yield request.cookies.get("name", "")

        return StreamingResponse(chunks())

    assert not stored(client_of(handler), cookie="name=alice")


@pytest.mark.parametrize("control", [None, "public"])
def test_set_cookie_is_never_stored(control):
    @Cache(60, public=True)
    async def handler(request):
        answer = PlainTextResponse("x", headers={"cache-control": control} if control else None)
        answer.set_cookie("a", "b")
        return answer

    assert not stored(client_of(handler))
