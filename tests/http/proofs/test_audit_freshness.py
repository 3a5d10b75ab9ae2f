"""How long RFC 9111 4.2 has a response be fresh, and what age it is told to have."""

import pytest

from tests.http.proofs.dates import asctime, imf, rfc850
from tests.http.proofs.upstream import NOW, Site, failing, reused, said

LONG = 4_000_000_000


async def fresh_for(seconds, **fields):
    """Tell whether it is reused until then, and not from then on."""
    return await reused(waiting=seconds - 1, **fields) and not await reused(waiting=seconds, **fields)


# 4.2.1: the lifetime

LIFETIMES = [
    (60, {"cache_control": "max-age=60"}),
    (60, {"cache_control": "MAX-AGE=60"}),
    (60, {"cache_control": "s-maxage=60"}),
    (60, {"cache_control": "max-age=600, s-maxage=60"}),
    (600, {"cache_control": "max-age=60, S-maxage=600"}),
    (600, {"cache_control": ["max-age=60", "s-maxage=600"]}),
    (60, {"cache_control": "max-age=060"}),
    (60, {"cache_control": 'x="max-age=1", max-age=60, y="a, max-age=2"'}),
    (60, {"cache_control": 'x="\\"max-age=1", max-age=60'}),
    (60, {"cache_control": "xmax-age=1, max-age=60, max-agex=2, x-max-age=3"}),
    (60, {"cache_control": ",,\t max-age=60 ,,"}),
    (60, {"cache_control": "max-age=60", "expires": imf(NOW + 600)}),
    (60, {"cache_control": "max-age=60", "expires": imf(NOW - 600)}),
    (60, {"cache_control": "max-age=60", "expires": "0"}),
    (60, {"expires": imf(NOW + 60), "date": imf(NOW)}),
    (60, {"expires": imf(NOW + 60)}),
    (60, {"expires": imf(NOW + 60), "date": "yesterday"}),
    (60, {"expires": imf(NOW + 60), "date": imf(NOW), "cache_control": "public, x"}),
    (60, {"expires": rfc850(NOW + 60), "date": rfc850(NOW)}),
    (60, {"expires": asctime(NOW + 60), "date": asctime(NOW)}),
    (40, {"cache_control": "max-age=60", "age": "20"}),
    (40, {"expires": imf(NOW + 60), "date": imf(NOW), "age": "20"}),
    (40, {"cache_control": "max-age=60", "age": "20, 30"}),
    (40, {"cache_control": "max-age=60", "age": ["20", "30"]}),
    (40, {"cache_control": "max-age=60", "age": " 020 "}),
    (60, {"cache_control": "max-age=60", "age": "abc"}),
    (60, {"cache_control": "max-age=60", "age": "-20"}),
    (60, {"cache_control": "max-age=60", "age": "20.0"}),
    (60, {"cache_control": "max-age=60", "age": ""}),
    (60, {"cache_control": "max-age=60, must-revalidate, proxy-revalidate"}),
    (60, {"cache_control": "max-age=60, immutable"}),
    (60, {"cache_control": "max-age=60", "pragma": "no-cache"}),
    (60, {"cache_control": "max-age=60", "warning": '110 - "stale"'}),
    (60, {"cache_control": "max-age=60", "delay": 0}),
    (50, {"cache_control": "max-age=60", "delay": 10}),
    (30, {"cache_control": "max-age=60", "age": "20", "delay": 10}),
]


async def test_it_is_fresh_for_so_long():
    assert await failing(lambda seconds, fields: fresh_for(seconds, **fields), LIFETIMES) == []


STALE = [
    {"cache_control": "max-age=0"},
    {"cache_control": "max-age=60, s-maxage=0"},
    {"cache_control": "max-age=60", "age": "60"},
    {"cache_control": "max-age=60", "age": "61"},
    {"cache_control": "max-age=60", "age": "2147483648"},
    {"cache_control": "max-age=60", "age": "99999999999999999999"},
    {"cache_control": "max-age=-60"},
    {"cache_control": "max-age=6.0"},
    {"cache_control": "max-age=abc"},
    {"cache_control": "max-age='60'"},
    {"cache_control": "max-age="},
    {"cache_control": "max-age"},
    {"cache_control": "max-age", "expires": imf(NOW + 60)},
    {"cache_control": "max-age =60"},
    {"cache_control": "max-age= 60"},
    {"cache_control": "max-age=0, max-age=60"},
    {"cache_control": "s-maxage=x, max-age=60"},
    {"expires": imf(NOW), "date": imf(NOW)},
    {"expires": imf(NOW - 60), "date": imf(NOW)},
    {"expires": imf(NOW + 60), "date": imf(NOW + 60)},
    {"expires": imf(NOW + 60), "date": imf(NOW + 120)},
    {"expires": imf(NOW + 60), "age": "60"},
    {"expires": [imf(NOW + 60), imf(NOW + 60)]},
    {"expires": "0", "last_modified": imf(NOW - 10**6)},
    {"expires": "", "last_modified": imf(NOW - 10**6)},
    {"cache_control": "max-age=x", "last_modified": imf(NOW - 10**6)},
]


async def test_it_is_over_when_it_comes():
    assert [fields for fields in STALE if await reused(**fields)] == []


async def test_whatever_is_beyond_all_counting_is_very_long():
    for seconds in [LONG, 10**20, 2**31, 2**31 - 1, 2**32 + 1, 2**63, 2**64 + 5, 10**400]:
        assert await reused(cache_control=f"max-age={seconds}", waiting=30 * 86_400), seconds


