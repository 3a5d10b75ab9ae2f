"""App Engine as its own testbed plays it: the stub of memcache that the SDK ships, in this process."""

import warnings

import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the SDK about itself: escapes that no string has, modules that are gone
    from google.appengine.ext import testbed


@pytest.fixture
def app_engine():
    """The services of an app, of which memcache is started and empty."""
    bed = testbed.Testbed()
    bed.activate()
    bed.init_memcache_stub()
    yield bed
    bed.deactivate()


@pytest.fixture
def memcache_stub(app_engine):
    return app_engine.get_stub(testbed.MEMCACHE_SERVICE_NAME)
