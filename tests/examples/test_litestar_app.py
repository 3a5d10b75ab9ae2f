"""examples/litestar_app.py: a controller, a factory, the service as a dependency."""

import pytest
from litestar.testing import TestClient

from examples.litestar_app import create_app


@pytest.fixture
def client():
    with TestClient(create_app()) as client:
        yield client


def test_a_product_is_asked_for_once_until_it_is_renamed(client):
    first = client.get("/products/1").json()
    assert client.get("/products/1").json() == first
    assert client.put("/products/1", params={"name": "Darjeeling"}).status_code == 200
    renamed = client.get("/products/1").json()
    assert (renamed["name"], renamed["question"] > first["question"]) == ("Darjeeling", True)


def test_the_list_is_cached_and_apps_of_one_factory_share_nothing(client):
    client.get("/products")
    assert "hit" in client.get("/products").headers["cache-status"]
    with TestClient(create_app()) as other:
        assert "stored" in other.get("/products").headers["cache-status"]


def test_visits_are_counted_and_a_missing_product_is_not_stored(client):
    assert [client.get("/visits").json() for _ in range(2)] == [1, 2]
    assert client.get("/products/9").status_code == 404
