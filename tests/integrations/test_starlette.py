"""`install` on Starlette: lifespans, mounts, loops, and what is refused when."""

import asyncio
from contextlib import asynccontextmanager
from functools import partial

import pytest
from injector import Injector, Module, provider
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient

from asynccache import (
    Cache,
    CacheModule,
    ConfigurationError,
    ICacheService,
    UnknownBackendError,
    get_cache_service,
    install,
)
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.integrations.starlette import installed_on
from asynccache.testing import override


async def count(request):
    return JSONResponse(await get_cache_service(request).incr_async("visits"))


class Watched(LocalMemCacheBackend):
    """Local memory that writes down when it is opened and shut."""

    def __init__(self, diary):
        super().__init__()
        self.diary = diary

    async def open(self, io):
        self.diary.append("open")

    async def shut(self, io):
        self.diary.append("shut")


def test_it_opens_before_the_apps_own_lifespan_and_closes_after_it():
    diary = []

    @asynccontextmanager
    async def lifespan(app):
        diary.append("app starts")
        yield {"mine": 7}
        diary.append("app ends")

    async def handler(request):
        return JSONResponse(request.state.mine)

    app = Starlette(routes=[Route("/", handler)], lifespan=lifespan)
    install(app, CacheModule.setup(default=Watched(diary)))
    with TestClient(app) as client:
        assert client.get("/").json() == 7
    assert diary == ["open", "app starts", "app ends", "shut"]


def test_it_works_without_a_lifespan_and_with_routes_added_later():
    app = Starlette()
    install(app, CacheModule.setup(default="local"))
    app.add_route("/", count)
    client = TestClient(app)
    assert [client.get("/").json(), client.get("/").json()] == [1, 2]


def test_two_loops_one_after_the_other():
    app = Starlette(routes=[Route("/", count)])
    install(app, CacheModule.setup(default="local"))
    answers = []
    for _ in range(2):
        with TestClient(app) as client:
            answers.append(client.get("/").json())
    assert answers == [1, 2]


@pytest.mark.parametrize("path", ["/mounted/", "/wrapped/", "/inner"])
def test_apps_below_use_the_cache_of_the_app_above(path):
    below = Starlette(routes=[Route("/", count)])

    async def wrapped(scope, receive, send):
        await below(scope, receive, send)

    app = Starlette(
        routes=[
            Mount("/mounted", below),
            Mount("/wrapped", wrapped),
            Host("{any}", Starlette(routes=[Route("/inner", count)])),
        ]
    )
    install(app, CacheModule.setup(default="local"))
    assert TestClient(app).get(path).json() == 1


def test_an_app_below_can_have_a_cache_of_its_own():
    below = Starlette(routes=[Route("/", count)])
    install(below, CacheModule.setup(default="local"))
    app = Starlette(routes=[Mount("/below", below), Route("/", count)])
    install(app, CacheModule.setup(default="local"))
    client = TestClient(app)
    assert [client.get("/").json(), client.get("/").json(), client.get("/below/").json()] == [1, 2, 1]


def test_the_injector_has_all_modules():
    class Name(str):
        __slots__ = ()

    class Names(Module):
        @provider
        def name(self) -> Name:
            return Name("shop")

    app = Starlette()
    injector = install(app, [CacheModule.setup(default="local"), Names()])
    assert injector.get(Name) == "shop"
    assert injector.get(ICacheService) is get_cache_service(app)


def test_an_injector_of_ones_own_is_used():
    injector = Injector([CacheModule.setup(default="local")])
    app = Starlette()
    assert install(app, injector) is injector
    assert get_cache_service(app) is injector.get(ICacheService)


def test_twice_on_one_app_is_refused():
    app = Starlette()
    install(app, CacheModule.setup(default="local"))
    with pytest.raises(ConfigurationError, match="already"):
        install(app, CacheModule.setup(default="local"))


