"""Flask next to other frameworks in one process, after a fork, and with the cache of Werkzeug's old documents."""

import os
from itertools import count
from warnings import catch_warnings

import pytest
from fastapi import FastAPI
from flask import Flask, url_for
from starlette.applications import Starlette
from starlette.exceptions import StarletteDeprecationWarning
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, CacheModule, install
from asynccache.integrations.flask import Caching, get_cache_service
from tests.http.serving import is_hit


@pytest.fixture
def app():
    app = Flask(__name__)
    Caching(app, CacheModule.setup(default="local"))
    return app


@pytest.mark.parametrize("is_sync", [False, True])
def test_a_view_may_ask_a_starlette_app_in_this_process(app, is_sync):
    if is_sync:

        @Cache(60)
        def page(request):
            return PlainTextResponse(request.url.path)
    else:

        @Cache(60)
        async def page(request):
            return PlainTextResponse(request.url.path)

    inner = Starlette(routes=[Route("/inner", page)])
    install(inner, CacheModule.setup(default="local"))

    @app.get("/")
    def outer():
        with TestClient(inner) as client:
            answers = [client.get("/inner") for _ in range(2)]
            return [[answer.text, is_hit(answer)] for answer in answers]

    assert app.test_client().get("/").json == [["/inner", False], ["/inner", True]]


def test_a_cached_view_may_ask_its_own_app_even_for_itself(app):
    depth = []

    @app.get("/")
    @Cache(60)
    def page():
        depth.append(1)
        return "end" if len(depth) > 1 else "page " + app.test_client().get("/").text

    assert app.test_client().get("/").text == "page end"


def test_a_flask_app_below_fastapi_is_cached_by_its_own(app):
    with catch_warnings(action="ignore", category=StarletteDeprecationWarning):
        from fastapi.middleware.wsgi import WSGIMiddleware  # it warns when it is imported

    @app.get("/page")
    @Cache(60)
    def page():
        return "of Flask"

    outer = FastAPI()
    install(outer, CacheModule.setup(default="local"))
    outer.mount("/legacy", WSGIMiddleware(app))
    with TestClient(outer) as client:
        answers = [client.get("/legacy/page") for _ in range(2)]
    assert [(answer.text, is_hit(answer)) for answer in answers] == [("of Flask", False), ("of Flask", True)]


def test_a_forked_worker_answers(app):
    numbers = count()

    @app.get("/")
    @Cache(60)
    def page():
        return str(next(numbers))

    client = app.test_client()
    client.get("/")
    worker = os.fork()
    if worker == 0:
        os._exit(0 if is_hit(client.get("/")) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == 0


@pytest.mark.parametrize("name", ["tea", "caf\u00e9", "a b", "x+y", "100%", "a,b;c", "\u8336"])
def test_the_page_of_a_url_is_removed_by_what_url_for_gives(app, name):
    numbers = count()

    @app.get("/pages/<name>")
    @Cache(60)
    def page(name):
        return f"{name} {next(numbers)}"

    @app.delete("/pages/<name>")
    def drop(name):
        return str(get_cache_service().invalidate_url(url_for("page", name=name, _external=True)))

    with app.test_request_context():
        url = url_for("page", name=name)
    client = app.test_client()
    answers = [client.get(url).text, client.get(url).text, client.delete(url).text, client.get(url).text]
    assert answers == [f"{name} 0", f"{name} 0", "True", f"{name} 1"]


def test_get_my_item(app):
    calculated = []

    def calculate_value():
        calculated.append(1)
        return {"price": 7}

    def get_my_item():
        cache = get_cache_service()
        rv = cache.get("my-item")
        if rv is None:
            rv = calculate_value()
            cache.set("my-item", rv, ttl=5 * 60)
        return rv

    app.add_url_rule("/", "item", get_my_item)
    client = app.test_client()
    assert [client.get("/").json for _ in range(2)] == [{"price": 7}] * 2
    assert calculated == [1]
