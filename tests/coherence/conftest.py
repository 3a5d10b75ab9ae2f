"""A clock that goes wrong in one process only."""

from pathlib import Path

import pytest

from tests.servers.fetching import unpacked

LIBRARY = "usr/lib/*/faketime/libfaketimeMT.so.1"


@pytest.fixture(scope="session")
def faketime():
    """Give the environment in which a program's clocks are off: `faketime("+1h")`."""
    found = list(Path("/").glob(LIBRARY)) or list(unpacked(("libfaketime",)).glob(LIBRARY))

    def environment(offset):
        return {"LD_PRELOAD": str(found[0]), "FAKETIME": offset}

    return environment
