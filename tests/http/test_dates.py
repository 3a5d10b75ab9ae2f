"""HTTP dates: three forms, and nothing else (HTTP.md 21)."""

import pytest

from asynccache.http.dates import http_date

NOW = 1_700_000_000.0
MOMENT = 784_111_777


@pytest.mark.parametrize(
    "text",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"sun, 06 nov 1994 08:49:37 gmt",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"Sun Nov  6 08:49:37 1994",
    ],
)
def test_the_three_forms_are_read(text):
    assert http_date(text, NOW) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        b"", b"0", b"-1", b"Sun, 06 Nov 1994 08:49:37 UTC", b"Sun, 06 Nov 94 08:49:37 GMT",
        b"Sun 06 Nov 1994 08:49:37 GMT", b"Sun,  06 Nov 1994 08:49:37 GMT", b"Sun, 06-Nov-1994 08:49:37 GMT",
        b"Sun, 6 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 8:49:37 GMT", b"Sun, 06 Nov 1994 08.49.37 GMT",
        b"Sun, 32 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        b"1994-11-06T08:49:37Z", b"Sun, 06 Nov 1994 08:49:37 +0100", b"Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT".encode(),
    ],
)  # fmt: skip
def test_what_only_looks_like_a_date_is_none(text):
    assert http_date(text, NOW) is None


def test_dates_beyond_2038_and_2286_are_dates():
    assert http_date(b"Mon, 01 Jan 2300 00:00:00 GMT", NOW) == 10_413_792_000


def test_two_digits_mean_the_nearest_year_within_fifty():
    assert http_date(b"Monday, 01-Jan-70 00:00:00 GMT", NOW) == 3_155_760_000
    assert http_date(b"Monday, 01-Jan-75 00:00:00 GMT", NOW) == 157_766_400
