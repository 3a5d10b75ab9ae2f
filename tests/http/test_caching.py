"""A hit is the first answer again; what is stored, and what answers which request."""

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.testclient import TestClient

from asynccache import Cache, ConfigurationError, get_cache_service
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.page_keys import page_key
from asynccache.testing import FakeClock
from tests.http.serving import app_of, client_of, is_hit, status_of


def counting(make=None, **options):
    """Make a cached handler that counts its calls in `.calls`."""

    @Cache(60, **options)
    async def handler(request):
        handler.calls += 1
        return make(request) if make else PlainTextResponse(f"call {handler.calls}")

    handler.calls = 0
    return handler


def test_the_second_answer_comes_from_the_store():
    handler = counting()
    client = client_of(handler)
    first, second = client.get("/"), client.get("/")
    assert first.text == second.text == "call 1"
    assert handler.calls == 1
    assert status_of(first) == "fwd=uri-miss; stored"
    assert status_of(second) == "hit"


def test_status_headers_in_order_with_duplicates_and_body_come_back():
    def make(request):
        response = Response(bytes(range(256)), 203, media_type="application/x")
        response.raw_headers += [(b"link", b"<a>"), (b"x-odd", b"a,b"), (b"link", b"<b>")]
        return response

    client = client_of(counting(make))
    first, second = client.get("/"), client.get("/")
    assert second.status_code == first.status_code == 203
    assert second.content == first.content == bytes(range(256))
    added = {b"age", b"cache-status", b"etag"}
    assert [p for p in second.headers.raw if p[0] not in added] == [p for p in first.headers.raw if p[0] not in added]
    assert second.headers["age"] == "0"


def test_a_hit_has_a_weak_etag_and_an_age_by_the_backends_clock():
    clock = FakeClock()
    client = client_of(counting(), backend=LocalMemCacheBackend(clock=clock))
    client.get("/")
    assert client.get("/").headers["etag"].startswith('W/"')
    clock.advance(59.5)
    assert client.get("/").headers["age"] == "59"
    clock.advance(1)
    assert not is_hit(client.get("/"))


@pytest.mark.parametrize(
    ("lines", "at_first"), [(["100"], 100), (["100, 7"], 100), (["100", "7"], 100), (["x"], 0), (["-1"], 0)]
)
def test_the_age_that_a_response_came_with_counts(lines, at_first):
    def make(request):
        response = PlainTextResponse("x")
        response.raw_headers += [(b"age", line.encode()) for line in lines]
        return response

    clock = FakeClock()
    client = client_of(counting(make), backend=LocalMemCacheBackend(clock=clock))
    client.get("/")
    clock.advance(5)
    assert client.get("/").headers.get_list("age") == [str(at_first + 5)]


@pytest.mark.parametrize("status", [200, 203])
def test_pages_have_an_etag_of_ours_and_answer_conditions(status):
    client = client_of(counting(lambda request: PlainTextResponse("x", status)))
    client.get("/")
    etag = client.get("/").headers["etag"]
    assert client.get("/", headers={"If-None-Match": etag}).status_code == 304


def test_an_etag_of_the_handlers_own_stays():
    client = client_of(counting(lambda request: PlainTextResponse("x", headers={"ETag": '"mine"'})))
    client.get("/")
    assert client.get("/").headers.get_list("etag") == ['"mine"']


def test_if_none_match_gets_304_with_what_belongs_to_it():
    def make(request):
        return PlainTextResponse("x", headers={"Cache-Control": "max-age=5", "Vary": "accept", "X-Other": "1"})

    client = client_of(counting(make))
    client.get("/")
    etag = client.get("/").headers["etag"]
    answer = client.get("/", headers={"If-None-Match": f'"no", {etag}'})
    assert answer.status_code == 304
    assert answer.content == b""
    assert set(answer.headers) == {"etag", "cache-control", "vary", "age", "cache-status"}
    assert client.get("/", headers={"If-None-Match": '"no"'}).status_code == 200


def test_if_modified_since_gets_304_unless_if_none_match_speaks():
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    client = client_of(counting(lambda request: PlainTextResponse("x", headers={"Last-Modified": date})))
    client.get("/")
    assert client.get("/", headers={"If-Modified-Since": date}).status_code == 304
    assert client.get("/", headers={"If-Modified-Since": date, "If-None-Match": '"no"'}).status_code == 200


def test_head_is_answered_from_get_and_stores_nothing():
    handler = counting()
    client = client_of(handler)
    assert status_of(client.head("/")) == "fwd=uri-miss"
    assert status_of(client.get("/")) == "fwd=uri-miss; stored"
    answer = client.head("/")
    assert is_hit(answer)
    assert answer.headers["content-length"] == "6"
    assert answer.content == b""
    assert client.get("/").text == "call 2"


