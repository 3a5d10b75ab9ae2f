"""What a page says of how long it is good for, and to whom: caches further out give it to everybody."""

import asyncio
from dataclasses import replace
from math import inf

import pytest
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware import sessions as sessions_of_starlette
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

from asynccache import FOREVER, Cache, CachePolicy, ConfigurationError, current_load
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.http.nameless import NAMELESS
from asynccache.http.statement import Said, statement, take_back
from asynccache.testing import FakeClock
from tests.http.serving import app_of, ask, client_of, is_hit

PLAIN = CachePolicy()
STALE = CachePolicy(stale_while_revalidate=30, stale_if_error=600.9)
SAID = "max-age=0, s-maxage=60"


def page(make=None, ttl=60, **options):
    @Cache(ttl, **options)
    async def handler(request):
        return make(request) if make else PlainTextResponse("x")

    return handler


def said(client, **options):
    """Give what the first answer and the second say, which must be the same."""
    first, second = client.get("/", **options), client.get("/", **options)
    assert first.headers.get_list("cache-control") == second.headers.get_list("cache-control")
    return first.headers.get("cache-control")


@pytest.mark.parametrize(
    ("word", "seconds", "policy", "value"),
    [
        ("shared", 60, PLAIN, b"max-age=0, s-maxage=60"),
        ("shared", 60.99, PLAIN, b"max-age=0, s-maxage=60"),
        ("shared", 60, STALE, b"max-age=0, s-maxage=60"),
        ("shared", inf, PLAIN, b"max-age=0, s-maxage=31536000"),
        ("shared", 0.9, PLAIN, b""),
        ("shared", 0, PLAIN, b""),
        ("all", 60, PLAIN, b"max-age=60"),
        ("all", inf, PLAIN, b"max-age=31536000"),
        ("all", 60, STALE, b"max-age=60, stale-while-revalidate=30, stale-if-error=600"),
        ("all", 60, replace(STALE, stale_if_error=0.0), b"max-age=60, stale-while-revalidate=30"),
        ("all", 60, replace(STALE, stale_while_revalidate=0.5), b"max-age=60, stale-if-error=600"),
        (None, 60, STALE, b""),
    ],
)
def test_what_is_said(word, seconds, policy, value):
    assert statement(word, seconds, policy) == value


@pytest.mark.parametrize(
    ("options", "value"),
    [
        ({}, SAID),
        ({"cache_control": "all"}, "max-age=60"),
        ({"cache_control": None}, None),
        ({"cache_control": "all", "policy": STALE}, "max-age=60, stale-while-revalidate=30, stale-if-error=600"),
        ({"ttl": FOREVER}, "max-age=0, s-maxage=31536000"),
        ({"ttl": None}, "max-age=0, s-maxage=300"),
        ({"ttl": 0.5}, None),
        ({"vary": ("accept-language",)}, SAID),
        ({"public": True}, None),
        ({"vary": ("cookie",)}, None),
        ({"make_key_callback": lambda ctx, prefix: "key"}, None),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, dict) else None,
)
def test_pages_say_it_as_they_were_told(options, value):
    assert said(client_of(page(**options))) == value


@pytest.mark.parametrize("wrong", ["private", "", "Shared", "max-age=5", True, 60, b"all", ("all",)])
def test_wrong_words_are_errors_at_once(wrong):
    with pytest.raises(ConfigurationError if isinstance(wrong, str) else TypeError, match="'shared', 'all' or None"):
        Cache(60, cache_control=wrong)


def test_it_is_the_ttl_that_the_page_is_stored_with():
    def make(request):
        current_load().ttl = 25
        return PlainTextResponse("x")

    assert said(client_of(page(make))) == "max-age=0, s-maxage=25"


def test_it_is_the_shortened_ttl_where_lifetimes_vary():
    client = client_of(page(ttl=None, policy=CachePolicy(ttl=1000, jitter=0.5)))
    values = [said(client, params={"n": str(number)}) for number in range(8)]
    seconds = {int(value.removeprefix("max-age=0, s-maxage=")) for value in values}
    assert len(seconds) > 1
    assert 500 <= min(seconds) <= max(seconds) < 1000


