"""examples/key_callbacks.py: what makes two requests the same."""

import pytest
from starlette.testclient import TestClient

from asynccache import get_cache_service
from asynccache.testing import override
from examples.key_callbacks import app


@pytest.fixture
def client():
    with override(app, default="local"), TestClient(app) as client:
        yield client


def test_a_product_has_one_page_per_currency(client):
    euros = client.get("/products/tea").json()
    assert client.get("/products/tea?currency=EUR&utm_source=mail").json() == euros
    assert client.get("/products/tea?currency=USD").json()["in"] == "USD"
    assert get_cache_service(app).delete("product:tea:EUR")
    assert client.get("/products/tea").json() != euros


def test_customers_of_a_group_share_their_offers(client):
    def offers(cookie):
        return client.get("/offers", headers={"cookie": cookie} if cookie else {}).json()

    bob = offers("customer=bob")
    assert bob["for"] == "retail"
    assert offers("customer=cid") == bob
    assert offers("customer=ann")["for"] == "wholesale"
    assert offers(None)["for"] == "guest"


def test_editors_are_kept_out_of_the_cache(client):
    readers = client.get("/article").json()
    assert client.get("/article", headers={"X-Editor": "1"}).json() != readers
    assert client.get("/article").json() == readers
