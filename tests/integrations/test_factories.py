"""Packages with an application factory: pages in several files, decorated when imported, served by several apps."""

from importlib import import_module

import httpx
import pytest
from starlette.testclient import TestClient

from tests.http.serving import is_hit
from tests.integrations.factories.starlette_shop import factory as starlette_shop


@pytest.fixture(params=["starlette_shop", "fastapi_shop", "litestar_shop", "flask_shop", "quart_shop"])
def shop(request):
    return request.param


@pytest.fixture
def make_app(shop):
    return import_module(f"tests.integrations.factories.{shop}.factory").create_app


def wsgi_client(app):
    return httpx.Client(transport=httpx.WSGITransport(app), base_url="http://testserver")


def pages_of(shop, app):
    """Ask twice for both pages, which bear one name."""
    end = "" if shop == "litestar_shop" else "/"
    with wsgi_client(app) if shop == "flask_shop" else TestClient(app) as client:
        return [client.get(path + end) for path in ("/teas", "/v2/cakes", "/teas", "/v2/cakes")]


def test_pages_of_one_name_in_two_files_share_nothing(shop, make_app):
    answers = pages_of(shop, make_app(default="local"))
    assert [answer.json()[0] for answer in answers] == ["teas", "cakes", "teas", "cakes"]
    assert [is_hit(answer) for answer in answers] == [False, False, True, True]
    assert [answer.json() for answer in answers[2:]] == [answer.json() for answer in answers[:2]]


def test_two_apps_of_one_factory_have_caches_of_their_own(shop, make_app):
    for _ in range(2):
        answers = pages_of(shop, make_app(default="local"))
        assert [is_hit(answer) for answer in answers] == [False, False, True, True]


def test_an_app_made_anew_finds_what_is_on_a_server(shop, make_app, redis_server, unique_prefix):
    url = f"{redis_server.url}?key_prefix={unique_prefix}"
    first, second = (pages_of(shop, make_app(default=url)) for _ in range(2))
    assert [is_hit(answer) for answer in (*first, *second)] == [False, False, True, True, True, True, True, True]
    assert [answer.json() for answer in second] == [answer.json() for answer in first]


def test_one_page_under_a_host_and_under_a_path_is_two_pages():
    with TestClient(starlette_shop.create_app(default="local")) as client:
        by_path = client.get("/v2/cakes/").json()
        by_host = [client.get("http://cakes.example/").json() for _ in range(2)]
    assert by_host[0] == by_host[1] != by_path
