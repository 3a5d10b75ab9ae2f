"""examples/flask_app.py: a blueprint, a factory, the service in views and in a command."""

import pytest

from examples.flask_app import create_app


@pytest.fixture
def app():
    return create_app()


@pytest.fixture
def client(app):
    return app.test_client()


def test_a_product_is_asked_for_once_until_it_is_renamed(client):
    first = client.get("/products/1").json
    assert client.get("/products/1").json == first
    assert client.put("/products/1?name=Darjeeling").status_code == 204
    renamed = client.get("/products/1").json
    assert (renamed["name"], renamed["question"] > first["question"]) == ("Darjeeling", True)
    assert renamed["price"] == first["price"]


def test_apps_of_one_factory_share_nothing(client):
    client.get("/products/2")
    assert "stored" in create_app().test_client().get("/products/2").headers["cache-status"]


def test_visits_are_counted_and_a_missing_product_is_not_stored(client):
    assert [client.get("/products/1/visits").json for _ in range(2)] == [[1], [2]]
    assert client.get("/products/9").status_code == 404


def test_the_command_forgets_a_price(app, client):
    client.get("/products/2")
    runner = app.test_cli_runner()
    assert [runner.invoke(args=["products", "forget", "2"]).output for _ in range(2)] == ["True\n", "False\n"]
