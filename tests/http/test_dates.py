"""HTTP dates: three forms, and nothing that only looks like one of them."""

from calendar import timegm
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asynccache.http.dates import http_date, single_date, written_date

NOW = 1_700_000_000.0
MOMENT = 784_111_777


def at(year, month=1, day=1, hour=0):
    return timegm((year, month, day, hour, 0, 0))


@pytest.mark.parametrize(
    "text",
    [
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"sun, 06 nov 1994 08:49:37 gmt",
        b"SUN, 06 NOV 1994 08:49:37 GMT",
        b"Sunday, 06-Nov-94 08:49:37 GMT",
        b"sUNDAY, 06-nOV-94 08:49:37 gMT",
        b"Sun Nov  6 08:49:37 1994",
        b"Sun Nov 06 08:49:37 1994",
        b"SUN NOV  6 08:49:37 1994",
    ],
)
def test_the_three_forms_are_read(text):
    assert http_date(text, NOW) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        b"", b"0", b"-1", b"784111777", b"Sun, 06 Nov 1994 08:49:37 UTC", b"Sun, 06 Nov 1994 08:49:37 AEST",
        b"Sun, 06 Nov 1994 08:49:37 Z", b"Sun, 06 Nov 1994 08:49:37", b"Sun, 06 Nov 94 08:49:37 GMT",
        b"Sun 06 Nov 1994 08:49:37 GMT", b"Sun,06 Nov 1994 08:49:37 GMT", b"06 Nov 1994 08:49:37 GMT",
        b"Sun,  06 Nov 1994 08:49:37 GMT", b"Sun, 06  Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994  08:49:37 GMT",
        b"Sun, 06 Nov 1994 08:49:37  GMT", b"Sun, 06-Nov-1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08-49-37 GMT",
        b"Sun, 6 Nov 1994 08:49:37 GMT", b"Sun,  6 Nov 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 8:49:37 GMT",
        b"Sun, 06 Nov 1994 08.49.37 GMT", b"Sun, 06 Nov 1994 08:49 GMT", b"Sun, 06 Nov 1994 08:49:37.5 GMT",
        b"Sun, 32 Nov 1994 08:49:37 GMT", b"Sun, 00 Nov 1994 08:49:37 GMT", b"Fri, 31 Feb 1995 08:49:37 GMT",
        b"Tue, 29 Feb 1994 08:49:37 GMT", b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        b"1994-11-06T08:49:37Z", b"Sun, 06 Nov 1994 08:49:37 +0000", b"Sun, 06 Nov 1994 24:00:00 GMT",
        b"Sun, 06 Nov 1994 08:60:37 GMT", b"Sun, 06 Nov 1994 08:49:61 GMT", b"Sun, 06 Nov 1994 08:49:99 GMT",
        b"Sun, 06 Nov 1994 08:49:37 GMT\n", b"\nSun, 06 Nov 1994 08:49:37 GMT", b" Sun, 06 Nov 1994 08:49:37 GMT",
        b"Sunday, 06 Nov 1994 08:49:37 GMT", b"Son, 06 Nov 1994 08:49:37 GMT", b"Sun, 06 Now 1994 08:49:37 GMT",
        b"Sun, 06 November 1994 08:49:37 GMT", b"Sun, 06 Nov 01994 08:49:37 GMT", b"Sun, 06 Nov 0000 08:49:37 GMT",
        b"Sun, 06-Nov-94 08:49:37 GMT", b"Sunday, 06-Nov-1994 08:49:37 GMT", b"Sunday, 6-Nov-94 08:49:37 GMT",
        b"Sunday, 06 Nov 94 08:49:37 GMT", b"Sunday 06-Nov-94 08:49:37 GMT", b"Sunday, 29-Feb-94 08:49:37 GMT",
        b"Sun Nov 6 08:49:37 1994", b"Sun Nov   6 08:49:37 1994", b"Sun Nov  6 08:49:37 94",
        b"Sun, Nov  6 08:49:37 1994",
        b"Sun Nov  6 08:49:37 1994 GMT", b"Sun Nov  6 8:49:37 1994", b"Sun Nov  0 08:49:37 1994",
        "Sun, ٠٦ Nov 1994 08:49:37 GMT".encode(), b"Sun,\xa006 Nov 1994 08:49:37 GMT",
        b"Sun, 06\tNov 1994 08:49:37 GMT",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_date_is_none(text):
    assert http_date(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (b"Tue, 19 Jan 2038 03:14:08 GMT", 2**31),
        (b"Sun, 20 Nov 2286 17:46:40 GMT", 10_000_000_000),
        (b"Mon, 01 Jan 2300 00:00:00 GMT", 10_413_792_000),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", 253_402_300_799),
        (b"Mon, 01 Jan 1601 00:00:00 GMT", -11_644_473_600),
        (b"Mon, 01 Jan 0001 00:00:00 GMT", -62_135_596_800),
        (b"Thu, 29 Feb 2024 12:00:00 GMT", at(2024, 2, 29, 12)),
        (b"Mon, 06 Nov 1994 08:49:37 GMT", MOMENT),  # a day of the week that it was not is no other date
    ],
)
def test_years_are_not_limited(text, moment):
    assert http_date(text, NOW) == moment


