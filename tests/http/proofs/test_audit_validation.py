"""Conditional requests of the cache itself, and what comes back: RFC 9111 4.3."""

import pytest

from tests.http.proofs.dates import imf, rfc850
from tests.http.proofs.upstream import NOW, Site, said

FRESH = "max-age=600"
MODIFIED = imf(NOW - 1000)


async def stored(**fields):
    site = Site()
    await site.after(said(**{"cache_control": FRESH} | fields))
    return site


# 4.3.1: the cache's own conditions

VALIDATORS = [
    ({"etag": '"a"'}, '"a"', None),
    ({"etag": 'W/"a"'}, 'W/"a"', None),
    ({"etag": '"a,b"'}, '"a,b"', None),
    ({"last_modified": MODIFIED}, None, MODIFIED),
    ({"last_modified": rfc850(NOW - 1000)}, None, rfc850(NOW - 1000)),
    ({"etag": '"a"', "last_modified": MODIFIED}, '"a"', MODIFIED),
]


@pytest.mark.parametrize("control", ["max-age=60", "no-cache", "max-age=0, must-revalidate", "no-cache, max-age=600"])
async def test_what_is_over_is_validated_as_it_says(control):
    for fields, tag, since in VALIDATORS:
        site = Site()
        await site.after(said(cache_control=control, **fields), said(304, b"", **fields))
        site.wait(60)
        again = await site()
        assert (site.asked[1].header("if-none-match"), site.asked[1].header("if-modified-since")) == (tag, since)
        assert (again.status, again.body, again.header("content-length"), site.count) == (200, b"one", "3", 2)


async def test_what_has_no_validator_is_asked_for_anew():
    site = Site()
    await site.after(said(cache_control="max-age=60"), said(body="two"))
    site.wait(60)
    assert (await site()).body == b"two"
    assert site.asked[1].header("if-none-match") is None
    assert site.asked[1].header("if-modified-since") is None


async def test_the_fields_that_select_go_along_with_a_validation():
    site = Site()
    await site.after(
        said(cache_control="max-age=60", etag='"a"', vary="x-a"), said(304, b"", etag='"a"'), x_a="1", x_b="2"
    )
    site.wait(60)
    assert (await site(x_a="1", x_b="3")).body == b"one"
    assert (site.asked[1].header("x-a"), site.asked[1].header("x-b")) == ("1", "3")


@pytest.mark.parametrize(("asked", "status"), [
    ({"if_none_match": '"a"'}, 304), ({"if_none_match": '"b"'}, 200), ({"if_none_match": '"b", "a"'}, 304),
    ({"if_modified_since": imf(NOW)}, 304), ({"if_modified_since": imf(NOW - 5000)}, 200),
])  # fmt: skip
async def test_the_condition_of_the_client_is_about_what_was_confirmed(asked, status):
    site = Site()
    fields = {"etag": '"a"', "last_modified": MODIFIED, "cache_control": "max-age=60"}
    await site.after(said(**fields), said(304, b"", **fields))
    site.wait(60)
    answer = await site(**asked)
    assert (answer.status, answer.body, site.count) == (status, b"one" if status == 200 else b"", 2)
    assert '"a"' in site.asked[1].header("if-none-match")


async def test_the_condition_of_a_client_is_about_what_is_new_too():
    site = Site()
    await site.after(
        said(cache_control="max-age=60", etag='"a"'), said(body="two", cache_control="max-age=60", etag='"b"')
    )
    site.wait(60)
    answer = await site(if_none_match='"a"')
    assert (answer.status, answer.body) == (200, b"two")
    assert (await site()).body == b"two"
    assert site.count == 2


async def test_a_304_to_the_client_passes_where_nothing_is_stored():
    site = Site()
    answer = await site.after(said(304, b"", etag='"a"', cache_control=FRESH), if_none_match='"a"')
    assert (answer.status, site.count) == (304, 1)
    assert site.asked[0].header("if-none-match") == '"a"'
    site.answers = [said(body="two")]
    assert (await site()).body == b"two"


# 4.3.3 and .4: what comes back


