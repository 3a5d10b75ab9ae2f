"""For how long a response is fresh, and how old it came: the rules of a shared cache, each as rows of a table."""

import pytest

from asynccache.http.dates import single_date
from asynccache.http.profile import RFC9111, Rules
from asynccache.http.rules import keep_for
from tests.http.by_hand import NOW, date, judged, named, rows, stored

FRESH = "cache-control: max-age=60"


@pytest.mark.parametrize(
    ("lifetime", "response", "how"),
    rows(
        ("rule 19 s-maxage first", 10, "cache-control: max-age=60, s-maxage=10 | expires: <+99>", {}),
        ("rule 19 max-age before Expires", 60, f"{FRESH} | expires: <-99>", {}),
        (
            "rule 19 max-age that is none outranks Expires",
            0,
            'cache-control: max-age=x | expires: <+99> | etag: "a"',
            {},
        ),
        ("rule 19 Expires less Date", 100, "expires: <+60> | date: <-40>", {}),
        ("rule 19 Expires less the receipt: no Date", 60, "expires: <+60>", {}),
        ("rule 19 Expires less the receipt: no valid Date", 60, "expires: <+60> | date: yesterday", {}),
        ("rule 19 Expires less the receipt: two Dates", 60, "expires: <+60> | date: <-40> | date: <-40>", {}),
        ("rule 19 two lines of Expires", 0, 'expires: <+60> | expires: <+60> | etag: "a"', {}),
        ("rule 19 Expires before Date", 0, 'expires: <-60> | etag: "a"', {}),
        ("rule 20 first duplicate", 60, "cache-control: max-age=60, max-age=3", {}),
        ("rule 20 leading zeros", 60, "cache-control: max-age=00060", {}),
        ("rule 20 too large", 2**31, "cache-control: max-age=99999999999999999999", {}),
        ("rule 20 quoted", 60, 'cache-control: max-age="60"', {}),
        ("rule 20 capitals, lines and extensions", 60, "cache-control: a=b, c | cache-control: MAX-Age=60", {}),
        *(
            (f"rule 20 max-age={value}", 0, f'cache-control: max-age={value} | etag: "a"', {})
            for value in ("-60", "'60'", "60.0", "6x", "", "1 2", "+60")
        ),
        ("rule 21 IMF-fixdate", 60, "expires: <+60>", {}),
        *(
            (f"rule 21 Expires: {value}", 0, f'expires: {value} | etag: "a"', {})
            for value in (
                "0",
                "-1",
                "tomorrow",
                date(60).replace("GMT", "UTC"),
                date(60).replace(",", ""),
                date(60).replace(" ", "  "),
            )
        ),
        ("rule 24 a tenth", 100, "last-modified: <-1000>", {}),
        ("rule 24 a tenth, by Date", 90, "last-modified: <-1000> | date: <-100>", {}),
        ("rule 24 a day at most", 86_400, "last-modified: <-10000000>", {}),
        ("rule 24 modified in the future", 0, "last-modified: <+1000>", {}),
        ("rule 24 never with an explicit end", 0, "last-modified: <-1000> | expires: 0", {}),
        ("rule 24 safe: none", 0, "last-modified: <-1000>", {"profile": "safe"}),
        ("rule 24 default_ttl where nothing is said", 7, 'etag: "a"', {"rules": Rules(default_ttl=7)}),
        (
            "rule 24 default_ttl after the heuristic",
            100,
            "last-modified: <-1000>",
            {"rules": Rules(RFC9111, default_ttl=7)},
        ),
        (
            "rule 24 default_ttl not for no-cache",
            0,
            'etag: "a" | cache-control: no-cache',
            {"rules": Rules(default_ttl=7)},
        ),
        ("rule 24 default_ttl not for Pragma", 0, 'etag: "a" | pragma: no-cache', {"rules": Rules(default_ttl=7)}),
        (
            "rule 24 default_ttl not for cookies",
            0,
            'etag: "a" | set-cookie: a=b',
            {"rules": Rules(RFC9111, default_ttl=7)},
        ),
        (
            "rule 45 the targeted lifetime",
            30,
            f"{FRESH}, s-maxage=99 | expires: <+99> | cdn-cache-control: max-age=30",
            {},
        ),
        ("rule 45 a lifetime of the wrong type", 60, f'{FRESH} | cdn-cache-control: max-age="30"', {}),
        ("rule 45 a decimal lifetime", 60, f"{FRESH} | cdn-cache-control: max-age=30.5", {}),
        ("rule 45 parameters mean nothing", 30, f"{FRESH} | cdn-cache-control: max-age=30;no-store", {}),
        (
            "rule 45 the first target",
            20,
            f"{FRESH} | cdn-cache-control: max-age=30 | our-cache-control: max-age=20",
            {"rules": Rules(targets=(b"our-cache-control", b"cdn-cache-control"))},
        ),
        (
            "rule 45 the first valid target",
            30,
            f"{FRESH} | cdn-cache-control: max-age=30 | our-cache-control: MAX",
            {"rules": Rules(targets=(b"our-cache-control", b"cdn-cache-control"))},
        ),
        ("rule 45 none of our targets", 60, f"{FRESH} | other-cache-control: max-age=30", {}),
    ),
)
def test_how_long_it_is_fresh(lifetime, response, how):
    assert stored(response, **how).lifetime == pytest.approx(lifetime)


