"""A shop under uvicorn, cached in each way."""

import pytest

from tests.clients.shop import Shop
from tests.http.over_sockets import serving


@pytest.fixture(params=["@Cache", "safe"])
def shop(request):
    return Shop(request.param)


@pytest.fixture
def url(shop):
    with serving(shop, date_header=False) as port:
        yield f"http://127.0.0.1:{port}"
