"""What is stored: the rules of a shared cache, each as rows of a table."""

import pytest

from asynccache.http.profile import RFC9111, SAFE, Rules
from tests.http.by_hand import is_stored, judged, rows

FRESH = "cache-control: max-age=60"
YES, NO = True, False


@pytest.mark.parametrize(
    ("expected", "response", "how"),
    rows(
        ("rule 01 an interim response", NO, FRESH, {"status": 103}),
        ("rule 01 a switch of protocols", NO, FRESH, {"status": 101}),
        ("rule 01 no final status", NO, FRESH, {"status": 600}),
        ("rule 02 no-store", NO, "cache-control: max-age=60, no-store", {}),
        ("rule 02 no-store in capitals", NO, "cache-control: max-age=60, No-STORE", {}),
        ("rule 02 no-store in another line", NO, "cache-control: max-age=60 | cache-control: no-store", {}),
        ("rule 02 no-store with an argument", NO, "cache-control: max-age=60, no-store=1", {}),
        ("rule 02 no-store behind a stray quote", NO, 'cache-control: max-age=60, a"b, no-store', {}),
        ("rule 02 no-store in a string is none", YES, 'cache-control: max-age=60, a="b, no-store"', {}),
        ("rule 03 private", NO, "cache-control: max-age=60, private", {}),
        ("rule 03 private and public", NO, "cache-control: max-age=60, private, public", {}),
        ("rule 03 private of nothing", NO, 'cache-control: max-age=60, private=""', {}),
        (
            "rule 03 private, once with a field and once without",
            NO,
            'cache-control: private="a", max-age=60, private',
            {},
        ),
        ("rule 03 private of a field", YES, 'cache-control: max-age=60, private="x-a"', {}),
        ("rule 03 no-cache of a field", YES, 'cache-control: max-age=60, no-cache="x-a"', {}),
        ("rule 03 no-cache without a validator", NO, "cache-control: max-age=60, no-cache", {}),
        ("rule 04 must-understand outranks no-store", YES, "cache-control: max-age=60, must-understand, no-store", {}),
        ("rule 04 whatever the order", YES, "cache-control: no-store, must-understand, max-age=60", {}),
        ("rule 04 an unknown status", NO, "cache-control: max-age=60, must-understand", {"status": 299}),
        (
            "rule 04 an unknown status with no-store",
            NO,
            "cache-control: max-age=60, must-understand, no-store",
            {"status": 499},
        ),
        (
            "rule 04 must-understand with an argument permits nothing",
            NO,
            "cache-control: max-age=60, must-understand=1, no-store",
            {},
        ),
        (
            "rule 04 must-understand does not outrank private",
            NO,
            "cache-control: max-age=60, must-understand, private",
            {},
        ),
        *(
            (f"rule 05 explicit {status}", YES, FRESH, {"status": status})
            for status in (201, 299, 302, 303, 307, 308, 400, 404, 410, 499, 500, 502, 503, 504, 599)
        ),
        ("rule 05 explicit, safe", YES, FRESH, {"status": 599, "profile": "safe"}),
        ("rule 05 by Expires", YES, "expires: <+60>", {"status": 303}),
        ("rule 05 304", NO, FRESH, {"status": 304}),
        ("rule 05 206 without Content-Range", NO, FRESH, {"status": 206}),
        ("rule 05 429 must not be (RFC 6585)", NO, FRESH, {"status": 429}),
        ("rule 05 416 to a range", NO, FRESH, {"status": 416, "asked": "range: bytes=99-"}),
        ("rule 05 416 to no range", YES, FRESH, {"status": 416}),
        ("rule 05 412 to a precondition", NO, FRESH, {"status": 412, "asked": 'if-match: "a"'}),
        *(
            (f"rule 06 heuristic {status}", YES, "last-modified: <-1000>", {"status": status})
            for status in (200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501)
        ),
        *(
            (f"rule 06 not heuristic {status}", NO, "last-modified: <-1000>", {"status": status})
            for status in (201, 299, 302, 303, 307, 403, 500, 502, 503, 504)
        ),
        ("rule 06 public", YES, "last-modified: <-1000> | cache-control: public", {"status": 302}),
        ("rule 06 safe: 404 needs a lifetime", NO, 'etag: "a"', {"status": 404, "profile": "safe"}),
        (
            "rule 06 safe: public is no lifetime",
            NO,
            'etag: "a" | cache-control: public',
            {"status": 404, "profile": "safe"},
        ),
        ("rule 06 safe: 200 to be validated", YES, 'etag: "a"', {"profile": "safe"}),
        ("rule 07 Authorization", NO, FRESH, {"asked": "authorization: a"}),
        ("rule 07 Authorization and public", YES, FRESH + ", public", {"asked": "authorization: a"}),
        ("rule 07 Authorization and s-maxage", YES, "cache-control: s-maxage=60", {"asked": "authorization: a"}),
        ("rule 07 Authorization and must-revalidate", YES, FRESH + ", must-revalidate", {"asked": "authorization: a"}),
        ("rule 07 Authorization and proxy-revalidate", NO, FRESH + ", proxy-revalidate", {"asked": "authorization: a"}),
        (
            "rule 07 Authorization and s-maxage that is none",
            NO,
            'etag: "a" | cache-control: s-maxage=x',
            {"asked": "authorization: a"},
        ),
        ("rule 07 Authorization and public with an argument", NO, FRESH + ", public=1", {"asked": "authorization: a"}),
        ("rule 07 Authorization and Vary of it", NO, FRESH + " | vary: authorization", {"asked": "authorization: a"}),
        ("rule 09 Set-Cookie", YES, FRESH + " | set-cookie: a=b", {}),
        ("rule 09 Set-Cookie, safe", NO, FRESH + " | set-cookie: a=b", {"profile": "safe"}),
        ("rule 09 Set-Cookie and public, safe", YES, FRESH + ", public | set-cookie: a=b", {"profile": "safe"}),
        ("rule 09 Cookie", YES, FRESH, {"asked": "cookie: a=b"}),
        ("rule 09 Cookie, safe", NO, FRESH, {"asked": "cookie: a=b", "profile": "safe"}),
        (
            "rule 09 Cookie and must-revalidate, safe",
            NO,
            FRESH + ", must-revalidate",
            {"asked": "cookie: a=b", "profile": "safe"},
        ),
        (
            "rule 09 Cookie and s-maxage, safe",
            YES,
            "cache-control: s-maxage=60",
            {"asked": "cookie: a=b", "profile": "safe"},
        ),
        (
            "rule 09 Cookie and Vary of it, safe",
            YES,
            FRESH + " | vary: Cookie",
            {"asked": "cookie: a=b", "profile": "safe"},
        ),
        ("rule 10 no-store in the request", NO, FRESH, {"asked": "cache-control: no-store"}),
        (
            "rule 10 no-store in the request, safe",
            NO,
            FRESH + ", public",
            {"asked": "cache-control: NO-store=x", "profile": "safe"},
        ),
        *(
            (f"rule 10 {method}", NO, FRESH + " | content-location: /a/list?x=1", {"method": method})
            for method in ("HEAD", "PUT", "DELETE", "OPTIONS", "QUERY", "get")
        ),
        ("rule 10 a GET with content", NO, FRESH, {"asked": "content-length: 3"}),
        ("rule 10 a GET without content", YES, FRESH, {"asked": "content-length: 0"}),
        ("rule 11 POST", NO, FRESH, {"method": "POST"}),
        (
            "rule 11 POST with no-store",
            NO,
            FRESH + " | content-location: list?x=1",
            {"method": "POST", "asked": "cache-control: no-store"},
        ),
        (
            "rule 11 POST of its own resource",
            YES,
            FRESH + " | content-location: https://SHOP.example:443/a/list?x=1",
            {"method": "POST"},
        ),
        (
            "rule 11 POST of its own resource, relative",
            YES,
            FRESH + " | content-location: list?x=1",
            {"method": "POST"},
        ),
        ("rule 11 POST of another query", NO, FRESH + " | content-location: list?x=2", {"method": "POST"}),
        ("rule 11 POST without a lifetime", NO, 'etag: "a" | content-location: list?x=1', {"method": "POST"}),
        ("rule 11 POST that created", NO, FRESH + " | content-location: list?x=1", {"method": "POST", "status": 201}),
        ("rule 12 longer than max_body", NO, FRESH + " | content-length: 99999999999", {}),
        ("rule 12 a length of 5000 digits", NO, FRESH + f" | content-length: {'9' * 5000}", {}),
        ("rule 12 a length of 5000 zeros", NO, FRESH + f" | content-length: {'0' * 5000}1", {}),
        ("rule 12 two lengths", NO, FRESH + " | content-length: 1 | content-length: 1", {}),
        ("rule 12 an event stream", NO, FRESH + " | content-type: Text/Event-Stream; charset=utf-8", {}),
        *(
            (f"rule 16 Vary {vary!r}", NO, f"{FRESH} | vary: {vary}", {})
            for vary in ("*", "*, *", ", *", "Foo, *", "*,Foo", "Foo | vary: *", "foo bar", "foo;q=1")
        ),
        ("rule 16 Vary of 33 names", NO, f"{FRESH} | vary: {','.join(f'x-{n}' for n in range(33))}", {}),
        ("rule 16 Vary of empty members", YES, FRESH + " | vary: , Foo, ,", {}),
        ("rule 24 a tag that is none", NO, "etag: abc", {}),
        ("rule 24 nothing to go on", NO, "content-type: text/plain", {}),
        ("rule 24 modified just now, without a lifetime", YES, "last-modified: <+0>", {}),
        ("rule 24 over on arrival, no validator", NO, "cache-control: max-age=5 | age: 5", {}),
        ("rule 24 over on arrival, with a validator", YES, 'cache-control: max-age=5 | age: 5 | etag: "a"', {}),
        (
            "rule 24 over on arrival, never to be stale",
            NO,
            "cache-control: max-age=5, stale-while-revalidate=9, must-revalidate | age: 5",
            {},
        ),
        (
            "rule 24 over on arrival, to be stale",
            YES,
            "cache-control: max-age=5, stale-while-revalidate=9 | age: 5",
            {},
        ),
        (
            "rule 43 206 of one range",
            YES,
            FRESH + " | content-range: bytes 2-5/10",
            {"status": 206, "asked": "range: bytes=2-5"},
        ),
        (
            "rule 43 206 of several",
            NO,
            FRESH + " | content-type: multipart/byteranges",
            {"status": 206, "asked": "range: bytes=2-5,7-8"},
        ),
        (
            "rule 43 206 of other units",
            NO,
            FRESH + " | content-range: items 2-5/10",
            {"status": 206, "asked": "range: items=2-5"},
        ),
        (
            "rule 43 206 to If-Range",
            NO,
            FRESH + " | content-range: bytes 2-5/10",
            {"status": 206, "asked": 'range: bytes=2-5 | if-range: "a"'},
        ),
        (
            "rule 43 206 without a lifetime",
            NO,
            'etag: "a" | content-range: bytes 2-5/10',
            {"status": 206, "asked": "range: bytes=2-5"},
        ),
        ("rule 45 a targeted no-store", NO, FRESH + " | cdn-cache-control: no-store", {}),
        (
            "rule 45 Cache-Control does not matter then",
            YES,
            "cache-control: no-store, private | cdn-cache-control: max-age=60",
            {},
        ),
        ("rule 45 nor does Expires", NO, "expires: <+60> | cdn-cache-control: public", {}),
        ("rule 45 an invalid one is absent", NO, "cache-control: no-store | cdn-cache-control: max-age=60, &&", {}),
        ("rule 45 an empty one is absent", YES, FRESH + " | cdn-cache-control:", {}),
        ("rule 52 an Age that is none", YES, FRESH + " | age: banana", {}),
        ("rule 52 a lifetime that is none, with a validator", YES, 'cache-control: max-age=a3600 | etag: "a"', {}),
    ),
)
def test_what_is_stored(expected, response, how):
    assert is_stored(judged(response, **how)) == expected


@pytest.mark.parametrize("asked", ["authorization: a", "cookie: a=b"])
def test_rule_09_default_ttl_is_for_anonymous_requests_only(asked):
    for profile in (SAFE, RFC9111):
        assert not is_stored(judged('etag: "a"', asked, rules=Rules(profile, default_ttl=60)))
        assert is_stored(judged('etag: "a" | cache-control: public', asked, rules=Rules(profile, default_ttl=60)))
