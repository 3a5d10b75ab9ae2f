"""Nobody gets what was made for another, whether the handler, a guard or a dependency of it read who asks."""

from contextvars import ContextVar
from types import SimpleNamespace
from typing import Annotated

import pytest
from litestar import Litestar, Request, get
from litestar.connection import ASGIConnection
from litestar.datastructures import Headers
from litestar.di import NamedDependency, Provide
from litestar.middleware import AbstractAuthenticationMiddleware, ASGIMiddleware, AuthenticationResult, DefineMiddleware
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import CookieParameter, HeaderParameter
from litestar.testing import TestClient

from asynccache import Cache, CacheModule
from asynccache.integrations.litestar import CachePlugin
from tests.http.serving import is_hit, status_of


def client_of(*handlers, **options):
    plugin = CachePlugin(CacheModule.setup(default="local"))
    return TestClient(Litestar([*handlers], plugins=[plugin], debug=True, **options))


def handler_that(read, *, place, options=None):
    """Make a handler that reads something of its request, or whose dependency or guard does."""
    cache = Cache(60, **(options or {}))

    async def dependency(request: Request) -> str:
        return str(read(request))

    def guard(connection: ASGIConnection, handler: object) -> None:
        read(connection)

    @cache
    async def reads(request: Request) -> str:
        return str(read(request))

    @cache
    def reads_in_a_thread(request: Request) -> str:
        return str(read(request))

    @cache
    async def is_given(found: NamedDependency[str]) -> str:
        return found

    @cache
    async def is_guarded() -> str:
        return "ok"

    return {
        "handler": lambda: get("/")(reads),
        "plain handler": lambda: get("/")(reads_in_a_thread),
        "dependency": lambda: get("/", dependencies={"found": Provide(dependency)})(is_given),
        "guard": lambda: get("/", guards=[guard])(is_guarded),
    }[place]()


PLACES = ["handler", "plain handler", "dependency", "guard"]

