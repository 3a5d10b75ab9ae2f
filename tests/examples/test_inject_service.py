"""examples/inject_service.py: the service in functions, controllers, and from the request."""

import pytest
from starlette.testclient import TestClient

from asynccache import get_cache_service
from examples.inject_service import app


@pytest.fixture
def client():
    with TestClient(app) as client:
        yield client


def test_visits_are_counted(client):
    first = client.get("/visits").json()["visits"]
    assert client.get("/visits").json() == {"visits": first + 1}


def test_a_sync_handler_reads_through(client):
    assert client.get("/primes/12").json() == [2, 3, 5, 7, 11]
    assert get_cache_service(app).get("primes:12") == [2, 3, 5, 7, 11]
    assert client.get("/primes/12").json() == [2, 3, 5, 7, 11]


def test_a_controllers_methods_share_the_cache(client):
    assert client.get("/notes/milk").status_code == 404
    assert client.put("/notes/milk", content="two bottles").status_code == 204
    assert client.get("/notes/milk").text == "two bottles"
    assert client.post("/notes/milk/forget").json() == {"forgotten": True}
    assert client.get("/notes/milk").status_code == 404
