"""`@Cache` with a `CacheMiddleware` around its app: who answers, what is stored where, and what nobody may be given."""

import asyncio
import logging
from contextvars import ContextVar

import anyio.lowlevel
import pytest
import trio
import trio.testing
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from asynccache import (
    BackendUnavailableError,
    Cache,
    CacheMiddleware,
    CachePolicy,
    CacheService,
    ConfigurationError,
    current_load,
    get_cache_service,
)
from asynccache.backends.base import StoreBackend
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.testing import FakeClock
from tests.http.serving import app_of, ask

PROFILES = pytest.mark.parametrize("profile", ["safe", "rfc9111"])
KEY = (b"x-api-key", b"k")
COOKIE = (b"cookie", b"who=alice")
LOGIN = (b"authorization", b"Bearer alice")


class Site:
    """An app with one cached handler, and a guard above it that counts whom it sees."""

    def __init__(self, make=None, *, ttl=60, middleware=(), backend=None, profile="safe", guard=None, **options):
        @Cache(ttl, **options)
        async def handler(request):
            self.calls += 1
            return await make(request) if make else PlainTextResponse(f"call {self.calls}")

        site = self
        self.calls = self.seen = 0
        self.clock = FakeClock()

        class Guard:
            def __init__(self, app):
                self.app = app

            async def __call__(self, scope, receive, send):
                site.seen += scope["type"] == "http"
                if guard is not None and scope["type"] == "http" and not guard(scope):
                    await PlainTextResponse("no", 401)(scope, receive, send)
                else:
                    await self.app(scope, receive, send)

        self.inner = app_of(
            handler,
            backend=backend or LocalMemCacheBackend(clock=self.clock),
            middleware=[Middleware(Guard), *middleware],
        )
        self.app = CacheMiddleware(self.inner, profile=profile, clock=self.clock)
        self.service = get_cache_service(self.inner)

    async def ask(self, path="/", *fields, **options):
        return await ask(self.app, path, headers=fields, **options)

    @staticmethod
    def outer_of(answer):
        """Give what the middleware says in Cache-Status: the last word."""
        lines = [value for name, value in answer.messages[0]["headers"] if name == b"cache-status"]
        return lines[-1].decode().removeprefix("asynccache; ")

    async def texts(self, *fields, times=3, path="/"):
        return [(await self.ask(path, *fields)).body.decode() for _ in range(times)]


# Before routing


async def test_pages_of_an_edge_handler_answer_before_routing():
    site = Site(edge=True)
    assert await site.texts() == ["call 1"] * 3
    assert (site.calls, site.seen) == (1, 1)
    answer = await site.ask()
    assert (answer.header("cache-status"), answer.header("age")) == ("asynccache; hit", "0")
    assert answer.header("cache-control") == "max-age=0, s-maxage=60"


@pytest.mark.parametrize("own", [None, "Sun, 06 Nov 1994 08:49:37 GMT"])
async def test_answers_from_there_have_a_date_and_no_second_one(own):
    async def make(request):
        return PlainTextResponse("x", headers={"Date": own} if own else None)

    site = Site(make, edge=True)
    await site.ask()
    etag = (await site.ask()).header("etag").encode()
    for fields in ((), ((b"if-none-match", etag),), ((b"range", b"bytes=0-0"),)):
        answer = await site.ask("/", *fields)
        dates = [value.decode() for name, value in answer.messages[0]["headers"] if name == b"date"]
        assert len(dates) == 1
        assert own in {None, dates[0]}
    assert site.seen == 1


async def test_without_edge_guards_see_what_the_middleware_has_not_stored():
    site = Site(cache_control=None)
    await site.texts()
    assert (site.calls, site.seen) == (1, 3)


async def test_heads_and_conditions_are_answered_there_too():
    site = Site(edge=True)
    first = await site.ask()
    head = await site.ask(method="HEAD")
    assert (head.status, head.body, head.header("content-length")) == (200, b"", "6")
    assert (await site.ask("/", (b"if-none-match", first.header("etag").encode()))).status == 304
    part = await site.ask("/", (b"range", b"bytes=0-3"))
    assert (part.status, part.body) == (206, b"call")
    assert site.seen == 1