def test_once_the_app_runs_is_too_late():
    app = Starlette(routes=[Route("/", count)])
    with pytest.raises(ConfigurationError), TestClient(app) as client:
        client.get("/")
    with pytest.raises(ConfigurationError, match="runs already"):
        install(app, CacheModule.setup(default="local"))


@pytest.mark.parametrize("modules", [[], Injector()])
def test_no_cache_module_is_refused(modules):
    with pytest.raises(ConfigurationError, match=r"CacheModule\.setup"):
        install(Starlette(), modules)


@pytest.mark.parametrize("given", ["local", ["local"], CacheModule, LocalMemCacheBackend(), None, [None]])
def test_what_is_no_module_is_refused(given):
    with pytest.raises(ConfigurationError, match=r"is no module: .*CacheModule\.setup") as raised:
        install(Starlette(), given)
    assert "'l'" not in str(raised.value)


def test_something_else_than_an_app_is_refused():
    with pytest.raises(ConfigurationError, match="Starlette"):
        install(object(), CacheModule.setup(default="local"))


def test_an_app_without_a_cache_says_so():
    with pytest.raises(ConfigurationError, match="install"):
        get_cache_service(Starlette())


def test_an_unknown_backend_of_a_handler_is_found_at_start_up():
    @Cache(backend="nowhere")
    async def handler(request):
        return JSONResponse(1)

    below = Starlette(routes=[Route("/deep", handler)])
    app = Starlette(routes=[Mount("/below", below)])
    install(app, CacheModule.setup(default="local"))
    with pytest.raises(UnknownBackendError, match=r"'/deep'.*nowhere.*default"), TestClient(app):
        pass


def test_an_unknown_backend_of_a_controllers_method_is_found_at_start_up():
    @Cache(ttl=5)
    class Controller(HTTPEndpoint):
        @Cache(ttl=5, backend="nowhere")
        async def get(self, request):
            return JSONResponse(1)

    app = Starlette(routes=[Route("/deep", Controller)])
    install(app, CacheModule.setup(default="local"))
    with pytest.raises(UnknownBackendError, match=r"'/deep'.*nowhere"), TestClient(app):
        pass


def test_an_unknown_backend_of_a_partial_function_is_found_at_start_up():
    @Cache(ttl=5, backend="nowhere")
    async def handler(request, number):
        return JSONResponse(number)

    app = Starlette(routes=[Route("/deep", partial(partial(handler), number=1))])
    install(app, CacheModule.setup(default="local"))
    with pytest.raises(UnknownBackendError, match=r"'/deep'.*nowhere"), TestClient(app):
        pass


def test_a_cached_websocket_route_is_found_at_start_up():
    @Cache()
    async def handler(connection):
        await connection.close()

    app = Starlette(routes=[WebSocketRoute("/ws", handler)])
    install(app, CacheModule.setup(default="local"))
    with pytest.raises(ConfigurationError, match="/ws"), TestClient(app):
        pass


def test_override_replaces_backends_and_puts_them_back():
    app = Starlette(routes=[Route("/", count)])
    install(app, CacheModule.setup(default="local"))
    with TestClient(app) as client:
        client.get("/")
        with override(app, default="local"):
            assert client.get("/").json() == 1
        assert client.get("/").json() == 2
    with override(get_cache_service(app), default="dummy") as service:
        assert service is get_cache_service(app)


def test_override_of_an_app_without_a_cache_says_so():
    with pytest.raises(ConfigurationError, match="install"), override(Starlette(), default="local"):
        pass


def test_a_middleware_that_was_added_later_finds_the_cache_too():
    class Counting(BaseHTTPMiddleware):
        async def dispatch(self, request, call_next):
            await get_cache_service(request).incr_async("visits")
            return await call_next(request)

    app = Starlette(routes=[Route("/", count)])
    install(app, CacheModule.setup(default="local"))
    app.add_middleware(Counting)
    assert TestClient(app).get("/").json() == 2


def test_a_cache_in_a_parent_injector_is_found():
    parent = Injector([CacheModule.setup(default="local")])
    app = Starlette()
    install(app, parent.create_child_injector())
    assert get_cache_service(app) is parent.get(ICacheService)


