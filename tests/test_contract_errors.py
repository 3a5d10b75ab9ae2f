"""What errors say of an outage."""

from datetime import timedelta

import pytest

from asynccache import BackendUnavailableError, CachePolicy, CacheService

DEAD = [f"redis://127.0.0.1:{port}" for port in (1, 2)]


def test_a_chain_whose_stores_are_all_away_says_so_each_time():
    with CacheService(default=DEAD) as cache:
        for change in (cache.delete, lambda _: cache.clear(), cache.incr, cache.touch):
            with pytest.raises(BackendUnavailableError, match="refused"):
                change("key")


@pytest.mark.parametrize("timeout", ["1", True, timedelta(seconds=1), [1]], ids=["text", "bool", "timedelta", "list"])
def test_a_locks_timeout_is_a_number_of_seconds(timeout):
    with (
        CacheService(default="local") as cache,
        pytest.raises(TypeError, match=r"timeout=.*: give the seconds"),
    ):
        cache.lock("name", timeout=timeout)


@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_who_is_spared_a_load_that_failed_hears_why_in_an_exception_of_their_own(many):
    policy, failures = CachePolicy(error_backoff=60), []

    def fail(*keys):
        raise OSError("the origin is down")

    with CacheService(default="local") as cache:
        for _ in range(3):
            with pytest.raises(OSError, match="the origin is down") as caught:
                cache.get_or_set_many(["key"], fail, policy=policy) if many else cache.get_or_set(
                    "key", fail, policy=policy
                )
            failures.append(caught.value)
    first, *spared = failures
    assert first.__cause__ is None
    assert [type(one.__cause__) for one in spared] == [OSError, OSError]
    assert len({id(one) for one in failures}) == 3