async def test_other_urls_and_methods_go_inside():
    site = Site(edge=True)
    await site.texts(times=2)
    assert await site.texts(path="/?x=1", times=1) == ["call 2"]
    assert await site.texts(path="/other", times=1) == ["call 3"]
    assert (await site.ask(method="OPTIONS")).status == 405
    assert (await ask(site.app, headers=[(b"host", b"other")], host=None)).body == b"call 4"
    assert site.seen == 5


async def test_a_get_with_a_body_goes_inside():
    site = Site(edge=True)
    await site.texts(times=2)
    assert (await site.ask("/", (b"content-length", b"1"), body=b"x")).cache == "fwd=bypass"
    assert site.seen == 2


@pytest.mark.parametrize("field", [COOKIE, LOGIN, KEY, (b"x-forwarded-user", b"alice"), (b"origin", b"http://o")])
async def test_who_could_be_known_goes_inside(field):
    site = Site(edge=True)
    await site.texts(times=2)
    await site.texts(field, times=2)
    assert site.seen == 3


@pytest.mark.parametrize("field", [COOKIE, LOGIN, KEY])
async def test_nobody_is_answered_there_by_what_only_somebody_was_let_see(field):
    site = Site(edge=True, public=True, guard=lambda scope: field in scope["headers"])
    assert await site.texts(field) == ["call 1"] * 3
    assert await site.texts() == ["no"] * 3
    assert site.seen == 6


async def test_fields_that_pages_are_kept_by_make_pages_of_their_own():
    async def make(request):
        return PlainTextResponse(request.headers.get("accept-language", "-") + request.headers.get("x-tenant", "-"))

    site = Site(make, edge=True)
    for _ in range(2):
        assert await site.texts((b"accept-language", b"de"), times=2) == ["de-"] * 2
        assert await site.texts((b"accept-language", b"en"), times=2) == ["en-"] * 2
        assert await site.texts(times=2) == ["--"] * 2
    assert (site.calls, site.seen) == (3, 3)
    assert await site.texts((b"x-tenant", b"one")) == ["-one"] * 3
    assert (site.calls, site.seen) == (4, 6)


class Bearer(AuthenticationBackend):
    async def authenticate(self, conn):
        return (AuthCredentials(["in"]), SimpleUser("alice")) if "authorization" in conn.headers else None


@PROFILES
async def test_users_get_their_own_where_nobodys_page_answers_nobody(profile):
    async def make(request):
        return PlainTextResponse(request.user.display_name or "nobody")

    site = Site(make, edge=True, profile=profile, middleware=[Middleware(AuthenticationMiddleware, backend=Bearer())])
    assert await site.texts() == ["nobody"] * 3
    assert (await site.ask()).header("cache-control") is None
    assert site.seen == 1
    assert await site.texts(LOGIN) == ["alice"] * 3
    assert await site.texts() == ["nobody"] * 3


async def test_what_is_invalidated_or_over_is_made_anew():
    site = Site(edge=True, tags=["all"])
    await site.texts(times=2)
    await site.service.invalidate_tags_async("all")
    assert await site.texts(times=2) == ["call 2"] * 2
    await site.service.invalidate_url_async("http://h/")
    assert await site.texts(times=2) == ["call 3"] * 2
    await site.service.delete_async("GET http://h/")
    assert await site.texts(times=2) == ["call 4"] * 2
    site.clock.advance(61)
    assert await site.texts(times=2) == ["call 5"] * 2
    assert site.seen == 5


@pytest.mark.parametrize(
    "policy", [CachePolicy(refresh_ahead=0.5), CachePolicy(stale_while_revalidate=100)], ids=["ahead", "stale"]
)
async def test_pages_that_are_due_go_inside_and_are_renewed(policy):
    site = Site(edge=True, policy=policy)
    await site.texts(times=2)
    assert site.seen == 1
    site.clock.advance(61 if policy.stale_while_revalidate else 31)
    assert (await site.ask()).body == b"call 1"
    async with asyncio.timeout(5):
        while (await site.ask()).body != b"call 2":
            await asyncio.sleep(0)
    seen = site.seen
    assert await site.texts() == ["call 2"] * 3
    assert site.seen == seen


