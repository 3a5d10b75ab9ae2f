import pytest

from tests.integrations.views.sites import Site


@pytest.fixture(params=["flask", "quart"])
def framework(request):
    return request.param


@pytest.fixture
def site(framework):
    return Site(framework)