def test_query_order_makes_no_difference_and_values_do():
    handler = counting()
    client = client_of(handler)
    client.get("/?a=1&b=2")
    assert is_hit(client.get("/?b=2&a=1"))
    assert not is_hit(client.get("/?a=2&b=1"))


def test_hosts_have_pages_of_their_own():
    client = client_of(counting())
    client.get("/", headers={"Host": "one.example"})
    assert is_hit(client.get("/", headers={"Host": "ONE.example:80"}))
    assert not is_hit(client.get("/", headers={"Host": "two.example"}))


@pytest.mark.parametrize("status", [200, 203, 204, 301, 308])
def test_these_statuses_are_stored(status):
    client = client_of(counting(lambda request: Response(status_code=status)))
    client.get("/")
    assert is_hit(client.get("/"))
    assert client.get("/").status_code == status


@pytest.mark.parametrize("status", [201, 202, 206, 302, 303, 304, 307, 400, 404, 410, 500, 503])
def test_these_are_not(status):
    handler = counting(lambda request: Response(status_code=status))
    client = client_of(handler)
    client.get("/")
    assert not is_hit(client.get("/"))
    assert handler.calls == 2


def test_statuses_are_what_the_decorator_says():
    handler = counting(lambda request: Response("none", 404), statuses=(404,))
    client = client_of(handler)
    client.get("/")
    again = client.get("/")
    assert is_hit(again)
    assert (again.status_code, again.text) == (404, "none")


def test_other_methods_are_cached_by_their_body_only_where_asked_for():
    @Cache(60, methods=("GET", "POST"))
    async def search(request):
        return JSONResponse([request.method, (await request.body()).decode()])

    client = client_of(Route("/", search, methods=["GET", "POST", "PUT"]))
    assert not is_hit(client.post("/", content="one"))
    assert is_hit(client.post("/", content="one"))
    assert client.post("/", content="two").json() == ["POST", "two"]
    assert client.get("/").json() == ["GET", ""]
    assert client.get("/").json() == ["GET", ""]
    assert "cache-status" not in client.put("/", content="one").headers


def test_post_is_never_answered_from_get():
    handler = counting()
    client = client_of(Route("/", handler, methods=["GET", "POST"]))
    client.get("/")
    assert client.post("/").text == "call 2"
    assert client.post("/").text == "call 3"


def test_a_body_on_get_is_left_to_the_handler():
    @Cache(60)
    async def handler(request):
        return PlainTextResponse(await request.body())

    client = client_of(handler)
    assert status_of(client.request("GET", "/", content="evil")) == "fwd=bypass"
    assert client.get("/").text == ""
    assert client.request("GET", "/", content="evil").text == "evil"


def test_too_long_a_body_of_a_request_is_left_to_the_handler():
    @Cache(60, methods=("POST",), max_body=10)
    async def handler(request):
        return PlainTextResponse(str(len(await request.body())))

    client = client_of(Route("/", handler, methods=["POST"]))
    assert client.post("/", content="x" * 11).text == "11"
    assert status_of(client.post("/", content="x" * 11)) == "fwd=bypass"
    assert status_of(client.post("/", content=iter([b"chunked"]))) == "fwd=bypass"


def test_background_tasks_run_once_on_the_miss():
    ran = []
    client = client_of(counting(lambda request: PlainTextResponse("x", background=BackgroundTask(ran.append, 1))))
    for _ in range(3):
        client.get("/")
    assert ran == [1]


def test_a_file_is_stored_and_ranges_are_left_to_the_handler(tmp_path):
    path = tmp_path / "page.txt"
    path.write_text("0123456789")
    handler = counting(lambda request: FileResponse(path))
    client = client_of(handler)
    assert client.get("/", headers={"Range": "bytes=2-3"}).text == "23"
    client.get("/")
    assert is_hit(client.get("/"))
    part = client.get("/", headers={"Range": "bytes=2-3"})
    assert (part.status_code, part.text) == (206, "23")
    assert is_hit(client.get("/"))


def test_a_range_is_ignored_where_the_handler_ignores_it():
    client = client_of(counting())
    client.get("/")
    assert is_hit(client.get("/", headers={"Range": "bytes=0-1"}))


def test_a_redirect_that_is_stored_is_replayed():
    client = client_of(counting(lambda request: RedirectResponse("/there", 308)))
    client.get("/")
    assert client.get("/").headers["location"] == "/there"
    assert is_hit(client.get("/"))


def test_bodies_beyond_max_body_pass_unstored():
    handler = counting(lambda request: PlainTextResponse("x" * 101), max_body=100)
    client = client_of(handler)
    assert client.get("/").text == "x" * 101
    assert not is_hit(client.get("/"))


