"""What is kept of a response, and under which key: the rules of a shared cache, each as rows of a table."""

import pytest

from asynccache.core.url_keys import url_key
from asynccache.http.rules import completed
from asynccache.http.stored import NEVER_STALE, VALIDATE, Span
from tests.http.by_hand import fields, is_stored, judged, named, rows, stored

FRESH = "cache-control: max-age=60"


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
