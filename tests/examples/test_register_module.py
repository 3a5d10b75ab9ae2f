"""examples/register_module.py: each purpose has its backend."""

import pytest
from starlette.testclient import TestClient

from asynccache import get_cache_service
from examples.register_module import app


@pytest.fixture
def client():
    with TestClient(app) as client:
        yield client


def test_pages_and_baskets_lie_in_backends_of_their_own(client):
    client.get("/menu")
    assert client.get("/menu").headers["cache-status"].startswith("asynccache; hit")
    assert [client.post("/baskets/7").json()["dishes"] for _ in range(2)] == [1, 2]
    cache = get_cache_service(app)
    assert cache.get("7", backend="baskets") == 2
    assert cache.get("7") is None
    assert cache.get("7", backend="pages") is None


def test_every_backend_counts_for_itself(client):
    client.post("/baskets/8")
    assert set(client.get("/stats").json()) == {"default", "pages", "baskets"}