def test_sync_handlers_are_cached_too():
    @Cache(60)
    def handler(request):
        handler.calls += 1
        return HTMLResponse("<p>")

    handler.calls = 0
    client = client_of(handler)
    assert [client.get("/").text for _ in range(3)] == ["<p>"] * 3
    assert handler.calls == 1


def test_mounted_apps_and_routers_key_by_the_whole_url():
    handler = counting()
    app = app_of(Mount("/a", routes=[Route("/x", handler)]), Mount("/b", app=Router([Route("/x", handler)])))
    client = client_of(Mount("/base", app=app), Mount("/a", routes=[Route("/x", handler)]))
    assert client.get("/a/x").text == "call 1"
    assert client.get("/base/a/x").text == "call 2"
    assert client.get("/base/b/x").text == "call 3"
    assert [client.get(url).text for url in ("/a/x", "/base/a/x", "/base/b/x")] == ["call 1", "call 2", "call 3"]


def test_a_page_is_an_entry_of_the_service_under_its_key():
    handler = counting(key_prefix="shop")
    app = app_of(handler)
    service = get_cache_service(app)
    client = client_of(Mount("/", app=app))
    key = page_key("GET", "http://testserver/page?b=1&a=2", "shop")
    client.get("/page?a=2&b=1")
    assert service.has_key(key)
    assert service.get(key) is None
    assert service.touch(key, 100)
    assert service.delete(key)
    assert client.get("/page?a=2&b=1").text == "call 2"


def test_the_version_keeps_pages_apart():
    one, two = counting(version=1), counting(version=2)
    client = client_of(Route("/", one))
    client.get("/")
    backend = LocalMemCacheBackend()
    first, second = client_of(Route("/", one), backend=backend), client_of(Route("/", two), backend=backend)
    first.get("/")
    assert not is_hit(second.get("/"))


def test_a_backend_is_found_by_its_name():
    pages = LocalMemCacheBackend()
    client = client_of(counting(backend="pages"), pages=pages)
    client.get("/x")
    assert pages.has_key(page_key("GET", "http://testserver/x"))


def test_each_backend_gives_its_own_default_ttl():
    @Cache()
    async def handler(request):
        return PlainTextResponse("x")

    clock = FakeClock()
    client = client_of(handler, backend=LocalMemCacheBackend(clock=clock, ttl=10))
    client.get("/")
    clock.advance(9)
    assert is_hit(client.get("/"))
    clock.advance(2)
    assert not is_hit(client.get("/"))


@pytest.mark.parametrize("ttl", [0, -1])
def test_a_ttl_of_nothing_stores_nothing(ttl):
    @Cache(ttl)
    async def handler(request):
        return PlainTextResponse("x")

    client = client_of(handler)
    client.get("/")
    assert "stored" not in status_of(client.get("/"))


def test_switched_off_it_is_not_there():
    @Cache(60, enabled=False)
    async def handler(request):
        return PlainTextResponse("x")

    assert "cache-status" not in client_of(handler).get("/").headers


def test_a_handler_may_return_any_asgi_app():
    async def raw(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"X-Mixed", b"1")]})
        await send({"type": "http.response.body", "body": b"raw"})

    client = client_of(counting(lambda request: raw))
    assert client.get("/").text == "raw"
    again = client.get("/")
    assert (again.text, again.headers["x-mixed"], is_hit(again)) == ("raw", "1", True)


def test_a_response_that_is_shared_by_all_calls_stays_as_it_is():
    shared = PlainTextResponse("same")
    before = list(shared.raw_headers)
    client = client_of(counting(lambda request: shared))
    client.get("/")
    client.get("/")
    assert shared.raw_headers == before


def test_what_a_decorator_above_adds_to_a_hit_stays_with_that_hit():
    handler = counting()

    async def outer(request):
        response = await handler(request)
        response.headers["x-request"] = request.query_params["n"]
        return response

    app = app_of(Route("/", outer))
    client = client_of(Mount("/", app=app))
    for n in "123":
        assert client.get(f"/?n={n}").headers["x-request"] == n
    client.get("/?n=1")
    assert client.get("/?n=1").headers.get_list("x-request") == ["1"]


def test_a_controller_answers_each_method_by_its_own_handler():
    @Cache(60)
    class Pages(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("get")

        async def head(self, request):
            return PlainTextResponse("head", headers={"x-own": "1"})

        def post(self, request):
            return PlainTextResponse("post")

    client = client_of(Route("/", Pages))
    client.get("/")
    assert is_hit(client.get("/"))
    assert client.head("/").headers["x-own"] == "1"
    assert client.post("/").text == "post"


def test_without_install_the_error_says_what_to_call():
    handler = counting()
    client_of(Route("/", handler)).get("/")
    app = Starlette(routes=[Route("/", handler)])
    with pytest.raises(ConfigurationError, match="call install"):
        TestClient(app).get("/")