# RFC 9110 5.6.7: dates

GOOD_DATES = [
    imf(NOW + 60), imf(NOW + 60).lower(), imf(NOW + 60).upper(), rfc850(NOW + 60), rfc850(NOW + 60).upper(),
    asctime(NOW + 60), asctime(NOW + 60).lower(), imf(LONG), imf(10**10), asctime(10**10), f"  {imf(NOW + 60)}\t",
]  # fmt: skip
FUTURE = imf(NOW + 86_400)
BAD_DATES = [
    "0", "-1", "", "never", "tomorrow", "1800086400", FUTURE.replace("GMT", "UTC"), FUTURE.replace("GMT", "+0000"),
    FUTURE.replace("GMT", "AEST"), FUTURE.replace("GMT", "EST"), FUTURE.replace(" GMT", ""), FUTURE.replace(",", ""),
    FUTURE.replace(", ", ","), FUTURE.replace(" ", "  "), FUTURE.replace(" ", "-"), FUTURE.replace(":", "."),
    FUTURE.replace("2027", "27"), FUTURE.replace("2027", "02027"), FUTURE.replace(" 08:", " 8:"),
    f"{FUTURE}, {FUTURE}",
    FUTURE.replace("Jan", "January"), FUTURE.replace("Sat", "Saturday"), FUTURE.replace("Jan", "01"), FUTURE + " x",
    FUTURE.replace("08:00:00", "25:00:00"), FUTURE.replace("08:00:00", "08:60:00"), FUTURE.replace("16 Jan", "32 Jan"),
    FUTURE.replace("16 Jan", "30 Feb"), FUTURE.replace("16 Jan", "00 Jan"), FUTURE.replace("08:00:00", "08:00"),
    rfc850(NOW + 86_400).replace("GMT", "UTC"), rfc850(NOW + 86_400).replace("-27", "-2027"), f'"{FUTURE}"',
    asctime(NOW + 86_400) + " GMT", "2027-01-16T08:00:00Z", "16 Jan 2027 08:00:00 GMT", FUTURE.replace("Sat", "Xxx"),
]  # fmt: skip


async def test_dates_in_any_of_the_three_forms_are_read():
    assert [text for text in GOOD_DATES if not await reused(expires=text, waiting=30)] == []


async def test_any_other_date_is_over():
    assert [text for text in BAD_DATES if await reused(expires=text)] == []
    assert [text for text in BAD_DATES if await reused(expires=text, last_modified=imf(NOW - 10**6))] == []


async def test_a_year_of_two_digits_is_the_nearest_in_fifty_years():
    assert not await reused(expires=rfc850(NOW + 60).replace("-27 ", "-90 "))
    assert await reused(expires=rfc850(NOW + 60).replace("-27 ", "-28 "))


# 4.2.2: heuristics


async def test_heuristic_freshness_is_a_tenth_of_the_age_at_most():
    ten_days = {"last_modified": imf(NOW - 100_000), "date": imf(NOW)}
    assert await reused(waiting=60, **ten_days)
    assert not await reused(waiting=10_001, **ten_days)
    assert not await reused(last_modified=imf(NOW), date=imf(NOW))
    assert not await reused(last_modified=imf(NOW + 100), date=imf(NOW))
    assert not await reused(last_modified="0", date=imf(NOW))


async def test_the_safe_profile_has_no_heuristics():
    assert not await reused(profile="safe", last_modified=imf(NOW - 100_000), date=imf(NOW))


# 5.1 and 4.2.3: what is told of it


@pytest.mark.parametrize(
    ("came", "delay", "waits", "told"),
    [
        (None, 0, 0, "0"),
        (None, 0, 7, "7"),
        ("20", 0, 7, "27"),
        ("20", 3, 7, "30"),
        ("x", 0, 7, "7"),
        ("20, 5", 0, 7, "27"),
    ],
)
async def test_the_age_is_told_in_one_field(came, delay, waits, told):
    site = Site()
    fields = {} if came is None else {"age": came}
    await site.after(said(cache_control="max-age=600", delay=delay, date=site.date(), **fields))
    site.wait(waits)
    again = await site()
    ages = [value.decode() for name, value in again.messages[0]["headers"] if name == b"age"]
    assert (site.count, ages) == (1, [told])


async def test_the_first_answer_has_the_age_it_came_with():
    site = Site()
    assert (await site.after(said(cache_control="max-age=600", age="20"))).header("age") == "20"
    assert (await Site().after(said(cache_control="max-age=600"))).header("age") in {None, "0"}


async def test_date_and_expires_stay_as_they_came():
    site = Site()
    date, expires = site.date(), site.date(600)
    await site.after(said(date=date, expires=expires))
    site.wait(100)
    again = await site()
    assert (again.header("date"), again.header("expires"), site.count) == (date, expires, 1)


@pytest.mark.parametrize("expires", ["0", "never"])
async def test_an_expires_that_is_no_date_stays_as_it_came_too(expires):
    site = Site()
    await site.after(said(date="x", expires=expires, cache_control="max-age=600"))
    again = await site()
    assert (again.header("expires"), site.count) == (expires, 1)


async def test_a_response_without_a_date_gets_that_of_its_receipt():
    site = Site()
    date = site.date()
    await site.after(said(cache_control="max-age=600"))
    site.wait(100)
    assert (await site()).header("date") == date


async def test_a_clock_that_is_set_back_makes_no_negative_age():
    site = Site()
    await site.after(said(cache_control="max-age=600"))
    site.wait(-1000)
    assert (await site()).header("age") in {"0", None}