class Awaited(StoreBackend):
    """A store whose answers have to be waited for, in any loop."""

    def __init__(self):
        super().__init__()
        self.kept = {}

    async def _fetch(self, io, key):
        await anyio.lowlevel.checkpoint()
        return self.kept.get(key)

    async def _store(self, io, key, raw, ttl):
        self.kept[key] = raw
        return True

    async def _drop(self, io, key):
        return self.kept.pop(key, None) is not None


@pytest.mark.parametrize("backend", [None, Awaited()], ids=["in memory", "awaited"])
def test_trio_gets_the_same(backend):
    async def main():
        go = trio.Event()

        async def make(request):
            await go.wait()
            return PlainTextResponse(f"call {site.calls}")

        site = Site(make, edge=True, policy=CachePolicy(stale_while_revalidate=60), backend=backend)
        answers = []

        async def asked(*fields, **options):
            answers.append(await ask(site.app, headers=fields, gone=trio.Event(), **options))
            return answers[-1]

        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(asked)
            await trio.testing.wait_all_tasks_blocked()
            go.set()
        assert {answer.body for answer in answers} == {b"call 1"}
        seen = site.seen
        assert (await asked()).body == b"call 1"
        assert (await asked((b"if-none-match", answers[-1].header("etag").encode()))).status == 304
        assert ((await asked(method="HEAD")).status, answers[-1].body) == (200, b"")
        assert site.seen == seen
        await site.service.invalidate_url_async("http://h/")
        assert (await asked()).body == b"call 2"
        await site.service.aclose()

    trio.run(main)


async def test_a_store_that_must_be_awaited_answers_there_too(redis_server, unique_prefix):
    site = Site(edge=True, backend=RedisCacheBackend(redis_server.url, key_prefix=unique_prefix))
    async with site.service:
        assert await site.texts() == ["call 1"] * 3
        assert site.seen == 1
        await site.service.invalidate_url_async("http://h/")
        assert await site.texts() == ["call 2"] * 3


async def test_a_handler_in_a_mounted_app_answers_there_by_the_paths_that_it_sees():
    calls = []

    @Cache(60, edge=True)
    async def handler(request):
        calls.append(request.url.path)
        return PlainTextResponse(request.url.path)

    inner = app_of(Mount("/a", routes=[Route("/x", handler)]), Mount("/b", routes=[Route("/x", handler)]))
    app = CacheMiddleware(inner)
    for path in ("/a/x", "/b/x", "/a/x", "/b/x"):
        assert (await ask(app, path)).body == path.encode()
    assert calls == ["/a/x", "/b/x"]


async def test_without_a_middleware_around_nothing_changes_and_the_log_says_so_once(caplog):
    caplog.set_level(logging.INFO, "asynccache")
    site = Site(edge=True)
    answers = [await ask(site.inner, path) for path in ("/", "/", "/other")]
    assert [answer.cache for answer in answers] == ["fwd=uri-miss; stored", "hit", "fwd=uri-miss; stored"]
    assert [record.message.partition(" ")[2] for record in caplog.records] == [
        "answers nothing before routing: no CacheMiddleware is around its app"
    ]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"edge": 1}, TypeError),
        ({"edge": None}, TypeError),
        ({"edge": True, "make_key_callback": print}, ConfigurationError),
        ({"edge": True, "methods": ("POST",)}, ConfigurationError),
    ],
    ids=["a number", "None", "with a callback", "for POST"],
)
def test_what_cannot_work_is_an_error_at_once(options, error):
    with pytest.raises(error, match="edge"):
        Cache(60, **options)


