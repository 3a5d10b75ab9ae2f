"""`@inject`: what it fills in, what it hides, what it refuses."""

import inspect

import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import CacheModule, ConfigurationError, ICacheService, Inject, inject, install


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


def test_nothing_to_inject_is_refused():
    with pytest.raises(ConfigurationError, match="cache: Inject"):

        @inject
        async def handler(request, cache: ICacheService):
            return None


def test_a_handler_that_takes_no_request_is_refused():
    with pytest.raises(ConfigurationError, match=r"handler, which takes no request: .*\(request, "):

        @inject
        async def handler(cache: Inject[ICacheService]):
            return None


async def test_no_request_is_said():
    @inject
    async def handler(number, cache: Inject[ICacheService]):
        return None

    with pytest.raises(ConfigurationError, match="no request"):
        await handler(7)


def test_an_app_without_a_cache_says_how_to_install_one():
    app = Starlette(routes=[Route("/", visits)])
    with pytest.raises(ConfigurationError, match="install"):
        TestClient(app).get("/")