READS_OF_HEADERS = {
    "get": lambda request: request.headers.get("x-tenant"),
    "other case": lambda request: request.headers.get("X-Tenant"),
    "item": lambda request: request.headers["x-tenant"],
    "in": lambda request: "x-tenant" in request.headers,
    "getall": lambda request: request.headers.getall("x-tenant"),
    "getone": lambda request: request.headers.getone("x-tenant"),
    "raw scope": lambda request: [value for name, value in request.scope["headers"] if name == b"x-tenant"],
    "fresh request": lambda request: Request(request.scope).headers.get("x-tenant"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("read", READS_OF_HEADERS.values(), ids=READS_OF_HEADERS)
def test_a_header_that_was_read_is_a_variant_and_in_vary(read, place):
    client = client_of(handler_that(read, place=place))
    answers = [client.get("/", headers={"x-tenant": tenant}) for tenant in ("one", "two", "one", "two")]
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
    "items": lambda request: list(request.headers.items()),
    "keys": lambda request: list(request.headers),
    "dict": lambda request: request.headers.dict(),
    "multi items": lambda request: list(request.headers.multi_items()),
    "header list": lambda request: request.headers.to_header_list(),
    "copy": lambda request: request.headers.copy(),
    "repr": lambda request: repr(request.headers),
    "fresh headers": lambda request: Headers(request.scope["headers"]).get("cookie"),
    "headers of headers": lambda request: Headers(request.headers).get("cookie"),
    "past the first": lambda request: request.scope["headers"][1:],
    "client": lambda request: request.client.host,
    "session": lambda request: request.session.get("who"),
    "session written": lambda request: request.session.update(seen=True),
    "state of middleware": lambda request: request.state.who,
    "scope's state": lambda request: request.scope["state"]["who"],
    "all state": lambda request: request.state.dict(),
}


class Knows(ASGIMiddleware):
    async def handle(self, scope, receive, send, next_app):
        if scope["type"] == "http":
            scope["state"]["who"] = dict(scope["headers"]).get(b"cookie")
        await next_app(scope, receive, send)


class LogsIn(ASGIMiddleware):
    """Puts something into the session, as a login before would have done."""

    async def handle(self, scope, receive, send, next_app):
        scope["session"] = {"who": "me"}
        await next_app(scope, receive, send)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("read", IDENTITIES.values(), ids=IDENTITIES)
def test_whose_request_it_is_keeps_an_answer_from_the_store(read, place):
    client = client_of(handler_that(read, place=place), middleware=[LogsIn(), Knows()])
    answers = [client.get("/", headers={"cookie": "who=me"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [is_hit(answer) for answer in answers] == [False, False]


def test_cookies_that_middleware_has_parsed_already_are_watched_all_the_same():
    class Parses(ASGIMiddleware):
        async def handle(self, scope, receive, send, next_app):
            Request(scope).cookies.get("who")
            Request(scope).headers.get("x-any")
            await next_app(scope, receive, send)

    for read, shared in ((lambda request: request.cookies.get("who"), False), (lambda request: "ok", True)):
        client = client_of(handler_that(read, place="handler"), middleware=[Parses()])
        answers = [client.get("/", headers={"cookie": f"who={who}"}) for who in ("me", "you")]
        assert is_hit(answers[1]) is shared
        assert "vary" not in answers[1].headers


@pytest.mark.parametrize("place", PLACES)
def test_what_nobody_reads_is_shared(place, caplog):
    client = client_of(handler_that(lambda request: request.url.path, place=place), middleware=[Knows()])
    client.get("/", headers={"cookie": "who=me"})
    assert is_hit(client.get("/", headers={"cookie": "who=you", "user-agent": "another"}))
    assert not [record for record in caplog.records if record.name.startswith("asynccache")]


def test_declared_headers_vary_and_declared_cookies_are_identity():
    @get("/header")
    @Cache(60)
    async def by_header(language: Annotated[str, HeaderParameter(name="accept-language")]) -> str:
        return language

    @get("/cookie")
    @Cache(60)
    async def by_cookie(who: Annotated[str, CookieParameter(name="who")]) -> str:
        return who

    @get("/spoken")
    @Cache(60, vary=["cookie"])
    async def by_cookie_in_the_key(who: Annotated[str, CookieParameter(name="who")]) -> str:
        return who

    client = client_of(by_header, by_cookie, by_cookie_in_the_key)
    answers = [client.get("/header", headers={"accept-language": it}) for it in ("en", "de", "en", "de")]
    assert [answer.text for answer in answers] == ["en", "de", "en", "de"]
    assert is_hit(answers[3])
    for path, hit in (("/cookie", False), ("/spoken", True)):
        whos = [client.get(path, headers={"cookie": f"who={who}"}) for who in ("me", "you", "me", "you")]
        assert [answer.text for answer in whos] == ["me", "you", "me", "you"]
        assert is_hit(whos[3]) is hit


class ByHeader(AbstractAuthenticationMiddleware):
    async def authenticate_request(self, connection):
        who = connection.headers.get("x-user")
        return AuthenticationResult(user=who and SimpleNamespace(name=who), auth=who)


def test_a_user_is_carried_so_only_public_shares_what_lies_behind_a_login():
    @get("/private")
    @Cache(60)
    async def private(request: Request) -> str:
        return request.user.name if request.user else "nobody"

    @get("/public")
    @Cache(60, public=True)
    async def public() -> str:
        return "for members"

    client = client_of(private, public, middleware=[DefineMiddleware(ByHeader)])
    asked = [client.get("/private", headers={"x-user": who} if who else {}).text for who in ("me", "you", "", "me")]
    assert asked == ["me", "you", "nobody", "me"]
    answers = [client.get("/public", headers={"x-user": who}) for who in ("me", "you")]
    assert [status_of(answer) for answer in answers] == ["fwd=uri-miss; stored", "hit"]


def test_a_guard_that_reads_authorization_lets_public_answers_be_shared():
    def guard(connection: ASGIConnection, handler: object) -> None:
        connection.headers["authorization"]

    @get("/", guards=[guard])
    @Cache(60, public=True)
    async def handler() -> str:
        return "ok"

    @get("/inside")
    @Cache(60, public=True)
    async def inside(request: Request) -> str:
        return request.headers["authorization"]

    client = client_of(handler, inside)
    answers = [client.get("/", headers={"authorization": who}) for who in ("me", "you")]
    assert is_hit(answers[1])
    assert [client.get("/inside", headers={"authorization": who}).text for who in ("me", "you")] == ["me", "you"]


def test_sessions_are_saved_and_an_empty_one_that_stays_so_is_nobodys():
    @get("/visit")
    @Cache(60)
    async def visit(request: Request) -> int:
        request.session["visits"] = request.session.get("visits", 0) + 1
        return request.session["visits"]

    @get("/read")
    @Cache(60)
    async def read(request: Request) -> str:
        return str(request.session.get("visits"))

    client = client_of(visit, read, middleware=[ServerSideSessionConfig().middleware])
    assert [client.get("/read").text for _ in range(2)] == ["None", "None"]
    assert is_hit(client.get("/read"))
    assert [client.get("/visit").json() for _ in range(3)] == [1, 2, 3]
    assert client.get("/read").text == "3"
    client.cookies.clear()
    assert client.get("/read").text == "None"


def test_a_key_callback_speaks_for_the_cookie_that_it_reads():
    @get("/{page:str}")
    @Cache(60, make_key_callback=lambda context, prefix: f"{prefix}{context.cookies['who']}")
    async def handler(request: Request) -> str:
        return request.cookies["who"]

    client = client_of(handler)
    answers = [client.get("/p", headers={"cookie": f"who={who}"}) for who in ("me", "you", "me")]
    assert [answer.text for answer in answers] == ["me", "you", "me"]
    assert is_hit(answers[2])


tenant: ContextVar[str | None] = ContextVar("tenant")


class TenantRequest(Request):
    """A request that tells whose it is when it is made."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        tenant.set(self.headers.get("x-tenant"))


async def tell_tenant(request: Request) -> None:
    tenant.set(request.headers.get("x-tenant"))


BEFORE = {"a hook": {"before_request": tell_tenant}, "a class of requests": {"request_class": TenantRequest}}


@pytest.mark.parametrize("before", BEFORE.values(), ids=BEFORE)
def test_what_is_read_before_a_handler_that_takes_nothing_is_seen(before):
    @get("/", **before)
    @Cache(60)
    async def handler() -> str:
        return str(tenant.get())

    with client_of(handler) as client:
        answers = [client.get("/", headers={"x-tenant": name}) for name in ("one", "two", "one", "two")]
    assert [answer.text for answer in answers] == ["one", "two", "one", "two"]
    assert [is_hit(answer) for answer in answers] == [False, False, True, True]
