"""What is sent of what is stored, and what in place of a failure: the rules of a shared cache, as rows of a table."""

import pytest

from asynccache.http.replies import reply
from asynccache.http.rules import stands_in
from tests.http.by_hand import NOW, PART, RULES, TAGGED, date, older, request, rows, stored


@pytest.mark.parametrize(
    ("expected", "response", "status", "age", "asked", "profile"),
    rows(
        ("rule 37 no answer", True, "", None, 9999, "", "safe"),
        ("rule 37 no answer, within stale-if-error", True, ", stale-if-error=30", None, 89, "", "safe"),
        ("rule 37 no answer, after stale-if-error", False, ", stale-if-error=30", None, 91, "", "safe"),
        *(
            (f"rule 37 {status} within stale-if-error", True, ", stale-if-error=30", status, 89, "", "safe")
            for status in (500, 502, 503, 504)
        ),
        ("rule 37 503 without stale-if-error", False, "", 503, 61, "", "safe"),
        ("rule 37 503 after stale-if-error", False, ", stale-if-error=30", 503, 91, "", "safe"),
        ("rule 37 404 is an answer", False, ", stale-if-error=30", 404, 61, "", "safe"),
        ("rule 37 501 is an answer", False, ", stale-if-error=30", 501, 61, "", "safe"),
        ("rule 37 stale-if-error that is none", False, ", stale-if-error=x", 503, 61, "", "safe"),
        ("rule 37 the request allows it", True, "", 503, 89, "cache-control: stale-if-error=30", "rfc9111"),
        ("rule 37 the request allows less", False, "", 503, 91, "cache-control: stale-if-error=30", "rfc9111"),
        (
            "rule 37 the smaller one of two",
            False,
            ", stale-if-error=10",
            503,
            89,
            "cache-control: stale-if-error=30",
            "rfc9111",
        ),
        (
            "rule 37 safe: what the request allows does not count",
            False,
            "",
            503,
            89,
            "cache-control: stale-if-error=30",
            "safe",
        ),
        ("rule 37 the request wants an answer", False, "", None, 61, "cache-control: no-cache", "rfc9111"),
        ("rule 37 the request wants nothing stale", False, "", None, 61, "cache-control: max-age=999", "rfc9111"),
        ("rule 37 safe: a reload gets what there is", True, "", None, 61, "cache-control: no-cache", "safe"),
        *(
            (
                f"rule 38 {control}",
                False,
                f", stale-if-error=99, {control}",
                None,
                61,
                "cache-control: stale-if-error=99",
                "rfc9111",
            )
            for control in ("must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache")
        ),
    ),
)
def test_what_stands_in_for_a_failure(expected, response, status, age, asked, profile):
    kept = older(stored(TAGGED + response), age)
    assert stands_in(request(asked), kept, NOW, RULES[profile], status) == expected


def test_rule_43_a_part_stands_in_for_its_own_ranges_only():
    assert stands_in(request("range: bytes=2-3"), PART, NOW, RULES["safe"])
    assert not stands_in(request(), PART, NOW, RULES["safe"])


REPLIED = (
    'etag: "a" | last-modified: <-900> | cache-control: max-age=60, no-cache="x-b" | expires: <+60> | x-b: 1 | age: 3 |'
    "content-length: 10 | vary: x | content-location: /b"
)


LABEL = b"test; hit"


@pytest.mark.parametrize(
    ("status", "asked", "method"),
    rows(
        ("rule 25 plain", 200, "", "GET"),
        ("rule 27 HEAD", 200, "", "HEAD"),
        ("rule 29 the tag", 304, 'if-none-match: "a"', "GET"),
        ("rule 29 compared weakly", 304, 'if-none-match: W/"a"', "GET"),
        ("rule 29 a list", 304, 'if-none-match: "b", "a"', "GET"),
        ("rule 29 any", 304, "if-none-match: *", "GET"),
        ("rule 29 another tag", 200, 'if-none-match: "b"', "GET"),
        ("rule 29 the tag outranks the date", 200, 'if-none-match: "b" | if-modified-since: <+0>', "GET"),
        ("rule 31 the date", 304, "if-modified-since: <-900>", "GET"),
        ("rule 31 before", 200, "if-modified-since: <-901>", "GET"),
        ("rule 31 no date", 200, "if-modified-since: x", "GET"),
        ("rule 42 a range", 206, "range: bytes=2-3", "GET"),
        ("rule 42 to the end", 206, "range: bytes=2-", "GET"),
        ("rule 42 the end", 206, "range: bytes=-2", "GET"),
        ("rule 42 beyond", 416, "range: bytes=10-", "GET"),
        ("rule 42 several", 200, "range: bytes=1-2,4-5", "GET"),
        ("rule 42 If-Range", 206, 'range: bytes=2-3 | if-range: "a"', "GET"),
        ("rule 42 If-Range, weak", 200, 'range: bytes=2-3 | if-range: W/"a"', "GET"),
    ),
)
def test_what_is_sent(status, asked, method):
    kept = older(stored(REPLIED), 7)
    sent = reply(request(asked, method), kept, NOW, LABEL)
    assert sent.status == status
    names = {name for name, _ in sent.headers}
    assert dict(sent.headers)[b"age"] == b"10"
    assert b"x-b" not in names  # rule 03
    assert dict(sent.headers)[b"cache-status"] == LABEL
    if status == 304:  # rule 30
        assert names >= {b"etag", b"date", b"cache-control", b"content-location", b"expires", b"vary"}
        assert b"content-length" not in names
    else:  # rule 51
        assert dict(sent.headers)[b"content-length"] == (b"%d" % len(sent.body) if method == "GET" else b"10")
    if status == 200:  # rule 25
        assert dict(sent.headers)[b"date"] == date().encode()
        assert dict(sent.headers)[b"expires"] == date(60).encode()
