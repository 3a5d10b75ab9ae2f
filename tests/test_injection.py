"""`@inject`: what it fills in, what it hides, what it refuses."""

import inspect
from contextlib import asynccontextmanager, contextmanager
from functools import partial

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, CacheModule, ConfigurationError, ICacheService, Inject, inject, install


@inject
async def visits(request, cache: Inject[ICacheService]):
    return JSONResponse(await cache.incr_async("visits"))


@inject
def sync_visits(request, cache: Inject[ICacheService]):
    return JSONResponse(cache.incr("visits"))


class Controller(HTTPEndpoint):
    @inject
    async def get(self, request, cache: Inject[ICacheService]):
        return JSONResponse(await cache.incr_async("visits"))

    @inject
    def post(self, request, *, cache: Inject[ICacheService]):
        return JSONResponse(cache.incr("visits"))


@pytest.fixture
def client():
    app = Starlette(routes=[Route("/", visits), Route("/sync", sync_visits), Route("/class", Controller)])
    install(app, CacheModule.setup(default="local"))
    with TestClient(app) as client:
        yield client


def test_functions_and_methods_sync_and_async_are_given_the_service(client):
    answers = [client.get("/"), client.get("/sync"), client.get("/class"), client.post("/class")]
    assert [answer.json() for answer in answers] == [1, 2, 3, 4]


def test_injected_parameters_are_hidden_and_the_rest_is_kept():
    assert list(inspect.signature(visits).parameters) == ["request"]
    assert visits.__name__ == "visits"
    assert inspect.iscoroutinefunction(visits)
    assert not inspect.iscoroutinefunction(sync_visits)


async def test_what_is_given_is_not_injected():
    @inject
    async def handler(request, cache: Inject[ICacheService]):
        return cache

    assert await handler(None, cache="mine") == "mine"


async def test_what_is_given_by_position_is_not_injected_either():
    @inject
    async def handler(request, cache: Inject[ICacheService]):
        return cache

    assert await handler(None, "mine") == "mine"


def answer_of(handler):
    app = Starlette(routes=[Route("/", handler)])
    install(app, CacheModule.setup(default="local"))
    return TestClient(app).get("/").json()


def test_a_request_reaches_its_parameter_wherever_it_stands():
    @inject
    async def handler(cache: Inject[ICacheService], request, *, other: Inject[ICacheService] = None, step: int = 2):
        return JSONResponse(await cache.incr_async(request.url.path, step) if cache is other else None)

    assert answer_of(handler) == 2


def test_static_and_class_methods_in_either_order():
    class Helpers(HTTPEndpoint):
        @staticmethod
        @inject
        async def inner(request, cache: Inject[ICacheService]):
            return await cache.incr_async("visits")

        @inject
        @staticmethod
        async def outer(request, cache: Inject[ICacheService]):
            return await cache.incr_async("visits")

        @classmethod
        @inject
        async def inner_class(cls, request, cache: Inject[ICacheService]):
            return await cache.incr_async("visits")

        @inject
        @classmethod
        async def outer_class(cls, request, cache: Inject[ICacheService]):
            return await cache.incr_async("visits")

        async def get(self, request):
            helpers = (self.inner, self.outer, self.inner_class, self.outer_class)
            return JSONResponse([await helper(request) for helper in helpers])

    assert answer_of(Helpers) == [1, 2, 3, 4]


def test_partial_functions_before_and_after():
    async def handler(request, step, cache: Inject[ICacheService]):
        return JSONResponse(await cache.incr_async("visits", step))

    assert answer_of(inject(partial(handler, step=5))) == 5
    assert answer_of(partial(inject(handler), step=6)) == 6
    with pytest.raises(ConfigurationError, match="none of whose parameters"):
        inject(partial(handler, cache="settled"))


def test_annotations_for_type_checkers_only_do_not_hinder():
    @inject
    async def handler(request: "Unknown", cache: Inject["ICacheService"]) -> "Unknown | None":  # noqa: F821
        return JSONResponse(await cache.incr_async("visits"))

    assert answer_of(handler) == 1
    with pytest.raises(ConfigurationError, match=r"Unknown.*type checkers only"):

        @inject
        async def other(request, cache: "Inject[Unknown]"):  # noqa: F821
            return None


def test_generators_stay_generators():
    diary = []

    @inject
    def dependency(request, cache: Inject[ICacheService]):
        try:
            yield cache
        except ValueError:
            diary.append("rolled back")
        finally:
            diary.append("closed")

    assert inspect.isgeneratorfunction(dependency)
    with contextmanager(dependency)(None, cache="mine") as given:
        assert given == "mine"
        raise ValueError
    assert diary == ["rolled back", "closed"]


async def test_asynchronous_generators_stay_asynchronous_generators():
    diary = []

    @inject
    async def dependency(request, cache: Inject[ICacheService]):
        try:
            yield cache
        except ValueError:
            diary.append("rolled back")
        finally:
            diary.append("closed")

    assert inspect.isasyncgenfunction(dependency)
    async with asynccontextmanager(dependency)(None, cache="mine") as given:
        assert given == "mine"
        raise ValueError
    assert diary == ["rolled back", "closed"]

    async def stream(request, cache: Inject[ICacheService]):
        yield 1
        yield 2

    assert [item async for item in inject(stream)(None, cache="mine")] == [1, 2]


class Callable:
    async def __call__(self, request, cache: Inject[ICacheService]):
        return None


@pytest.mark.parametrize("handler", [Callable(), Callable, print, 7])
def test_what_is_no_function_is_refused(handler):
    with pytest.raises(ConfigurationError, match="for functions and methods"):
        inject(handler)


def test_nothing_to_inject_is_refused():
    with pytest.raises(ConfigurationError, match="cache: Inject"):

        @inject
        async def handler(request, cache: ICacheService):
            return None


@pytest.mark.parametrize("cached", [True, False])
def test_a_handler_that_takes_no_request_is_not_given_it_for_a_cache(cached):
    @inject
    async def handler(cache: Inject[ICacheService]):
        return None

    if cached:
        handler = Cache(60)(handler)
    with pytest.raises(ConfigurationError, match=r"takes none but 'cache': .*\(request, "):
        answer_of(handler)


async def test_without_a_request_it_is_the_app_at_work_that_counts():
    @inject
    async def count(step, cache: Inject[ICacheService]):
        return await cache.incr_async("visits", step)

    async def handler(request):
        return JSONResponse(await count(5))

    app = Starlette(routes=[Route("/", handler)])
    install(app, CacheModule.setup(default="local"))
    assert TestClient(app).get("/").json() == 5
    with pytest.raises(ConfigurationError, match=r"no request .* no app at work"):
        await count(7)


def test_an_app_without_a_cache_says_how_to_install_one():
    app = Starlette(routes=[Route("/", visits)])
    with pytest.raises(ConfigurationError, match="install"):
        TestClient(app).get("/")