@pytest.mark.parametrize("own", ["100", "100, 7"])
def test_an_age_of_the_responses_own_is_counted_in(own):
    clock = FakeClock()
    client = client_of(
        page(lambda request: PlainTextResponse("x", headers={"Age": own})), backend=LocalMemCacheBackend(clock=clock)
    )
    assert client.get("/").headers["cache-control"] == "max-age=0, s-maxage=160"
    clock.advance(59)
    last = client.get("/").headers
    assert (last["cache-control"], last["age"]) == ("max-age=0, s-maxage=160", "159")


def test_a_page_that_is_over_is_older_than_it_says():
    clock = FakeClock()
    policy = CachePolicy(stale_if_error=600, error_backoff=100)
    fails = []

    def make(request):
        if fails:
            raise RuntimeError
        return PlainTextResponse("x")

    client = client_of(page(make, policy=policy), backend=LocalMemCacheBackend(clock=clock))
    client.get("/")
    fails.append(True)
    clock.advance(90)
    stale = client.get("/").headers
    assert (stale["cache-control"], stale["age"], stale["cache-status"]) == (SAID, "90", "asynccache; hit; ttl=-30")


@pytest.mark.parametrize(
    "own",
    [
        ("Cache-Control", "max-age=5"), ("Cache-Control", ""), ("Cache-Control", "public"), ("Expires", "0"),
        ("CDN-Cache-Control", "max-age=9"), ("Acme-CDN-Cache-Control", "max-age=9"), ("Surrogate-Control", "max-age=9"),
        ("Pragma", "no-cache"), ("X-Accel-Expires", "5"),
    ],
    ids=str,
)  # fmt: skip
def test_a_response_that_speaks_for_itself_is_not_interrupted(own):
    client = client_of(page(lambda request: PlainTextResponse("x", headers=dict([own]))))
    lines = [[pair for pair in client.get("/").headers.items() if SAID in pair[1]] for _ in range(2)]
    assert lines == [[], []]
    assert is_hit(client.get("/"))


@pytest.mark.parametrize(
    "carried",
    [
        ("Cookie", "a=1"), ("Authorization", "Bearer x"), ("Proxy-Authorization", "x"), ("X-Api-Key", "x"),
        ("X-Forwarded-User", "alice"), ("X-Tenant", "one"), ("Cf-Access-Jwt-Assertion", "x"), ("Origin", "http://o"),
    ],
    ids=str,
)  # fmt: skip
def test_who_could_be_known_is_not_told(carried):
    client = client_of(page())
    assert said(client, headers=dict([carried])) is None
    assert said(client) == SAID, "whoever made the page"
    assert said(client, headers=dict([carried])) is None


def test_usual_fields_tell_nobodys_name():
    client = client_of(page())
    fields = {name.decode(): "1" for name in NAMELESS - {b"host", b"content-length", b"transfer-encoding", b"range"}}
    assert said(client, headers=fields) == SAID


def test_variants_say_it_to_who_is_not_known_by_what_they_are_kept_by():
    client = client_of(
        page(lambda request: PlainTextResponse(request.headers.get("x-tenant", request.headers["accept-language"])))
    )
    assert said(client, headers={"Accept-Language": "de"}) == SAID
    assert said(client, headers={"Accept-Language": "en"}) == SAID
    assert client.get("/", headers={"Accept-Language": "en"}).headers["vary"] == "accept-language, x-tenant"
    assert said(client, headers={"X-Tenant": "one"}) is None


@pytest.mark.parametrize("name", ["Cookie", "Authorization"])
def test_who_is_kept_apart_by_a_vary_that_many_caches_do_not_heed_is_not_told(name):
    client = client_of(page(lambda request: PlainTextResponse("x", headers={"Vary": name})))
    assert said(client) is None


class Login(AuthenticationBackend):
    async def authenticate(self, conn):
        if "x" in conn.query_params:
            return AuthCredentials(["in"]), SimpleUser("alice")
        return None


def test_where_somebody_could_be_logged_in_nothing_is_said():
    client = client_of(page(), middleware=[Middleware(AuthenticationMiddleware, backend=Login())])
    assert said(client) is None
    assert said(client, params={"x": "1"}) is None


