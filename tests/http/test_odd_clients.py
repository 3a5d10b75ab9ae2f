"""One odd client does not switch the cache off for all others."""

import pytest
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse

from asynccache import Cache
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock
from tests.http.serving import app_of, ask, client_of, is_hit, status_of
from tests.http.test_unseen_reads import Fill

ODD = {"x-odd": "1"}


def refusing(request):
    return PlainTextResponse("no", 406)


def setting_a_cookie(request):
    answer = PlainTextResponse("x")
    answer.set_cookie("a", "b")
    return answer


def reading_a_cookie(request):
    return PlainTextResponse(request.cookies.get("name", "-"))


def varying_by_all(request):
    return PlainTextResponse("x", headers={"vary": "*"})


def varying_by_much(request):
    return PlainTextResponse("x", headers={"vary": ",".join(f"x-{number}" for number in range(9))})


ODD_ANSWERS = [refusing, setting_a_cookie, reading_a_cookie, varying_by_all, varying_by_much]


def turning(odd_answer, ttl=60, **options):
    @Cache(ttl, **options)
    async def handler(request):
        if request.headers.get("x-odd"):
            return odd_answer(request)
        return PlainTextResponse("fine")

    return handler


@pytest.mark.parametrize("odd_answer", ODD_ANSWERS)
def test_what_one_header_made_unstorable_is_so_for_that_header_only(odd_answer):
    client = client_of(turning(odd_answer))
    for _ in range(3):
        client.get("/", headers=ODD)
    assert status_of(client.get("/", headers=ODD)) == "fwd=bypass"
    client.get("/")
    assert is_hit(client.get("/"))
    assert status_of(client.get("/", headers=ODD)) != "hit"
    assert is_hit(client.get("/"))


async def test_a_mark_does_not_shorten_the_life_of_pages():
    clock = FakeClock()
    app = app_of(turning(refusing, 3600), backend=LocalMemCacheBackend(clock=clock))
    await ask(app)
    await ask(app, headers=[(b"x-odd", b"1")])
    assert (await ask(app, headers=[(b"x-odd", b"1")])).cache == "fwd=bypass"
    clock.advance(3000)
    assert (await ask(app)).cache == "hit"


def test_an_odd_request_does_not_make_the_names_of_others_forgotten():
    @Cache(60)
    async def handler(request):
        if request.headers.get("accept") == "odd" and request.headers.get("x-more"):
            return PlainTextResponse("no", 406)
        return PlainTextResponse("fine")

    client = client_of(handler)
    client.get("/", headers={"accept": "a"})
    client.get("/", headers={"accept": "odd", "x-more": "1"})
    assert is_hit(client.get("/", headers={"accept": "a"}))


@pytest.mark.parametrize("status", [408, 425, 429, 503])
def test_what_may_be_otherwise_in_a_moment_leaves_no_mark(status):
    answers = [PlainTextResponse("later", status), PlainTextResponse("fine")]

    @Cache(60)
    async def handler(request):
        return answers.pop(0)

    client = client_of(handler)
    assert client.get("/").status_code == status
    client.get("/")
    assert is_hit(client.get("/"))


def test_a_refusal_for_one_visitor_of_a_public_page_leaves_no_mark():
    @Cache(60, public=True)
    async def handler(request):
        return PlainTextResponse("x", 403 if request.cookies.get("name") == "bad" else 200)

    client = client_of(handler)
    assert client.get("/", headers={"cookie": "name=bad"}).status_code == 403
    assert status_of(client.get("/")) == "fwd=uri-miss; stored"


def test_a_callback_that_found_no_user_does_not_speak_for_credentials():
    @Cache(60, make_key_callback=lambda ctx, prefix: f"{prefix}:{ctx.user}")
    async def handler(request):
        return PlainTextResponse(request.auth["sub"])

    client = client_of(handler, middleware=[Middleware(Fill, key="auth", make=lambda who: {"sub": who})])
    assert [client.get("/", headers={"x-user": who}).text for who in ("alice", "bob")] == ["alice", "bob"]
