from __future__ import annotations

import math
import pickle
from datetime import timedelta

import pytest

from asynccache.core.entry import Entry, Times
from asynccache.core.lifetime import FOREVER
from asynccache.core.policy import CachePolicy, Verdict, is_paused, judge, lifetime


@pytest.mark.parametrize(
    ("policy", "value", "expected"),
    [
        (CachePolicy(), "v", 300),
        (CachePolicy(ttl=60), "v", 60),
        (CachePolicy(ttl=timedelta(minutes=2)), "v", 120),
        (CachePolicy(ttl=60), None, 60),
        (CachePolicy(ttl=60, negative_ttl=5), None, 5),
        (CachePolicy(ttl=60, negative_ttl=0), None, 0),
        (CachePolicy(ttl=60, negative_ttl=5), 0, 60),
        (CachePolicy(condition=bool), "v", 300),
        (CachePolicy(condition=bool), "", None),
        (CachePolicy(condition=lambda value: value is not None, negative_ttl=5), None, None),
    ],
)
def test_lifetime_of_a_loaded_value(policy: CachePolicy, value: object, expected: float | None) -> None:
    assert lifetime(policy, value, default=300, luck=0.5) == expected


@pytest.mark.parametrize(("luck", "expected"), [(0.0, 100), (0.5, 95), (1.0, 90)])
def test_jitter_shortens_only(luck: float, expected: float) -> None:
    assert lifetime(CachePolicy(ttl=100, jitter=0.1), "v", default=300, luck=luck) == expected


@pytest.mark.parametrize("luck", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("jitter", [0.0, 0.1, 1.0])
def test_for_ever_stays_for_ever(jitter: float, luck: float) -> None:
    assert lifetime(CachePolicy(ttl=FOREVER, jitter=jitter), "v", default=300, luck=luck) == FOREVER


@pytest.mark.parametrize("jitter", [-0.1, 1.1, math.nan])
def test_jitter_is_a_fraction(jitter: float) -> None:
    with pytest.raises(ValueError, match="jitter"):
        CachePolicy(jitter=jitter)


@pytest.mark.parametrize("field", ["ttl", "negative_ttl"])
def test_bad_lifetimes_are_refused_when_the_policy_is_made(field: str) -> None:
    with pytest.raises(ValueError, match="NaN"):
        CachePolicy(**{field: math.nan})
    with pytest.raises(TypeError):
        CachePolicy(**{field: "60"})


def test_policies_pickle_and_compare() -> None:
    policy = CachePolicy(ttl=60, jitter=0.1)
    assert pickle.loads(pickle.dumps(policy)) == policy


@pytest.mark.parametrize("jitter", ["a", None, True])
def test_a_jitter_is_a_number(jitter):
    with pytest.raises(TypeError, match="fraction"):
        CachePolicy(jitter=jitter)


async def _awaited_condition(value):
    return True


@pytest.mark.parametrize("condition", [5, True, _awaited_condition])
def test_a_condition_is_a_plain_function(condition):
    with pytest.raises(TypeError, match="plain function"):
        CachePolicy(condition=condition)


NOW = 1_000.0
ALL = CachePolicy(refresh_ahead=0.8, stale_while_revalidate=10, stale_if_error=30)


def entry(age: float, *, ttl: float = 100, stale: float = 30) -> Entry:
    """Give one that was written so many seconds ago."""
    written_at = NOW - age
    return Entry("v", times=Times(written_at, written_at + ttl, written_at + ttl + stale))


@pytest.mark.parametrize(
    ("policy", "found", "expected"),
    [
        (ALL, None, Verdict.DEAD),
        (ALL, entry(0), Verdict.FRESH),
        (ALL, entry(79.9), Verdict.FRESH),
        (ALL, entry(80), Verdict.DUE),
        (ALL, entry(99.9), Verdict.DUE),
        (ALL, entry(100), Verdict.DUE),
        (ALL, entry(109.9), Verdict.DUE),
        (ALL, entry(110), Verdict.STALE),
        (ALL, entry(129.9), Verdict.STALE),
        (ALL, entry(130), Verdict.DEAD),
        (ALL, entry(-50), Verdict.FRESH),
        (ALL, Entry("v"), Verdict.FRESH),
        (CachePolicy(), entry(99.9), Verdict.FRESH),
        (CachePolicy(), entry(100), Verdict.DEAD),
        (CachePolicy(refresh_ahead=0.5), entry(50), Verdict.DUE),
        (CachePolicy(refresh_ahead=0.5), entry(100), Verdict.DEAD),
        (CachePolicy(refresh_ahead=0.5), entry(4, ttl=10), Verdict.FRESH),
        (CachePolicy(refresh_ahead=0.5), entry(5, ttl=10), Verdict.DUE),
        (CachePolicy(refresh_ahead=0.5), entry(1e9, ttl=FOREVER), Verdict.FRESH),
        (CachePolicy(stale_while_revalidate=10), entry(105), Verdict.DUE),
        (CachePolicy(stale_while_revalidate=10), entry(115), Verdict.DEAD),
        (CachePolicy(stale_while_revalidate=10), entry(105, stale=2), Verdict.DEAD),
        (CachePolicy(stale_if_error=10), entry(105), Verdict.STALE),
        (CachePolicy(stale_if_error=10), entry(115), Verdict.DEAD),
        (CachePolicy(stale_while_revalidate=20, stale_if_error=10), entry(115), Verdict.DUE),
    ],
)
def test_what_an_entry_is_good_for(policy: CachePolicy, found: Entry | None, expected: Verdict) -> None:
    assert judge(found, policy, NOW) is expected


@pytest.mark.parametrize(
    ("failed_at", "now", "expected"), [(100, 100, True), (100, 104.9, True), (100, 105, False), (100, 99, False)]
)
def test_a_failure_pauses_for_a_while_and_not_when_the_clock_is_set_back(
    failed_at: float, now: float, *, expected: bool
) -> None:
    assert is_paused(failed_at, 5, now) is expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"refresh_ahead": 0}, "refresh_ahead=0: give a fraction above 0 and below 1"),
        ({"refresh_ahead": 1}, "refresh_ahead"),
        ({"refresh_ahead": math.nan}, "refresh_ahead"),
        ({"stale_while_revalidate": -1}, "stale_while_revalidate=-1: give seconds, 0 or more"),
        ({"stale_if_error": math.inf}, "stale_if_error"),
        ({"stale_if_error": math.nan}, "stale_if_error"),
        ({"soft_timeout": 0, "stale_if_error": 1}, "soft_timeout=0: give seconds, more than 0"),
        ({"hard_timeout": -1}, "hard_timeout"),
        ({"hard_timeout": math.inf}, "hard_timeout"),
        ({"error_backoff": 0}, "error_backoff"),
        ({"soft_timeout": 1}, "soft_timeout without stale_if_error"),
        ({"soft_timeout": 2, "hard_timeout": 1, "stale_if_error": 9}, "hard_timeout=1 is less than soft_timeout=2"),
    ],
)
def test_numbers_out_of_range_are_refused(fields: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CachePolicy(**fields)


@pytest.mark.parametrize(
    "name",
    [
        *("refresh_ahead", "stale_while_revalidate", "stale_if_error", "soft_timeout", "hard_timeout"),
        "error_backoff",
    ],
)
@pytest.mark.parametrize("given", ["1", True, timedelta(seconds=1)])
def test_seconds_and_fractions_are_numbers(name: str, given: object) -> None:
    with pytest.raises(TypeError, match=name):
        CachePolicy(**{name: given})
