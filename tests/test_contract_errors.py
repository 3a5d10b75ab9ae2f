"""What errors say of an outage."""

import pytest

from asynccache import BackendUnavailableError, CacheService

DEAD = [f"redis://127.0.0.1:{port}" for port in (1, 2)]


def test_a_chain_whose_stores_are_all_away_says_so_each_time():
    with CacheService(default=DEAD) as cache:
        for change in (cache.delete, lambda _: cache.clear(), cache.incr, cache.touch):
            with pytest.raises(BackendUnavailableError, match="refused"):
                change("key")