def test_a_session_that_was_looked_at_is_not_told():
    sessions = [Middleware(SessionMiddleware, secret_key="s")]
    tells = hasattr(sessions_of_starlette, "Session")  # before, one that is there counts as looked at
    assert said(client_of(page(), middleware=sessions)) == (SAID if tells else None)
    reading = page(lambda request: PlainTextResponse(request.session.get("name", "nobody")))
    assert said(client_of(reading, middleware=sessions)) is None


@pytest.mark.parametrize(
    "make",
    [
        lambda request: PlainTextResponse("x", status_code=500),
        lambda request: PlainTextResponse("x", headers={"Vary": "*"}),
        lambda request: PlainTextResponse(request.cookies.get("who", "nobody")),
        lambda request: PlainTextResponse(str(request.client)),
    ],
    ids=["status", "vary", "cookie", "client"],
)
def test_what_is_not_stored_says_nothing(make):
    client = client_of(page(make))
    answers = [client.get("/") for _ in range(2)]
    assert [answer.headers.get("cache-control") for answer in answers] == [None, None]
    assert not any(is_hit(answer) for answer in answers)


def test_a_head_that_finds_nothing_says_nothing_and_one_that_is_answered_says_it():
    client = client_of(page())
    assert "cache-control" not in client.head("/").headers
    client.get("/")
    assert client.head("/").headers["cache-control"] == SAID


def test_a_304_says_it():
    client = client_of(page())
    etag = client.get("/").headers["etag"]
    answer = client.get("/", headers={"If-None-Match": etag})
    assert (answer.status_code, answer.headers["cache-control"]) == (304, SAID)


def test_the_first_answer_has_the_etag_that_hits_have():
    client = client_of(page())
    assert client.get("/").headers["etag"] == client.get("/").headers["etag"]


def test_other_methods_say_nothing():
    client = client_of(Route("/", page(methods=("GET", "HEAD", "POST")), methods=["GET", "POST"]))
    answers = [client.post("/", content=b"x") for _ in range(2)]
    assert is_hit(answers[1])
    assert [answer.headers.get("cache-control") for answer in answers] == [None, None]


def test_a_stream_whose_head_leaves_before_its_end_says_it_from_the_store_on():
    async def parts():
        yield "a"
        yield "b"

    client = client_of(page(lambda request: StreamingResponse(parts())))
    assert "cache-control" not in client.get("/").headers
    assert client.get("/").headers["cache-control"] == SAID


class Greeting:
    """Gives a cookie of its own to each who comes without one, as many middlewares do."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def greeted(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"set-cookie", b"visitor=%d" % id(message))]
            await send(message)

        await self.app(scope, receive, greeted)


async def test_an_answer_that_got_a_cookie_on_its_way_no_longer_says_it():
    app = app_of(page(), middleware=[Middleware(Greeting)])
    answers = [await ask(app) for _ in range(2)]
    assert [answer.header("cache-control") for answer in answers] == [None, None]
    assert answers[1].cache == "hit"
    own = app_of(
        page(lambda request: PlainTextResponse("x", headers={"Cache-Control": SAID})), middleware=[Middleware(Greeting)]
    )
    assert (await ask(own)).header("cache-control") == SAID


@pytest.mark.parametrize("name", [b"set-cookie", b"Set-Cookie"])
def test_headers_of_any_kind_are_looked_at(name):
    pairs = [[b"cache-control", Said(b"max-age=1")], [b"cache-control", b"max-age=1"], [name, b"a=1"]]
    message = {"type": "http.response.start", "status": 200, "headers": iter(pairs)}
    take_back(message)
    assert message["headers"] == pairs[1:]
    take_back(bare := {"type": "http.response.start", "status": 200})
    assert bare["headers"] == []
    take_back(body := {"type": "http.response.body"})
    assert body == {"type": "http.response.body"}


async def test_what_the_store_did_not_take_says_nothing_to_those_who_waited():
    @Cache(60)
    async def handler(request):
        await asyncio.sleep(0.01)
        return PlainTextResponse("x" * 2000)

    app = app_of(handler, backend=LocalMemCacheBackend(max_bytes=1000))
    answers = await asyncio.gather(*(ask(app) for _ in range(3)))
    assert "fwd=uri-miss; collapsed" in [answer.cache for answer in answers]
    assert [answer.header("cache-control") for answer in answers] == [None] * 3