async def test_a_304_renews_what_is_stored_and_its_fields():
    site = Site()
    old = {"x_old": "1", "x_both": "1", "content_type": "text/x", "content_encoding": "x", "age": "5"}
    await site.after(said(cache_control="max-age=60", etag='"a"', date=site.date(), **old))
    site.wait(100)
    new = {
        "x_new": "2",
        "x_both": ["2", "3"],
        "content_length": "0",
        "content_encoding": "y",
        "connection": "x-c",
        "x_c": "1",
    }
    date = site.date()
    site.answers = [
        said(304, b"", cache_control="max-age=90", etag='"a"', date=date, content_range="bytes 0-1/9", **new)
    ]
    first = await site()
    site.wait(50)
    for answer, age in ((first, {"0", None}), (await site(), {"50"})):
        values = [value for name, value in answer.messages[0]["headers"] if name == b"x-both"]
        assert (answer.status, answer.body, values) == (200, b"one", [b"2", b"3"])
        assert (answer.header("x-old"), answer.header("x-new"), answer.header("x-c")) == ("1", "2", None)
        assert (answer.header("content-length"), answer.header("content-encoding")) == ("3", "x")
        assert (answer.header("content-range"), answer.header("content-type")) == (None, "text/x")
        assert (answer.header("cache-control"), answer.header("date")) == ("max-age=90", date)
        assert answer.header("age") in age
    assert site.count == 2
    site.wait(41)
    site.answers = [said(body="three")]
    assert (await site()).body == b"three"


async def test_a_304_with_another_strong_tag_renews_nothing():
    site = Site()
    await site.after(
        said(cache_control="max-age=60", etag='"a"'), said(304, b"", cache_control="max-age=60", etag='"b"')
    )
    site.wait(60)
    site.answers.append(said(body="two", etag='"b"', cache_control="max-age=60"))
    assert (await site()).body == b"two"
    assert site.asked[2].header("if-none-match") is None


@pytest.mark.parametrize("tag", ['"a"', 'W/"a"', None])
async def test_a_304_with_the_same_tag_or_none_renews(tag):
    site = Site()
    again = said(304, b"", cache_control="max-age=60", **({"etag": tag} if tag else {}))
    await site.after(said(cache_control="max-age=60", etag=tag or '"a"'), again)
    site.wait(60)
    await site()
    assert ((await site()).body, site.count) == (b"one", 2)


async def test_a_full_response_takes_the_place_of_what_was_asked_about():
    site = Site()
    await site.after(
        said(cache_control="max-age=60", etag='"a"'), said(body="two", cache_control="max-age=60", etag='"b"')
    )
    site.wait(60)
    assert [(await site()).body for _ in range(2)] == [b"two", b"two"]
    assert site.count == 2


async def test_a_full_response_that_is_not_stored_is_used_once():
    site = Site()
    await site.after(said(cache_control="max-age=60", etag='"a"'), said(body="two", cache_control="no-store"))
    site.wait(60)
    assert (await site()).body == b"two"
    site.answers = [said(304, b"", cache_control="max-age=60", etag='"a"')]
    assert (await site()).body == b"one"


@pytest.mark.parametrize("status", [404, 410, 403])
async def test_an_error_of_the_request_in_place_of_a_304_is_passed_on(status):
    site = Site()
    await site.after(said(cache_control="max-age=60", etag='"a"'), said(status, "gone"))
    site.wait(60)
    answer = await site()
    assert (answer.status, answer.body) == (status, b"gone")


async def test_no_cache_is_validated_each_time():
    site = Site()
    await site.after(said(cache_control="no-cache, max-age=600", etag='"a"'), *[said(304, b"", etag='"a"')] * 3)
    assert [(await site()).body for _ in range(3)] == [b"one"] * 3
    assert site.count == 4


# 4.3.5: HEAD


async def test_a_head_is_answered_by_a_get():
    site = await stored(etag='"a"', x_own="a")
    answer = await site("HEAD")
    assert (answer.status, answer.body, answer.header("content-length"), site.count) == (200, b"", "3", 1)
    assert answer.header("x-own") == "a"


async def test_a_head_renews_a_get_that_agrees_with_it():
    site = Site()
    await site.after(said(cache_control="max-age=60", etag='"a"', x_own="a"))
    site.wait(60)
    site.answers = [said(cache_control="max-age=60", etag='"a"', x_own="b")]
    await site("HEAD")
    assert site.asked[1].method == "HEAD"
    answer = await site()
    assert (answer.body, answer.header("x-own"), site.count) == (b"one", "b", 2)


@pytest.mark.parametrize("fields", [{"etag": '"b"'}, {"etag": '"a"', "body": "other"}, {"last_modified": imf(NOW)}])
async def test_a_head_that_tells_of_another_makes_a_get_stale(fields):
    site = Site()
    await site.after(said(cache_control="max-age=600", etag='"a"', last_modified=MODIFIED))
    site.answers = [said(**{"cache_control": "max-age=600", "last_modified": MODIFIED} | fields)]
    await site("HEAD", cache_control="no-cache")
    site.answers = [said(body="two", cache_control="max-age=600")]
    assert ((await site()).body, site.count) == (b"two", 3)