def test_backends_of_an_app_below_are_looked_for_in_its_own_cache():
    @Cache(backend="pages")
    async def handler(request):
        return JSONResponse(1)

    below = Starlette(routes=[Route("/page", handler)])
    install(below, CacheModule.setup(default="local", pages="local"))
    app = Starlette(routes=[Mount("/below", below)])
    install(app, CacheModule.setup(default="local"))
    with TestClient(app) as client:
        assert client.get("/below/page").json() == 1


def test_the_state_of_an_earlier_life_is_forgotten():
    states = iter([{"first": 1}, {"second": 2}])

    @asynccontextmanager
    async def lifespan(app):
        yield next(states)

    app = Starlette(lifespan=lifespan)
    install(app, CacheModule.setup(default="local"))
    for expected in ({"first": 1}, {"second": 2}):
        with TestClient(app):
            assert installed_on(app).lifespan_state == expected


def test_it_closes_where_the_apps_own_lifespan_fails():
    diary = []

    @asynccontextmanager
    async def lifespan(app):
        raise RuntimeError("the app's own")
        yield

    app = Starlette(lifespan=lifespan)
    install(app, CacheModule.setup(default=Watched(diary)))
    with pytest.raises(RuntimeError, match="the app's own"), TestClient(app):
        pass
    assert diary == ["open", "shut"]


def test_a_backend_that_cannot_start_stops_the_start():
    class Unwilling(LocalMemCacheBackend):
        async def open(self, io):
            raise OSError("no such server")

    app = Starlette()
    install(app, CacheModule.setup(default=Unwilling()))
    with pytest.raises(OSError, match="no such server"), TestClient(app):
        pass


@pytest.mark.parametrize("odd", [object(), 7, None])
def test_what_is_neither_a_request_nor_an_app_is_refused(odd):
    with pytest.raises(ConfigurationError, match="takes a request"):
        get_cache_service(odd)
    with pytest.raises(ConfigurationError, match="override takes an app"), override(odd, default="local"):
        pass


async def test_override_in_the_midst_of_a_load():
    app = Starlette()
    install(app, CacheModule.setup(default="local"))
    cache = get_cache_service(app)
    go = asyncio.Event()

    async def load():
        await go.wait()
        return "own"

    loading = asyncio.create_task(cache.get_or_set_async("key", load))
    await asyncio.sleep(0.01)
    with override(app, default="local"):
        assert await cache.get_or_set_async("key", lambda: "overridden") == "overridden"
        go.set()
        assert await loading == "own"
        assert cache.get("key") == "overridden"
    assert cache.get("key") == "own"


async def test_one_service_serves_several_loops_at_once():
    app = Starlette()
    install(app, CacheModule.setup(default="local"))
    cache = get_cache_service(app)

    async def work():
        for _ in range(100):
            await cache.incr_async("visits")

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, work()) for _ in range(4)))
    assert cache.get("visits") == 400


async def test_a_page_goes_by_its_url_with_all_its_variants():
    @Cache(ttl=60, key_prefix="shop", vary=("accept-language",))
    async def page(request):
        return JSONResponse(await get_cache_service(request).incr_async("runs"))

    app = Starlette(routes=[Route("/page", page)])
    install(app, CacheModule.setup(default="local"))
    client, cache = TestClient(app), get_cache_service(app)
    url = "http://testserver/page?b=2&a=1"

    def answers():
        return [client.get("/page?a=1&b=2", headers={"accept-language": one}).json() for one in ("de", "en")]

    assert answers() == answers() == [1, 2]
    assert cache.invalidate_url(url, key_prefix="shop")
    assert answers() == [3, 4]
    assert await cache.invalidate_url_async(url, key_prefix="shop")
    assert answers() == [5, 6]
    assert not cache.invalidate_url("http://testserver/other")
    with pytest.raises(ValueError, match="scheme://host"):
        cache.invalidate_url("/page")
