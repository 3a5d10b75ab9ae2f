"""What is stored, and for how long it is fresh: the rules of a shared cache, each as rows of a table."""

import pytest

from asynccache.core.url_keys import url_key
from asynccache.http.profile import RFC9111, SAFE, Rules
from asynccache.http.rules import completed
from asynccache.http.stored import NEVER_STALE, VALIDATE, Span
from tests.http.by_hand import fields, is_stored, judged, named, rows, stored

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


@pytest.mark.parametrize("asked", ["", "range: bytes=0-3"])
def test_rule_08_every_field_is_kept_in_order_but_those_of_the_connection(asked):
    response = stored(
        "x-b: 1 | x-a: 2 | x-b: 3 | connection: x-gone, Keep-Alive | X-Gone: 1 | keep-alive: 5 | te: a | trailer: b |"
        "proxy-connection: c | transfer-encoding: chunked | upgrade: d | proxy-authenticate: e | age: 9 |"
        f"proxy-authentication-info: f | proxy-authorization: g | {FRESH} | x-empty: | date: <+0>",
        asked,
    )
    assert list(response.headers) == fields(f"x-b: 1 | x-a: 2 | x-b: 3 | {FRESH} | x-empty: | date: <+0>")


def test_rule_03_fields_of_one_user_are_not_stored_and_those_to_be_validated_are_told():
    response = stored('x-a: 1 | x-b: 2 | x-c: 3 | cache-control: max-age=60, private="X-A", no-cache="x-b, Set-Cookie"')
    assert named(response, b"x-a") == []
    assert named(response, b"x-b") == [b"2"]
    assert response.unvalidated == (b"set-cookie", b"x-b")


def test_rule_09_safe_stores_a_public_response_without_its_cookies():
    response = stored(f"{FRESH}, public | set-cookie: a=b | set-cookie: c=d", "cookie: a=b", profile="safe")
    assert named(response, b"set-cookie") == []
    assert named(stored(f"{FRESH} | set-cookie: a=b"), b"set-cookie") == [b"a=b"]


@pytest.mark.parametrize(
    ("status", "response", "body"),
    rows(
        ("rule 12 shorter than said", 200, "content-length: 11", b"0123456789"),
        ("rule 12 longer than said", 200, "content-length: 9", b"0123456789"),
        ("rule 12 a part shorter than said", 206, "content-range: bytes 0-10/20", b"0123456789"),
    ),
)
def test_only_complete_bodies_are_stored(status, response, body):
    asked = "range: bytes=0-10" if status == 206 else ""
    judgement = judged(f"{FRESH} | {response}", asked, status=status)
    assert is_stored(judgement)
    assert completed(judgement, body) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    rows(
        ("rule 14 another query", (b"/a", b"x=1"), (b"/a", b"x=2"), False),
        ("rule 14 another order", (b"/a", b"x=1&y=2"), (b"/a", b"y=2&x=1"), False),
        ("rule 14 an escape", (b"/a%2Fb", b""), (b"/a/b", b""), False),
        ("rule 14 case", (b"/A", b""), (b"/a", b""), False),
        ("rule 14 the same", (b"/a", b"x=1"), (b"/a", b"x=1"), True),
    ),
)
def test_keys_are_byte_exact(one, other, same):
    assert (url_key("http", b"a", *one) == url_key("http", b"a", *other)) == same


def test_rule_53_the_key_has_scheme_and_host():
    keys = {
        url_key(*where, b"/", b"") for where in (("http", b"a"), ("https", b"a"), ("http", b"b"), ("http", b"a:81"))
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("terms", "control"),
    rows(
        ("rule 26 no-cache", VALIDATE | NEVER_STALE, "no-cache"),
        ("rule 26 no-cache of a field", 0, 'no-cache="x-a"'),
        ("rule 38 must-revalidate", NEVER_STALE, "must-revalidate"),
        ("rule 38 proxy-revalidate", NEVER_STALE, "proxy-revalidate"),
        ("rule 38 s-maxage", NEVER_STALE, "s-maxage=5"),
        ("rule 38 none of them", 0, "x=must-revalidate"),
    ),
)
def test_what_never_is_served_stale_is_told(terms, control):
    assert stored(f'etag: "a" | cache-control: max-age=60, {control}').terms & (VALIDATE | NEVER_STALE) == terms


def test_rule_41_groups_are_told():
    assert stored(f'{FRESH} | cache-groups: "a", "b";x, "a"').groups == ("a", "b")


def test_rule_43_which_part_it_is_is_told():
    response = f"{FRESH} | content-range: bytes 2-5/10"
    assert stored(response, "range: bytes=2-5", status=206, body=b"2345").span == Span(2, 5, 10)


@pytest.mark.parametrize("asked", ["authorization: a", "cookie: a=b"])
def test_rule_09_default_ttl_is_for_anonymous_requests_only(asked):
    for profile in (SAFE, RFC9111):
        assert not is_stored(judged('etag: "a"', asked, rules=Rules(profile, default_ttl=60)))
        assert is_stored(judged('etag: "a" | cache-control: public', asked, rules=Rules(profile, default_ttl=60)))
