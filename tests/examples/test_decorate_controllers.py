"""examples/decorate_controllers.py: functions, classes and methods."""

import pytest
from starlette.testclient import TestClient

from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock, override
from examples.decorate_controllers import app


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def client(clock):
    with override(app, default=LocalMemCacheBackend(clock=clock)), TestClient(app) as client:
        yield client


def test_a_report_is_made_once_a_minute(client, clock):
    first = client.get("/report")
    assert "stored" in first.headers["cache-status"]
    assert client.get("/report").json() == first.json()
    clock.advance(61)
    assert client.get("/report").json() != first.json()


def test_every_product_has_its_page(client):
    one, two = client.get("/products/1").json(), client.get("/products/2").json()
    assert (one["product"], two["product"]) == (1, 2)
    assert client.get("/products/1").json() == one
    assert client.get("/products/2").json() == two


def test_other_methods_of_a_controller_pass_by(client):
    assert client.post("/products/1").status_code == 204
    assert "hit" not in client.post("/products/1").headers.get("cache-status", "")


def test_a_methods_own_cache_wins(client, clock):
    german = client.get("/prices", headers={"Accept-Language": "de"}).json()
    assert german["language"] == "de"
    assert client.get("/prices", headers={"Accept-Language": "en"}).json()["language"] == "en"
    assert client.get("/prices", headers={"Accept-Language": "de"}).json() == german
    clock.advance(2)
    assert client.get("/prices", headers={"Accept-Language": "de"}).json() != german
