from __future__ import annotations

import math
import pickle
from datetime import timedelta

import pytest

from asynccache.core.lifetime import FOREVER
from asynccache.core.policy import CachePolicy, lifetime


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
