"""Of thousands of pairs of requests to generated applications, none gets what was made for another alone (A6)."""

import os
import random

import pytest

from tests.http.proofs.pairs import Series

LONG = os.environ.get("ASYNCCACHE_LONG") == "1"
SERIES = 20_000 if LONG else 400  # of 21 pairs


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
async def test_nobody_gets_what_was_not_for_all(profile):
    draw, hits = random.Random(7), 0
    for number in range(SERIES):
        series = Series(profile, draw)
        try:
            await series.run()
        except BaseException as error:
            error.add_note(f"series {number}")
            raise
        hits += series.hits
    assert hits > SERIES / 4
