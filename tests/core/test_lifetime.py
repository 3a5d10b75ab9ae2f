from __future__ import annotations

import math
from datetime import timedelta

import pytest

from asynccache.core.lifetime import FOREVER, memcached_exptime, milliseconds, seconds, whole_seconds

DAY = 24 * 3600


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        (None, 300),
        (60, 60),
        (0.25, 0.25),
        (0, 0),
        (-1, 0),
        (-0.001, 0),
        (-math.inf, 0),
        (timedelta(days=1), 86400.0),
        (timedelta(milliseconds=250), 0.25),
        (timedelta(seconds=-1), 0),
        (FOREVER, FOREVER),
        (100 * 365 * DAY, 100 * 365 * DAY),
        (timedelta.max, FOREVER),
        (1e300, FOREVER),
        (10**400, FOREVER),
        (-(10**400), 0),
    ],
)
def test_every_way_of_saying_a_lifetime_becomes_seconds(ttl: float | timedelta | None, expected: float) -> None:
    assert seconds(ttl, 300) == expected


def test_nan_is_no_lifetime() -> None:
    with pytest.raises(ValueError, match="NaN"):
        seconds(math.nan, 300)


@pytest.mark.parametrize("ttl", [True, False, "60", b"60", [60], 1j], ids=repr)
def test_what_is_no_number_is_named_in_the_error(ttl: object) -> None:
    with pytest.raises(TypeError, match=type(ttl).__name__):
        seconds(ttl, 300)  # type: ignore[arg-type]  # the wrong type is the case


@pytest.mark.parametrize(
    ("ttl", "expected"), [(1, 1000), (0.5, 500), (0.0001, 1), (1.0001, 1001), (100 * 365 * DAY, 3_153_600_000_000)]
)
def test_milliseconds_are_rounded_up(ttl: float, expected: int) -> None:
    assert milliseconds(ttl) == expected


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        (FOREVER, 0),
        (0.01, 1),
        (1, 1),
        (1.01, 2),
        (30 * DAY - 1, 30 * DAY - 1),
        (30 * DAY, 30 * DAY),
        (30 * DAY + 1, 1_700_000_000 + 30 * DAY + 1),
        (30 * DAY + 0.5, 1_700_000_000 + 30 * DAY + 1),
        (100 * 365 * DAY, 2**31 - 1),
    ],
)
def test_memcached_gets_whole_seconds_and_absolute_times_beyond_a_month(ttl: float, expected: int) -> None:
    assert memcached_exptime(ttl, now=1_700_000_000.0) == expected


@pytest.mark.parametrize(
    ("ttl", "expected"),
    [
        (0.01, 2),
        (1, 2),
        (1.01, 3),
        (30 * DAY, 30 * DAY + 1),
        (FOREVER, 2**31 - 1 - DAY - 1_700_000_000),
        (100 * 365 * DAY, 2**31 - 1 - DAY - 1_700_000_000),
    ],
)
def test_other_stores_get_whole_seconds_that_end_neither_early_nor_after_2038(ttl: float, expected: int) -> None:
    assert whole_seconds(ttl, now=1_700_000_000.0) == expected
    assert whole_seconds(ttl, now=2**31) == min(expected, 30 * DAY)
