"""Nobody gets what was made for another, whether the handler or a guard of it read who asks."""

import base64
from contextvars import ContextVar

import pytest
from ellar.app import AppFactory
from ellar.auth import AuthenticationRequired, UserIdentity
from ellar.auth.handlers import HttpBearerAuthenticationHandler
from ellar.common import Cookie, GuardCanActivate, Header, Inject, ModuleRouter, UseGuards
from ellar.core import Request
from ellar.testing import TestClient
from itsdangerous import TimestampSigner
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware

from asynccache import Cache
from asynccache.integrations.ellar import CacheModule
from tests.http.serving import is_hit


class Knows:
    """Puts somebody's cookie into the state."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            scope.setdefault("state", {})["who"] = dict(scope["headers"]).get(b"cookie")
        await self.app(scope, receive, send)


def client_of(router, *middleware):
    app = AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default="local")])
    *others, capture = app.config.MIDDLEWARE
    app.config.MIDDLEWARE = [*others, *middleware, capture]
    return TestClient(app)


def router_with(read, *, place):
    router = ModuleRouter("/r")

    class Reads(GuardCanActivate):
        async def can_activate(self, context):
            read(context.switch_to_http_connection().get_request())
            return True

    @Cache(60)
    async def handler(request: Inject[Request]):
        return str(read(request))

    @Cache(60)
    def plain(request: Inject[Request]):
        return str(read(request))

    @UseGuards(Reads())
    @Cache(60)
    async def guarded():
        return "ok"

    router.get("/")({"handler": handler, "plain handler": plain, "guard": guarded}[place])
    return router


PLACES = ["handler", "plain handler", "guard"]

READS_OF_HEADERS = {
    "get": lambda request: request.headers.get("x-tenant"),
    "in": lambda request: "x-tenant" in request.headers,
    "raw scope": lambda request: [value for name, value in request.scope["headers"] if name == b"x-tenant"],
    "fresh request": lambda request: Request(request.scope).headers.get("x-tenant"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("read", READS_OF_HEADERS.values(), ids=READS_OF_HEADERS)
def test_a_header_that_was_read_is_a_variant_and_in_vary(read, place):
    client = client_of(router_with(read, place=place))
    answers = [client.get("/r/", headers={"x-tenant": tenant}) for tenant in ("one", "two", "one", "two")]
    assert [is_hit(answer) for answer in answers] == [False, False, True, True]
    assert [answer.text for answer in answers[2:]] == [answer.text for answer in answers[:2]]
    assert answers[3].headers["vary"] == "x-tenant"


IDENTITIES = {
    "cookies": lambda request: request.cookies.get("who"),
    "all cookies": lambda request: dict(request.cookies),
    "cookie header": lambda request: request.headers.get("cookie"),
    "cookies of a fresh request": lambda request: Request(request.scope).cookies.get("who"),
    "raw": lambda request: [value for name, value in request.scope["headers"] if name == b"cookie"],
    "all headers": lambda request: dict(request.headers),
    "past the first": lambda request: request.headers.raw[1:],
    "client": lambda request: request.client.host,
    "session": lambda request: request.session.get("who"),
    "state of middleware": lambda request: request.state.who,
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("read", IDENTITIES.values(), ids=IDENTITIES)
def test_whose_request_it_is_keeps_an_answer_from_the_store(read, place):
    session = Middleware(SessionMiddleware, secret_key="secret")
    client = client_of(router_with(read, place=place), session, Middleware(Knows))
    value = TimestampSigner("secret").sign(base64.b64encode(b'{"who": "me"}')).decode()
    answers = [client.get("/r/", headers={"cookie": f"who=me; session={value}"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [is_hit(answer) for answer in answers] == [False, False]


whose: ContextVar[str] = ContextVar("whose")


class Tells:
    """Middleware that tells the handler whose request it is."""

    def __init__(self, app, **_):
        self.app = app

    async def __call__(self, scope, receive, send):
        whose.set(dict(scope["headers"])[b"cookie"].decode())
        await self.app(scope, receive, send)


def test_what_middleware_of_a_router_reads_is_seen():
    router = ModuleRouter("/r", middleware=[Middleware(Tells)])

    @router.get("/")
    @Cache(60)
    async def handler():
        return whose.get()

    client = client_of(router)
    assert [client.get("/r/", headers={"cookie": name}).json() for name in ("a=1", "b=1")] == ["a=1", "b=1"]


@pytest.mark.parametrize("place", PLACES)
def test_what_nobody_reads_is_shared(place):
    client = client_of(router_with(lambda request: request.url.path, place=place), Middleware(Knows))
    client.get("/r/", headers={"cookie": "who=me"})
    assert is_hit(client.get("/r/", headers={"cookie": "who=you", "user-agent": "another"}))


def test_declared_headers_vary_and_declared_cookies_are_identity():
    router = ModuleRouter("/r")

    @router.get("/header")
    @Cache(60)
    async def by_header(accept_language: Header[str]):
        return accept_language

    @router.get("/cookie")
    @Cache(60)
    async def by_cookie(who: Cookie[str]):
        return who

    @router.get("/spoken")
    @Cache(60, vary=["cookie"])
    async def by_cookie_in_the_key(who: Cookie[str]):
        return who

    client = client_of(router)
    answers = [client.get("/r/header", headers={"accept-language": it}) for it in ("en", "de", "en", "de")]
    assert [answer.json() for answer in answers] == ["en", "de", "en", "de"]
    assert is_hit(answers[3])
    for path, hit in (("/r/cookie", False), ("/r/spoken", True)):
        whos = [client.get(path, headers={"cookie": f"who={who}"}) for who in ("me", "you", "me", "you")]
        assert [answer.json() for answer in whos] == ["me", "you", "me", "you"]
        assert is_hit(whos[3]) is hit


class Bearer(HttpBearerAuthenticationHandler):
    async def authentication_handler(self, context, credentials):
        return UserIdentity(sub=credentials.credentials) if credentials else None


def test_what_lies_behind_ellars_authentication_is_shared_only_where_public():
    router = ModuleRouter("/r")

    @router.get("/private")
    @AuthenticationRequired()
    @Cache(60)
    async def private(request: Inject[Request]):
        return request.user.sub

    @router.get("/public")
    @AuthenticationRequired()
    @Cache(60, public=True)
    async def public():
        return "for members"

    app = AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default="local")])
    app.add_authentication_schemes(Bearer())
    client = TestClient(app)
    for path, hit in (("/r/private", False), ("/r/public", True)):
        answers = [client.get(path, headers={"authorization": f"Bearer {who}"}) for who in ("me", "you")]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert is_hit(answers[1]) is hit
        assert client.get(path).status_code == 401