class Obeying:
    """Takes a request for one to another place, where it says so itself."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        said = dict(scope["headers"])
        if host := said.get(b"x-forwarded-host"):
            scope = {**scope, "headers": [(b"host", host) if pair[0] == b"host" else pair for pair in scope["headers"]]}
        if scheme := said.get(b"x-forwarded-proto"):
            scope = {**scope, "scheme": scheme.decode()}
        if path := said.get(b"x-original-url"):
            scope = {**scope, "path": path.decode(), "raw_path": path}
        await self.app(scope, receive, send)


@PROFILES
@pytest.mark.parametrize("edge", [False, True])
@pytest.mark.parametrize(
    "field",
    [(b"x-forwarded-host", b"evil"), (b"x-forwarded-proto", b"evil"), (b"x-original-url", b"/evil")],
    ids=["host", "scheme", "path"],
)
async def test_nobody_is_given_the_page_of_a_place_that_somebody_else_named(profile, edge, field):
    async def make(request):
        return PlainTextResponse(str(request.url))

    site = Site(make, edge=edge, profile=profile, middleware=[Middleware(Obeying)])
    assert "evil" in (await site.texts(field))[0]
    assert await site.texts() == ["http://h/"] * 3
    await site.texts(field)
    assert await site.texts() == ["http://h/"] * 3


async def test_a_field_that_nobody_obeys_keeps_nothing_from_the_middleware():
    site = Site(edge=True)
    proto = (b"x-forwarded-proto", b"http")
    assert await site.texts(proto) == ["call 1"] * 3
    assert site.seen == 1


# Stored by the middleware


@PROFILES
async def test_a_page_that_says_how_long_it_is_good_for_is_stored_and_answers_before_the_guards(profile):
    site = Site(profile=profile)
    assert await site.texts() == ["call 1"] * 3
    assert (site.calls, site.seen) == (1, 1)
    site.clock.advance(61)
    assert await site.texts() == ["call 2"] * 3


@PROFILES
async def test_it_goes_with_the_tags_that_were_known_in_front_and_those_of_the_handler(profile):
    async def make(request):
        current_load().tags = ["said"]
        return PlainTextResponse(f"call {site.calls}")

    site = Site(make, tags=["told"], profile=profile)
    for number, tag in enumerate(["told", "said", "told"], 1):
        assert await site.texts() == [f"call {number}"] * 3
        await site.service.invalidate_tags_async(tag)
    await site.service.invalidate_tags_async("other")
    assert await site.texts() == ["call 4"] * 3


@PROFILES
async def test_a_page_from_the_store_is_stored_with_its_tags(profile):
    async def make(request):
        current_load().tags = ["said"]
        return PlainTextResponse(f"call {site.calls}")

    site = Site(make, tags=["told"], profile=profile)
    await ask(site.inner)  # not by way of the middleware
    for number, tag in enumerate(["told", "said"], 1):
        assert await site.texts() == [f"call {number}"] * 3
        await site.service.invalidate_tags_async(tag)
        await ask(site.inner)
    assert site.calls == 3


async def test_invalidating_a_url_removes_what_both_have_stored():
    site = Site()
    await site.texts()
    await site.service.invalidate_url_async("http://h/")
    assert await site.texts() == ["call 2"] * 3


@pytest.mark.parametrize("public", [False, True])
async def test_a_user_who_is_known_in_front_of_the_middleware_goes_inside(public):
    site = Site(edge=True, public=public)
    await site.texts()

    async def known(scope, receive, send):
        await site.app({**scope, "user": SimpleUser("alice")}, receive, send)

    seen = site.seen
    await ask(known)
    assert site.seen == seen + 1


@PROFILES
@pytest.mark.parametrize("field", [COOKIE, LOGIN, KEY], ids=["cookie", "login", "key"])
@pytest.mark.parametrize("public", [False, True])
async def test_nobody_is_given_what_a_guard_let_somebody_see(profile, field, public):
    site = Site(public=public, profile=profile, guard=lambda scope: field in scope["headers"])
    assert set(await site.texts(field)) <= {"call 1", "call 2", "call 3"}
    assert await site.texts() == ["no"] * 3
    assert await site.texts((field[0], b"other")) == ["no"] * 3


@PROFILES
@pytest.mark.parametrize("options", [{"public": True}, {"vary": ("cookie",)}, {}], ids=["public", "vary", "key"])
async def test_the_middleware_does_not_even_keep_it(profile, options):
    site = Site(profile=profile, **options)
    assert site.app is not site.inner
    fields = (KEY,) if not options else ()
    for _ in range(3):
        assert site.outer_of(await site.ask("/", *fields)) in {"fwd=uri-miss", "fwd=bypass"}


async def test_what_it_keeps_though_the_handler_does_not_goes_with_its_tags():
    async def make(request):
        return PlainTextResponse(f"call {site.calls}", headers={"Cache-Control": "max-age=600"})

    site = Site(make, tags=["told"], max_body=1)
    assert await site.texts() == ["call 1"] * 3
    await site.service.invalidate_tags_async("told")
    assert await site.texts(times=1) == ["call 2"]


async def test_a_page_that_the_app_confirms_is_still_not_for_who_carries_authorization():
    site = Site()
    await site.texts()
    site.clock.advance(61)
    assert (await ask(site.inner)).body == b"call 2"
    site.clock.advance(1)
    site.app.app = confirming = Confirming(site.inner)
    assert await site.texts(COOKIE, times=2) == ["call 1"] * 2
    assert confirming.statuses == [304]
    assert await site.texts(times=1) == ["call 1"]
    assert await site.texts(LOGIN, times=1) == ["call 3"]


class Confirming:
    """Says 304 to whoever asks with a condition."""

    def __init__(self, app):
        self.app = app
        self.statuses = []

    async def __call__(self, scope, receive, send):
        conditions = {name: value for name, value in scope["headers"] if name == b"if-none-match"}
        if not conditions:
            await self.app(scope, receive, send)
            return
        self.statuses.append(304)
        headers = [(b"etag", conditions[b"if-none-match"]), (b"cache-control", b"max-age=0, s-maxage=60")]
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


@PROFILES
async def test_nobody_is_given_it_where_the_app_fails_either(profile):
    def guard(scope):
        if fails:
            raise RuntimeError
        return KEY in scope["headers"]

    fails = []
    site = Site(public=True, profile=profile, guard=guard)
    await site.texts(KEY)
    fails.append(True)
    with pytest.raises(RuntimeError):
        await site.ask()


@PROFILES
async def test_who_carries_authorization_gets_no_page_that_was_made_for_nobody(profile):
    async def make(request):
        return PlainTextResponse(f"for {token.get()}")

    token = ContextVar("token", default=b"nobody")

    class Unseen:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            before = token.set(dict(scope["headers"]).get(b"authorization", b"nobody"))
            try:
                await self.app(scope, receive, send)
            finally:
                token.reset(before)

    site = Site(make, profile=profile, middleware=[Middleware(Unseen)])
    for _ in range(2):
        assert await site.texts() == ["for b'nobody'"] * 3
        assert await site.texts((b"authorization", b"a")) == ["for b'a'"] * 3
        site.clock.advance(61)
        await site.texts((b"if-none-match", b'"x"'))
        site.clock.advance(30)


@PROFILES
async def test_sessions_stay_their_owners(profile):
    async def make(request):
        if name := request.query_params.get("login"):
            request.session["name"] = name
        return PlainTextResponse(request.session.get("name", "nobody"))

    site = Site(make, profile=profile, middleware=[Middleware(SessionMiddleware, secret_key="s")])
    assert await site.texts() == ["nobody"] * 3
    answer = await site.ask("/?login=alice")
    alice = (b"cookie", answer.header("set-cookie").partition(";")[0].encode())
    assert await site.texts(alice) == ["alice"] * 3
    assert await site.texts() == ["nobody"] * 3
    assert (await site.ask("/?login=bob")).header("set-cookie") is not None
    assert await site.texts(alice) == ["alice"] * 3


@PROFILES
async def test_a_cookie_that_is_added_in_front_is_given_to_one_only(profile):
    given = []

    class Greeting:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            async def greeted(message):
                if message["type"] == "http.response.start":
                    given.append(b"visitor=%d" % len(given))
                    message = {**message, "headers": [*message["headers"], (b"set-cookie", given[-1])]}
                await send(message)

            await self.app(scope, receive, greeted)

    site = Site()
    site.app = CacheMiddleware(Greeting(site.inner), profile=profile, service=site.service)
    cookies = [(await site.ask()).header("set-cookie") for _ in range(3)]
    assert len({cookie for cookie in cookies if cookie}) == len([cookie for cookie in cookies if cookie])
    assert (await site.ask()).body == b"call 1"


@PROFILES
async def test_what_a_stream_reads_late_is_nobody_elses(profile):
    async def make(request):
        async def parts():
            yield "for "
            yield request.cookies.get("who", "nobody")

        return StreamingResponse(parts(), headers={"Cache-Control": "max-age=60"})

    site = Site(make, profile=profile)
    assert await site.texts(COOKIE) == ["for alice"] * 3
    assert await site.texts() == ["for nobody"] * 3
    assert await site.texts(COOKIE) == ["for alice"] * 3


@PROFILES
async def test_what_a_handler_with_headers_of_its_own_read_keeps_it_from_the_middleware(profile):
    async def make(request):
        return PlainTextResponse(request.cookies.get("who", "nobody"), headers={"Cache-Control": "max-age=60, public"})

    site = Site(make, profile=profile)
    assert await site.texts(COOKIE) == ["alice"] * 3
    assert await site.texts() == ["nobody"] * 3
    assert await site.texts(COOKIE) == ["alice"] * 3


async def test_a_callback_that_says_no_cache_means_the_middleware_too():
    site = Site(make_key_callback=lambda ctx, prefix: None)
    site.app = CacheMiddleware(site.inner, default_ttl=60)
    assert await site.texts() == ["call 1", "call 2", "call 3"]


async def test_keys_of_a_callback_are_not_taken_for_urls():
    async def make(request):
        return PlainTextResponse(f"for {request.headers.get('x-tenant')}")

    site = Site(make, make_key_callback=lambda ctx, prefix: ctx.headers.get("x-tenant", "none"))
    site.app = CacheMiddleware(site.inner, default_ttl=60)
    for tenant in (b"one", b"two", b"one"):
        assert await site.texts((b"x-tenant", tenant), times=2) == [f"for {tenant.decode()}"] * 2


async def test_two_middlewares_around_one_another_share_nothing_wrong():
    site = Site(edge=True, tags=["t"])
    async with CacheService(default="local") as other:
        site.app = CacheMiddleware(site.app, service=other)
        assert await site.texts() == ["call 1"] * 3
        assert site.seen == 1
        await site.service.invalidate_tags_async("t")
        assert await site.texts() == ["call 2"] * 3


class Gate:
    """Lets answers wait on their way from the app to the middleware."""

    reached, go = None, None

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def held(message):
            if message["type"] == "http.response.start" and Gate.go is not None:
                Gate.reached.set()
                await Gate.go.wait()
            await send(message)

        await self.app(scope, receive, held)


async def test_no_page_comes_back_that_is_read_inside_while_its_url_is_invalidated(monkeypatch):
    kept, asking = {}, []

    async def get(key):
        return kept.get(key)

    async def put(key, value):
        kept[key] = value

    async def delete(key):
        if "edge" not in key:
            asking.append(asyncio.create_task(site.ask()))
            await Gate.reached.wait()
            del kept[key]
        else:
            kept.pop(key, None)
            Gate.go.set()
            await asking[0]

    site = Site(middleware=[Middleware(Gate)], backend=CallableCacheBackend(get, put, delete))
    await ask(site.inner)
    monkeypatch.setattr(Gate, "reached", asyncio.Event())
    monkeypatch.setattr(Gate, "go", asyncio.Event())
    await site.service.invalidate_url_async("http://h/")
    assert [answer.body for answer in await asyncio.gather(*asking)] == [b"call 1"]
    assert await site.texts() == ["call 2"] * 3


async def test_whoever_is_cancelled_while_a_url_is_invalidated_waits_no_more():
    asked, begun = [], asyncio.Event()

    async def delete(key):
        asked.append(key)
        begun.set()
        await asyncio.Event().wait()

    site = Site(backend=CallableCacheBackend({}.get, {}.__setitem__, delete))
    task = asyncio.create_task(site.service.invalidate_url_async("http://h/"))
    async with asyncio.timeout(5):
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(asked) == 1


async def test_what_the_middleware_holds_is_removed_though_the_page_could_not_be():
    asked = []

    async def delete(key):
        asked.append(key)
        if "edge" not in key:
            raise OSError

    site = Site(backend=CallableCacheBackend({}.get, {}.__setitem__, delete))
    with pytest.raises(BackendUnavailableError):
        await site.service.invalidate_url_async("http://h/")
    assert ["edge" in key for key in asked] == [False, True]
