"""examples/quart_app.py: a blueprint, a factory, the service in views."""

import pytest

from examples.quart_app import create_app


@pytest.fixture
def client():
    return create_app().test_client()


async def json_of(client, path):
    return await (await client.get(path)).get_json()


async def test_a_product_is_asked_for_once_until_it_is_renamed(client):
    first = await json_of(client, "/products/1")
    assert await json_of(client, "/products/1") == first
    assert (await client.put("/products/1?name=Darjeeling")).status_code == 204
    renamed = await json_of(client, "/products/1")
    assert (renamed["name"], renamed["question"] > first["question"]) == ("Darjeeling", True)


async def test_apps_of_one_factory_share_nothing(client):
    await client.get("/products/2")
    assert "stored" in (await create_app().test_client().get("/products/2")).headers["cache-status"]


async def test_visits_are_counted_and_a_missing_product_is_not_stored(client):
    assert [await json_of(client, "/products/1/visits") for _ in range(2)] == [[1], [2]]
    assert (await client.get("/products/9")).status_code == 404
