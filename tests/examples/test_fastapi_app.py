"""examples/fastapi_app.py: a router, a factory, the service as a dependency."""

import pytest
from fastapi.testclient import TestClient

from examples.fastapi_app import create_app


@pytest.fixture
def client():
    with TestClient(create_app()) as client:
        yield client


def test_a_product_is_asked_for_once_until_it_is_renamed(client):
    first = client.get("/products/1").json()
    assert client.get("/products/1?utm_source=letter").json() == first
    assert client.put("/products/1", params={"name": "Darjeeling"}).status_code == 204
    renamed = client.get("/products/1").json()
    assert (renamed["name"], renamed["question"] > first["question"]) == ("Darjeeling", True)


def test_apps_of_one_factory_share_nothing(client):
    client.get("/products/2")
    with TestClient(create_app()) as other:
        assert "stored" in other.get("/products/2").headers["cache-status"]


def test_visits_are_counted_and_a_missing_product_is_not_stored(client):
    assert [client.get("/products/1/visits").json() for _ in range(2)] == [1, 2]
    assert client.get("/products/9").status_code == 404
