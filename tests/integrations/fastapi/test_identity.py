"""Nobody gets what was made for another, whether the handler or a dependency of it read who asks."""

import base64
import functools
import logging
from contextvars import ContextVar
from typing import Annotated

import pytest
from fastapi import Cookie, Depends, FastAPI, Form, Header, Request, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBasic, HTTPBearer, OAuth2PasswordBearer
from fastapi.testclient import TestClient
from itsdangerous import TimestampSigner
from pydantic import BaseModel
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Match, Mount, Route

from asynccache import Cache, CacheModule, install
from tests.http.serving import is_hit, status_of


def client_of(app):
    install(app, CacheModule.setup(default="local"))
    return TestClient(app)


def app_with(read, *, place, options=None):
    """Make an app whose handler, or a dependency of it, reads something of its request."""
    app = FastAPI()
    cache = Cache(60, **(options or {}))

    async def dependency(request: Request):
        return str(read(request))

    def plain_dependency(request: Request):
        return str(read(request))

    @cache
    async def handler(request: Request):
        return str(read(request))

    @cache
    def plain_handler(request: Request):
        return str(read(request))

    @cache
    async def dependent(found: Annotated[str, Depends(dependency)]):
        return found

    @cache
    async def on_plain(found: Annotated[str, Depends(plain_dependency)]):
        return found

    @cache
    async def beside():
        return "ok"

    places = {"handler": handler, "plain handler": plain_handler, "dependency": dependent, "in a thread": on_plain}
    routed = {"dependencies": [Depends(dependency)]} if place == "of the route" else {}
    app.get("/", **routed)(places.get(place, beside))
    return app


PLACES = ["handler", "plain handler", "dependency", "in a thread", "of the route"]

