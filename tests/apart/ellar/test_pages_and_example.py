"""What the documentation shows of Ellar, and examples/ellar_app.py."""

import pytest
from ellar.testing import TestClient

from examples.ellar_app import create_app
from tests.docs.test_code_blocks import OF_ELLAR, run_blocks


@pytest.mark.parametrize("page", OF_ELLAR, ids=lambda page: f"{page.parent.name}/{page.name}")
async def test_a_pages_code_runs(page, monkeypatch):
    await run_blocks(page, monkeypatch)


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


def test_visits_are_counted_and_a_missing_product_is_not_stored(client):
    assert [client.get("/products/visits").json() for _ in range(2)] == [1, 2]
    assert client.get("/products/9").status_code == 404
