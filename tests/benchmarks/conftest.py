"""Next to nothing is measured here: to collect the garbage of a whole test run each time would be most of it."""

import gc

import pytest


@pytest.fixture(autouse=True)
def little_garbage():
    """Keep what is there already out of what is collected."""
    gc.freeze()
    yield
    gc.unfreeze()