@pytest.mark.parametrize(
    ("age", "response", "delay"),
    rows(
        ("rule 22 none", 0, "", 0),
        ("rule 22 Age and the delay", 12, "age: 10", 2),
        ("rule 22 the delay alone", 2, "", 2),
        ("rule 22 by Date", 30, "date: <-30>", 2),
        ("rule 22 the larger one", 40, "date: <-30> | age: 40", 0),
        ("rule 22 Date in the future", 0, "date: <+30>", 0),
        ("rule 22 Date of the last second", 0, "date: <-1>", 0),
        ("rule 22 Date that is none", 0, "date: yesterday", 0),
        ("rule 23 the first line", 3, "age: 3 | age: 30", 0),
        ("rule 23 the first member", 3, "age: 3, 30", 0),
        *((f"rule 23 Age {value}", 0, f"age: {value}", 0) for value in ("-3", "3.5", "x", "", "'3'")),
        ("rule 23 huge", 2**31, "age: 99999999999999999999", 0),
    ),
)
def test_how_old_it_came(age, response, delay):
    judgement = judged(f'cache-control: max-age=99999 | etag: "a" | {response}', delay=delay)
    assert judgement.age(NOW) == pytest.approx(age)
    assert judgement.is_fresh(NOW) == (age < 99_999)


@pytest.mark.parametrize(
    "text", ["Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994", "sun, 06 NOV 1994 08:49:37 gmt"]
)
def test_rule_21_all_three_forms_of_dates_count(text):
    assert single_date([text.encode()], NOW) == 784_111_777


@pytest.mark.parametrize("text", ["Thu, 01 Jan 2099 00:00:00 GMT", "Thu, 01 Jan 2300 00:00:00 GMT"])
def test_rule_21_dates_beyond_2038_and_2286_count(text):
    assert stored(f"expires: {text}").lifetime > 2**30


@pytest.mark.parametrize(
    ("seconds", "response"),
    rows(
        ("rule 24 a validator: keep_stale after its end", 160, 'cache-control: max-age=60 | etag: "a"'),
        ("rule 37 no validator: as long, to stand in", 160, "cache-control: max-age=60"),
        ("rule 24 less the age that it came with", 150, 'cache-control: max-age=60 | etag: "a" | age: 10'),
        ("rule 36 as long as it may be renewed", 560, "cache-control: max-age=60, stale-while-revalidate=500"),
        ("rule 37 as long as it may stand in", 560, "cache-control: max-age=60, stale-if-error=500"),
        ("rule 38 never stale, no validator: to its end", 60, "cache-control: max-age=60, must-revalidate"),
    ),
)
def test_how_long_it_is_kept(seconds, response):
    assert keep_for(stored(response), Rules(keep_stale=100)) == pytest.approx(seconds)


def test_rule_50_the_receipt_is_stored_as_date_where_there_is_none():
    assert named(stored(FRESH), b"date") == [date().encode()]
    assert named(stored(f"{FRESH} | date: <-5>"), b"date") == [date(-5).encode()]