READS_OF_HEADERS = {
    "get": lambda request: request.headers.get("x-tenant"),
    "in": lambda request: "x-tenant" in request.headers,
    "raw scope": lambda request: [value for name, value in request.scope["headers"] if name == b"x-tenant"],
    "fresh request": lambda request: Request(request.scope).headers.get("x-tenant"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("read", READS_OF_HEADERS.values(), ids=READS_OF_HEADERS)
def test_a_header_that_was_read_is_a_variant_and_in_vary(read, place):
    client = client_of(app_with(read, place=place))
    answers = [client.get("/", headers={"x-tenant": tenant}) for tenant in ("one", "two", "one", "two")]
    assert [is_hit(answer) for answer in answers] == [False, False, True, True]
    assert [answer.text for answer in answers[2:]] == [answer.text for answer in answers[:2]]
    assert answers[3].headers["vary"] == "x-tenant"


IDENTITIES = {
    "cookies": lambda request: request.cookies.get("who"),
    "cookie in": lambda request: "who" in request.cookies,
    "all cookies": lambda request: dict(request.cookies),
    "unpacked cookies": lambda request: {**request.cookies},
    "no cookies?": lambda request: bool(request.cookies),
    "cookie header": lambda request: request.headers.get("cookie"),
    "cookies of a fresh request": lambda request: Request(request.scope).cookies.get("who"),
    "raw": lambda request: [value for name, value in request.scope["headers"] if name == b"cookie"],
    "all headers": lambda request: dict(request.headers),
    "past the first": lambda request: request.headers.raw[1:],
    "client": lambda request: request.client.host,
    "session": lambda request: request.session.get("who"),
    "state of middleware": lambda request: request.state.who,
}


class Knows(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        request.state.who = request.cookies.get("who")
        return await call_next(request)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("read", IDENTITIES.values(), ids=IDENTITIES)
def test_whose_request_it_is_keeps_an_answer_from_the_store(read, place, caplog):
    app = app_with(read, place=place)
    app.add_middleware(Knows)
    app.add_middleware(SessionMiddleware, secret_key="secret")
    client = client_of(app)
    session = TimestampSigner("secret").sign(base64.b64encode(b'{"who": "me"}')).decode()
    cookies = {"cookie": f"who=me; session={session}"}
    assert [is_hit(client.get("/", headers=cookies)) for _ in range(2)] == [False, False]
    assert "is not cached" in caplog.text


@pytest.mark.parametrize("place", PLACES)
def test_what_nobody_reads_is_shared(place, caplog):
    client = client_of(app_with(lambda request: request.url.path, place=place))
    client.get("/", headers={"cookie": "who=me"})
    assert is_hit(client.get("/", headers={"cookie": "who=you", "user-agent": "another"}))
    assert "is not cached" not in caplog.text


def test_declared_headers_vary_and_declared_cookies_are_identity():
    app = FastAPI()

    class Common(BaseModel):
        x_tenant: str = ""

    @app.get("/header")
    @Cache(60)
    async def by_header(accept_language: Annotated[str, Header()] = ""):
        return accept_language

    @app.get("/cookie")
    @Cache(60)
    async def by_cookie(who: Annotated[str | None, Cookie()] = None):
        return who

    @app.get("/spoken")
    @Cache(60, vary=["cookie"])
    async def by_cookie_in_the_key(who: Annotated[str | None, Cookie()] = None):
        return who

    client = client_of(app)
    english, german = {"accept-language": "en"}, {"accept-language": "de"}
    assert [client.get("/header", headers=it).json() for it in (english, german, english)] == ["en", "de", "en"]
    assert is_hit(client.get("/header", headers=german))
    for path, hit in (("/cookie", False), ("/spoken", True)):
        whos = [client.get(path, headers={"cookie": f"who={who}"}) for who in ("me", "you", "me", "you")]
        assert [answer.json() for answer in whos] == ["me", "you", "me", "you"]
        assert is_hit(whos[3]) is hit


SCHEMES = {
    "bearer": (HTTPBearer(), {"authorization": "Bearer token"}),
    "basic": (HTTPBasic(), {"authorization": "Basic " + base64.b64encode(b"me:secret").decode()}),
    "oauth2": (OAuth2PasswordBearer("/token"), {"authorization": "Bearer token"}),
    "cookie": (APIKeyCookie(name="key"), {"cookie": "key=secret"}),
}


@pytest.mark.parametrize(("scheme", "credentials"), SCHEMES.values(), ids=SCHEMES)
def test_a_guard_is_asked_each_time_and_public_shares_what_lies_behind(scheme, credentials):
    app, asked = FastAPI(), []

    def guard(found: Annotated[object, Security(scheme)]):
        asked.append(found)

    @app.get("/private", dependencies=[Depends(guard)])
    @Cache(60)
    async def private():
        return "private"

    @app.get("/public", dependencies=[Depends(guard)])
    @Cache(60, public=True)
    async def public():
        return "public"

    client = client_of(app)
    for path, hit in (("/private", False), ("/public", True)):
        answers = [client.get(path, headers=credentials) for _ in range(2)]
        assert [is_hit(answer) for answer in answers] == [False, hit]
        assert client.get(path).status_code in {401, 403}
    assert len(asked) == 4


def test_public_does_not_share_what_the_handler_itself_makes_of_authorization(caplog):
    app = FastAPI()

    @app.get("/")
    @Cache(60, public=True)
    async def handler(request: Request):
        return request.headers.get("authorization")

    client = client_of(app)
    with caplog.at_level(logging.WARNING):
        answers = [client.get("/", headers={"authorization": who}).json() for who in ("me", "you")]
    assert answers == ["me", "you"]
    assert "move @Cache below the guard" in caplog.text


def test_a_key_by_a_header_of_ones_own_is_a_variant():
    app = FastAPI()

    @app.get("/")
    @Cache(60)
    async def handler(key: Annotated[str, Security(APIKeyHeader(name="x-key"))]):
        return key

    client = client_of(app)
    answers = [client.get("/", headers={"x-key": key}) for key in ("a", "b", "a", "b")]
    assert [answer.json() for answer in answers] == ["a", "b", "a", "b"]
    assert [status_of(answer) for answer in answers[2:]] == ["hit", "hit"]


def test_a_key_callback_speaks_for_the_cookie_that_it_reads():
    app = FastAPI()

    def key(context, prefix):
        assert context.path_params == {"page": "p"}
        assert context.arguments == {"page": "p", "who": context.cookies["who"]}
        return f"{prefix}{context.cookies['who']}"

    @app.get("/{page}")
    @Cache(60, make_key_callback=key)
    async def handler(page: str, who: Annotated[str, Cookie()]):
        return who

    client = client_of(app)
    answers = [client.get("/p", headers={"cookie": f"who={who}"}) for who in ("me", "you", "me")]
    assert [answer.json() for answer in answers] == ["me", "you", "me"]
    assert is_hit(answers[2])


def test_what_middleware_reads_on_the_way_out_is_nobodys_business():
    app = app_with(lambda request: "ok", place="handler")

    class Nosy(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            answer = await call_next(request)
            answer.headers["x-who"] = request.cookies.get("who", "")
            return answer

    app.add_middleware(Nosy)
    client = client_of(app)
    client.get("/", headers={"cookie": "who=me"})
    second = client.get("/", headers={"cookie": "who=you"})
    assert is_hit(second)
    assert second.headers["x-who"] == "you"


tenant: ContextVar[str | None] = ContextVar("tenant")


class TenantRoute(APIRoute):
    """A route that tells the handler whose request it is, without giving it the request."""

    def get_route_handler(self):
        handle = super().get_route_handler()

        async def told(request):
            tenant.set(request.headers.get("x-tenant"))
            return await handle(request)

        return told


def with_tenant(handler):
    @functools.wraps(handler)
    async def told(request):
        tenant.set(request.headers.get("x-tenant"))
        return await handler(request)

    return told


def route_with(*, decorator=lambda handler: handler, route_class=APIRoute):
    app = FastAPI()
    app.router.route_class = route_class

    @app.get("/")
    @decorator
    @Cache(60)
    async def handler(request: Request):
        return tenant.get()

    return app


BETWEEN = {"a decorator": {"decorator": with_tenant}, "a class of routes": {"route_class": TenantRoute}}


@pytest.mark.parametrize("between", BETWEEN.values(), ids=BETWEEN)
def test_what_is_read_between_the_route_and_a_handler_without_dependencies_is_seen(between):
    client = client_of(route_with(**between))
    answers = [client.get("/", headers={"x-tenant": name}) for name in ("one", "two", "one", "two")]
    assert [answer.json() for answer in answers] == ["one", "two", "one", "two"]
    assert [is_hit(answer) for answer in answers] == [False, False, True, True]


class Tenants:
    """Middleware that tells the handler whose request it is."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        tenant.set(dict(scope["headers"]).get(b"cookie", b"nobody's").decode())
        await self.app(scope, receive, send)


@Cache(60)
async def whose(request: Request):
    return PlainTextResponse(tenant.get())


def an_app():
    app = FastAPI(middleware=[Middleware(Tenants)])
    app.get("/")(whose)
    return app


def a_mounted_app(app):
    app.mount("/in", an_app())


def an_app_of_a_host(app):
    app.host("testserver", an_app())


def a_mount(app):
    app.routes.append(Mount("/in", routes=an_app().routes[-1:], middleware=[Middleware(Tenants)]))


def a_plain_route(app):
    app.routes.append(Route("/in/", whose, middleware=[Middleware(Tenants)]))


@pytest.mark.parametrize("put_in", [a_mounted_app, an_app_of_a_host, a_mount, a_plain_route])
def test_what_middleware_within_a_route_reads_is_seen(put_in):
    app = FastAPI()
    put_in(app)
    client = client_of(app)
    path = "/" if put_in is an_app_of_a_host else "/in/"
    assert [client.get(path, headers={"cookie": name}).text for name in ("a=1", "b=1", "a=1")] == ["a=1", "b=1", "a=1"]
    assert client.get(path).text == "nobody's"


class OwnRoute(BaseRoute):
    """Reads whose request it is, and calls the handler by itself."""

    def matches(self, scope):
        return Match.FULL, {"endpoint": whose}

    async def handle(self, scope, receive, send):
        tenant.set(dict(scope["headers"])[b"cookie"].decode())
        answer = await whose(Request(scope, receive, send))
        await answer(scope, receive, send)


def test_what_a_kind_of_route_reads_that_nobody_knows_may_be_anything():
    app = FastAPI()
    app.routes.append(OwnRoute())
    client = client_of(app)
    assert [client.get("/", headers={"cookie": name}).text for name in ("a=1", "b=1", "a=1")] == ["a=1", "b=1", "a=1"]


def test_how_a_body_is_read_is_a_variant():
    app = FastAPI()

    @app.post("/")
    @Cache(60, methods=["POST"])
    async def handler(word: Annotated[str, Form()] = "none"):
        return word

    client = client_of(app)
    kinds = ["text/plain", "application/x-www-form-urlencoded"] * 2
    answers = [client.post("/", content=b"word=some", headers={"content-type": kind}) for kind in kinds]
    assert [answer.json() for answer in answers] == ["none", "some"] * 2
    assert [is_hit(answer) for answer in answers] == [False, False, True, True]


def test_a_request_that_comes_to_no_cached_handler_is_not_watched():
    app = FastAPI()
    app.get("/cached")(Cache(60)(lambda: "ok"))

    @app.get("/")
    async def handler(request: Request):
        return [type(request.scope[part]) is kind for part, kind in (("headers", list), ("client", tuple))]

    assert client_of(app).get("/").json() == [True, True]
