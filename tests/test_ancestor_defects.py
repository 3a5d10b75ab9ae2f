"""What Ellar's cache did and ours must not: one test for each defect that applies to Starlette.

Those of backends alone (replicas written to, pymemcache's socket shared by threads, loops, unix and IPv6 servers, falsy
values, ttl below a second, counters) are in the contract suite and beside their backends.
"""

import asyncio
import pickle

import anyio
import pytest
from starlette.background import BackgroundTask
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from asynccache import Cache, ConfigurationError, UnknownBackendError, get_cache_service
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.core.entry import Kind
from asynccache.core.page_keys import page_key
from asynccache.plan.io import LOOP
from tests.http.serving import app_of, ask, client_of, is_hit


def counting(make, **options):
    @Cache(60, **options)
    async def handler(request):
        handler.calls += 1
        return make(handler.calls)

    handler.calls = 0
    return handler


async def test_400_concurrent_requests_through_sync_handlers_all_finish():
    @Cache(60)
    def handler(request):
        return PlainTextResponse(request.path_params["rest"])

    app = app_of(handler)
    with anyio.fail_after(30):
        answers = await asyncio.gather(*(ask(app, f"/{number % 100}") for number in range(400)))
    assert sorted(answer.body for answer in answers) == sorted(str(number % 100).encode() for number in range(400))


async def test_sync_calls_of_the_service_work_in_a_running_loop():
    async def handler(request):
        service = get_cache_service(request)
        service.set("key", 0)
        return PlainTextResponse(str(service.get("key", default="miss")))

    assert (await ask(app_of(handler))).body == b"0"


def test_a_class_level_cache_answers():
    @Cache(60)
    class Pages(HTTPEndpoint):
        async def get(self, request):
            return PlainTextResponse("page")

    client = client_of(Route("/", Pages))
    assert [client.get("/").status_code for _ in range(3)] == [200] * 3
    assert is_hit(client.get("/"))


def test_post_is_not_answered_from_get():
    handler = counting(lambda number: PlainTextResponse(f"call {number}"))
    client = client_of(Route("/", handler, methods=["GET", "POST"]))
    client.get("/")
    assert client.post("/").text == "call 2"


def test_head_does_not_empty_get():
    client = client_of(counting(lambda number: PlainTextResponse("page")))
    client.head("/")
    assert client.get("/").text == "page"
    client.head("/")
    assert client.get("/").text == "page"


def test_query_order_and_spelling_of_the_host_make_no_new_entries():
    backend = LocalMemCacheBackend()
    client = client_of(counting(lambda number: PlainTextResponse("page")), backend=backend)
    for query in ("a=1&b=2&c=3", "c=3&b=2&a=1", "b=2&c=3&a=1"):
        for host in ("testserver", "TestServer", "TESTSERVER:80"):
            client.get(f"/?{query}", headers={"host": host})
    assert backend.stats()["entries"] == 1


def test_memory_is_bounded_whatever_hosts_and_queries_are_asked_for():
    backend = LocalMemCacheBackend(max_entries=50)
    client = client_of(counting(lambda number: PlainTextResponse("page")), backend=backend)
    for number in range(200):
        client.get(f"/?n={number}", headers={"host": f"h{number}"})
    assert backend.stats()["entries"] <= 50


@pytest.mark.parametrize("status", [400, 404, 500, 503])
def test_errors_are_not_cached(status):
    client = client_of(counting(lambda number: PlainTextResponse(f"call {number}", status)))
    client.get("/")
    assert client.get("/").text == "call 2"


def test_raised_errors_are_not_cached():
    def make(number):
        if number == 1:
            raise HTTPException(503)
        return PlainTextResponse("well again")

    client = client_of(counting(make))
    assert client.get("/").status_code == 503
    assert client.get("/").text == "well again"


def test_what_is_no_response_is_not_cached():
    handler = counting(lambda number: ("a tuple", 503))
    client = client_of(handler)
    assert [client.get("/").status_code for _ in range(2)] == [500, 500]
    assert handler.calls == 2


def test_set_cookie_is_not_replayed_to_others():
    def make(number):
        response = PlainTextResponse("page")
        response.set_cookie("session", str(number))
        return response

    client = client_of(counting(make))
    assert [client.get("/").cookies["session"] for _ in range(3)] == ["1", "2", "3"]


def test_private_pages_are_not_replayed_to_others():
    handler = counting(lambda number: PlainTextResponse(f"call {number}", headers={"cache-control": "private"}))
    client = client_of(handler)
    assert [client.get("/").text for _ in range(3)] == ["call 1", "call 2", "call 3"]


def test_a_page_for_one_user_is_not_replayed_to_another():
    @Cache(60)
    async def handler(request):
        return PlainTextResponse(f"secret of {request.headers['authorization']}")

    client = client_of(handler)
    for name in ("alice", "bob", "alice"):
        assert client.get("/", headers={"authorization": name}).text == f"secret of {name}"


def test_background_tasks_run_once():
    ran = []
    client = client_of(counting(lambda number: PlainTextResponse("x", background=BackgroundTask(ran.append, number))))
    for _ in range(5):
        client.get("/")
    assert ran == [1]


def test_streams_work():
    client = client_of(counting(lambda number: StreamingResponse(iter(["a", "b"]))))
    assert [client.get("/").text for _ in range(3)] == ["ab"] * 3


async def test_a_backend_that_is_down_is_no_error(fresh_redis):
    app = app_of(counting(lambda number: PlainTextResponse("page")), backend=RedisCacheBackend(fresh_redis.url))
    fresh_redis.kill()
    async with get_cache_service(app):
        assert [(await ask(app)).status for _ in range(5)] == [200] * 5


async def test_50_concurrent_requests_are_one_load():
    calls = []

    @Cache(60)
    async def handler(request):
        calls.append(1)
        await asyncio.sleep(0.02)
        return PlainTextResponse("page")

    app = app_of(handler)
    await asyncio.gather(*(ask(app) for _ in range(50)))
    assert calls == [1]


class Bomb:
    """What runs code when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))

    def __bytes__(self):
        return pickle.dumps(self)


async def test_a_pickle_in_the_store_is_not_executed(redis_server, unique_prefix, tmp_path):
    backend = RedisCacheBackend(redis_server.url, key_prefix=unique_prefix)
    app = app_of(counting(lambda number: PlainTextResponse("page")), backend=backend)
    mark = tmp_path / "executed"
    async with get_cache_service(app):
        await backend.write(LOOP, page_key("GET", "http://h/"), Bomb(str(mark)), 60, kind=Kind.PAGE)
        assert (await ask(app)).body == b"page"
    assert not mark.exists()


def test_a_bad_backend_name_is_found_at_start():
    app = app_of(counting(lambda number: PlainTextResponse("page"), backend="pagse"))
    with pytest.raises(UnknownBackendError, match="pagse"), TestClient(app):
        pass


def test_websocket_routes_are_refused():
    @Cache(60)
    async def handler(connection): ...

    with pytest.raises(ConfigurationError, match="only HTTP"), TestClient(app_of(WebSocketRoute("/", handler))):
        pass