@pytest.mark.parametrize(
    "text", [b"Sat, 31 Dec 2016 23:59:60 GMT", b"Saturday, 31-Dec-16 23:59:60 GMT", b"Sat Dec 31 23:59:60 2016"]
)
def test_a_leap_second_is_the_second_after(text):
    assert http_date(text, NOW) == at(2017, 1, 1)


@pytest.mark.parametrize(
    ("now", "written", "year"),
    [
        ((2026, 11, 21, 12), b"21-Nov-76 12:00:00", 2076),
        ((2026, 11, 21, 12), b"21-Nov-76 12:00:01", 1976),
        ((2026, 11, 21, 12), b"22-Nov-76 00:00:00", 1976),
        ((2026, 11, 21, 12), b"20-Nov-76 23:59:59", 2076),
        ((2026, 11, 21, 12), b"01-Jan-77 00:00:00", 1977),
        ((2026, 11, 21, 12), b"01-Jan-70 00:00:00", 2070),
        ((2026, 11, 21, 12), b"01-Jan-99 00:00:00", 1999),
        ((2026, 11, 21, 12), b"01-Jan-00 00:00:00", 2000),
        ((2026, 11, 21, 12), b"31-Dec-26 00:00:00", 2026),
        ((2024, 2, 29, 0), b"28-Feb-74 23:59:59", 2074),
        ((2024, 2, 29, 0), b"01-Mar-74 00:00:00", 1974),
        ((2099, 6, 1, 0), b"01-Jan-01 00:00:00", 2101),
        ((2099, 6, 1, 0), b"01-Jan-98 00:00:00", 2098),
        ((1999, 6, 1, 0), b"01-Jan-01 00:00:00", 2001),
        ((1999, 6, 1, 0), b"01-Jan-49 00:00:00", 2049),
        ((1999, 6, 1, 0), b"02-Jun-49 00:00:00", 1949),
        ((1999, 6, 1, 0), b"01-Jan-50 00:00:00", 1950),
    ],
)
def test_two_digits_are_at_most_fifty_years_ahead(now, written, year):
    found = http_date(b"Monday, " + written + b" GMT", at(*now))
    assert datetime.fromtimestamp(found, UTC).year == year


def test_a_date_that_only_another_century_has_is_none():
    assert http_date(b"Monday, 29-Feb-00 00:00:00 GMT", at(2026)) == at(2000, 2, 29)
    assert http_date(b"Monday, 29-Feb-00 00:00:00 GMT", at(2060)) is None  # 2100 has none


@pytest.mark.parametrize(
    ("lines", "moment"),
    [
        ([b"Sun, 06 Nov 1994 08:49:37 GMT"], MOMENT),
        ([b" \tSun, 06 Nov 1994 08:49:37 GMT \t"], MOMENT),
        ([b"Sun, 06 Nov 1994 08:49:37 GMT"] * 2, None),
        ([b"Sun, 06 Nov 1994 08:49:37 GMT", b""], None),
        ([b"Sun", b"06 Nov 1994 08:49:37 GMT"], None),
        ([b"x"], None),
        ([], None),
    ],
)
def test_a_field_that_is_a_date_has_one_line(lines, moment):
    assert single_date(lines, NOW) == moment


def forms(moment):
    when = datetime.fromtimestamp(moment, UTC)
    yield when.strftime("%a, %d %b ") + f"{when.year:04}" + when.strftime(" %H:%M:%S GMT")
    yield when.strftime("%A, %d-%b-%y %H:%M:%S GMT")
    yield when.strftime("%a %b ") + f"{when.day:2} {when:%H:%M:%S} {when.year:04}"


@given(st.integers(at(1976, 12), at(2073, 1)), st.sampled_from([str, str.lower, str.upper, str.swapcase]))
@settings(max_examples=150, deadline=None)
def test_dates_that_were_written_are_read(moment, dress):
    assert [http_date(dress(form).encode(), NOW) for form in forms(moment)] == [moment] * 3
    assert written_date(moment + 0.9).decode() == next(forms(moment))


@given(st.integers(at(1, 1, 2), at(9999)), st.integers(0, 2), st.data())
@settings(max_examples=300, deadline=None)
def test_what_somebody_broke_is_read_only_where_it_is_still_a_date(moment, form, data):
    text = list(list(forms(moment))[form])
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + data.draw(st.integers(0, 1))] = data.draw(
            st.sampled_from(["", " ", "0", "6", ",", "-", ":", "a"])
        )
    check_narrow("".join(text))


@given(st.text(max_size=40))
def test_anything_may_come(text):
    check_narrow(text)


def check_narrow(text):
    """Whatever is read is one of the forms of that moment, but for the day of the week and a leap second."""
    moment = http_date(text.encode("latin-1", "replace"), NOW)
    if moment is not None:
        without_day = text.lower().split(" ", 1)[1]
        possible = {form.lower().split(" ", 1)[1] for second in (moment, moment - 1) for form in forms(second)}
        assert without_day in possible | {form.replace(":59 ", ":60 ") for form in possible} | {
            form.replace("  ", " 0") for form in possible
        }
