"""What answers make of what is stored: the rules of a shared cache, each as rows of a table."""

import pytest
from msgspec.structs import replace

from asynccache.http.profile import Rules
from asynccache.http.rules import (
    Forward,
    Request,
    Serve,
    answer,
    combined,
    freshen,
    freshen_by_head,
    invalidates,
    keep_for,
    matches,
    stands_in,
)
from asynccache.http.stored import Span
from tests.http.by_hand import NOW, RULES, URL, date, fields, named, older, request, rows, stored

OLD = 'etag: "a" | cache-control: max-age=60 | x-a: 1 | x-a: 2 | x-b: 3 | content-length: 10 | content-type: a/b'
STRONG, WEAK, DATED = 'etag: "a"', 'etag: W/"a"', "last-modified: <-900>"
LIFE = "cache-control: max-age=60"


def freshened(response, answered, asked="", profile="rfc9111", **how):
    return freshen(older(stored(response, **how), 100), request(asked), fields(answered), NOW, NOW, RULES[profile])


@pytest.mark.parametrize(
    ("expected", "response", "answered"),
    rows(
        ("rule 33 the same strong tag", True, STRONG, 'etag: "a"'),
        ("rule 33 another strong tag", False, STRONG, 'etag: "b"'),
        ("rule 33 a strong tag for a weak one", False, WEAK, 'etag: "a"'),
        ("rule 33 a strong tag for none", False, DATED, 'etag: "a"'),
        ("rule 33 the same weak tag", True, WEAK, 'etag: W/"a"'),
        ("rule 33 a weak tag for a strong one", True, STRONG, 'etag: W/"a"'),
        ("rule 33 another weak tag", False, WEAK, 'etag: W/"b"'),
        ("rule 33 two tags", False, STRONG, 'etag: "a" | etag: "b"'),
        ("rule 33 the same date", True, DATED, DATED),
        ("rule 33 another date", False, DATED, "last-modified: <-800>"),
        ("rule 33 the same tag and another date", True, f"{STRONG} | {DATED}", f"{STRONG} | last-modified: <-800>"),
        ("rule 33 no validator", True, STRONG, "x-c: 1"),
    ),
)
def test_which_304_is_about_what_is_stored(expected, response, answered):
    assert (freshened(f"{response} | {LIFE}", answered) is not None) == expected


def test_rule_33_fields_are_replaced_line_by_line_and_those_of_the_body_stay():
    answered = 'etag: "a" | X-A: 9 | x-c: 4 | content-length: 3 | content-encoding: br | content-range: bytes 0-1/2'
    answered += (
        " | content-type: c/d | connection: x-d, x-b | x-d: 1 | keep-alive: 5 | age: 7 | transfer-encoding: chunked"
    )
    fresh = freshened(OLD, answered)
    assert sorted(fresh.headers) == sorted(
        fields(f'etag: "a" | {LIFE} | x-a: 9 | x-b: 3 | x-c: 4 | content-length: 10 | content-type: c/d | date: <+0>')
    )
    assert (fresh.status, fresh.body) == (200, b"0123456789")


@pytest.mark.parametrize(
    ("lifetime", "age", "answered"),
    rows(
        ("rule 33 as before", 60, 0, ""),
        ("rule 33 a new lifetime", 90, 0, "cache-control: max-age=90"),
        ("rule 33 its own age", 60, 7, "age: 7"),
        ("rule 33 its own date", 60, 30, "date: <-30>"),
        ("rule 33 Expires does not matter", 60, 0, "expires: <+5>"),
    ),
)
def test_the_age_begins_anew(lifetime, age, answered):
    fresh = freshened(f"{STRONG} | {LIFE} | date: <-100>", f"{STRONG} | {answered}")
    assert fresh.lifetime == lifetime
    assert fresh.age(NOW) == pytest.approx(age)
    assert fresh.received_at == NOW


def test_rule_33_an_old_expires_stays_over():
    fresh = freshened(f"{STRONG} | expires: <-50>", STRONG)
    assert fresh.lifetime == 0
    assert not fresh.is_fresh(NOW)


def test_rule_33_tags_and_the_place_in_the_index_stay():
    old = replace(older(stored(f"{OLD} | vary: x-z", "x-z: 1"), 100), index_id=b"i", tags=("t",))
    fresh = freshen(old, request("x-z: 1"), fields(STRONG), NOW, NOW, RULES["safe"])
    assert (fresh.names, fresh.values, fresh.index_id, fresh.tags) == (old.names, old.values, b"i", ("t",))
    moved = freshen(old, request("x-z: 1 | x-y: 2"), fields(f"{STRONG} | vary: x-y"), NOW, NOW, RULES["safe"])
    assert (moved.names, moved.values, moved.index_id, moved.tags) == ((b"x-y",), (b"2",), b"", ("t",))


@pytest.mark.parametrize(
    ("answered", "asked", "profile"),
    rows(
        ("rule 02 no-store", "cache-control: max-age=60, no-store", "", "rfc9111"),
        ("rule 03 private", "cache-control: max-age=60, private", "", "rfc9111"),
        ("rule 07 no longer public", "cache-control: max-age=60", "authorization: a", "rfc9111"),
        ("rule 09 a cookie, safe", "set-cookie: a=b", "", "safe"),
        ("rule 09 a cookie in spite of public, safe", "set-cookie: a=b | cache-control: public", "", "safe"),
        ("rule 10 no-store in the request", "", "cache-control: no-store", "rfc9111"),
        ("rule 16 Vary of all", "vary: *", "", "rfc9111"),
    ),
)
def test_a_304_that_forbids_storing_is_good_for_one_answer(answered, asked, profile):
    old = f"{STRONG} | cache-control: max-age=60, public"
    fresh = freshened(old, f"{STRONG} | {answered}", asked, profile)
    assert keep_for(fresh, Rules()) == 0
    assert not matches(request(asked), fresh)
    assert set(fields(answered)) <= set(fresh.headers)
    assert keep_for(freshened(old, STRONG, "", profile), Rules()) > 0


@pytest.mark.parametrize(
    ("expected", "response", "answered"),
    rows(
        ("rule 27 all agree", "new", f"{STRONG} | {DATED}", f"{STRONG} | {DATED} | content-length: 10"),
        ("rule 27 the tag agrees", "new", STRONG, STRONG),
        ("rule 27 the length agrees", "new", "x-b: 1", "content-length: 10"),
        ("rule 27 another tag", "stale", STRONG, 'etag: "b" | content-length: 10'),
        ("rule 27 a tag where there was none", "stale", "x-b: 1", 'etag: "b" | content-length: 10'),
        ("rule 27 another date", "stale", f"{STRONG} | {DATED}", f"{STRONG} | last-modified: <-800>"),
        ("rule 27 another length", "stale", STRONG, f"{STRONG} | content-length: 11"),
        ("rule 27 a length that is none", "stale", STRONG, f"{STRONG} | content-length: x"),
        ("rule 27 nothing to compare", None, STRONG, "x-a: 9"),
        ("rule 27 not to be stored", None, STRONG, f"{STRONG} | cache-control: no-store"),
    ),
)
def test_what_a_head_tells(expected, response, answered):
    old = older(stored(f"{response} | cache-control: max-age=60, stale-while-revalidate=999, stale-if-error=999"), 100)
    told = freshen_by_head(old, request(method="HEAD"), fields(f"{answered} | x-a: 9"), NOW, NOW, RULES["rfc9111"])
    if expected == "new":
        assert named(told, b"x-a") == [b"9"]
        assert answer(request(), told, NOW, RULES["rfc9111"]) == Serve()
    elif expected == "stale":
        assert not isinstance(answer(request(), told, NOW, RULES["rfc9111"]), Serve)
        assert not stands_in(request(), told, NOW, RULES["rfc9111"])
        assert (told.headers, told.body) == (old.headers, old.body)
    else:
        assert told is None


def test_rule_27_a_head_tells_nothing_of_a_part():
    part = stored(f"{STRONG} | {LIFE} | content-range: bytes 2-5/10", "range: bytes=2-5", status=206, body=b"2345")
    assert freshen_by_head(part, request(method="HEAD"), fields('etag: "b"'), NOW, NOW, RULES["safe"]) is None


BODY = b"0123456789"


def part(first, last, size="10", tag='"a"', more="", asked=""):
    body = BODY[first : last + 1]
    response = f"etag: {tag} | {LIFE} | content-length: {len(body)} | content-range: bytes {first}-{last}/{size}{more}"
    return stored(response, f"range: bytes={first}-{last} | {asked}", status=206, body=body)


@pytest.mark.parametrize(
    ("expected", "old", "new"),
    rows(
        ("rule 43 the next", Span(2, 7, 10), part(2, 5), part(6, 7)),
        ("rule 43 the one before", Span(1, 5, 10), part(3, 5), part(1, 2)),
        ("rule 43 overlapping", Span(2, 7, 10), part(2, 5), part(4, 7)),
        ("rule 43 within", Span(2, 7, 10), part(2, 7), part(3, 4)),
        ("rule 43 around", Span(2, 7, 10), part(3, 4), part(2, 7)),
        ("rule 43 all of it", None, part(0, 5), part(4, 9)),
        ("rule 43 a part of the whole", None, stored(f"{STRONG} | {LIFE} | content-length: 10"), part(4, 5)),
        ("rule 43 the size is known to one", Span(2, 7, 10), part(2, 5, "*"), part(6, 7)),
        ("rule 43 the size is not known", Span(0, 9, None), part(0, 5, "*"), part(6, 9, "*")),
        ("rule 43 a gap", "apart", part(2, 4), part(6, 7)),
        ("rule 43 another tag", "apart", part(2, 5), part(6, 7, tag='"b"')),
        ("rule 43 a weak tag", "apart", part(2, 5, tag='W/"a"'), part(6, 7, tag='W/"a"')),
        ("rule 43 another size", "apart", part(2, 5), part(6, 7, "11")),
        ("rule 43 another variant", "apart", part(2, 5, more=" | vary: x"), part(6, 7)),
        ("rule 43 another field", "apart", part(2, 5, more=" | vary: x"), part(6, 7, more=" | vary: y")),
        ("rule 43 another value", "apart", part(2, 5, more=" | vary: x"), part(6, 7, more=" | vary: x", asked="x: 1")),
    ),
)
def test_parts_are_joined(expected, old, new):
    joined = combined(old, new)
    if expected == "apart":
        assert joined is None
        return
    assert joined.span == expected
    first, last = (0, 9) if expected is None else (expected.first, expected.last)
    assert joined.body == BODY[first : last + 1]
    assert named(joined, b"content-length") == [b"%d" % len(joined.body)]
    assert joined.status == (200 if expected is None else 206)
    assert len(named(joined, b"content-range")) == (0 if expected is None else 1)


WRITE = "PUT"


@pytest.mark.parametrize(
    ("urls", "method", "status", "answered"),
    rows(
        *((f"rule 39 {method}", [""], method, 200, "") for method in ("POST", "PUT", "DELETE", "PATCH", "MADE-UP")),
        *(
            (f"rule 39 {method} is safe", [], method, 200, "location: /b")
            for method in ("GET", "HEAD", "OPTIONS", "TRACE")
        ),
        *((f"rule 39 {status}", [""], WRITE, status, "") for status in (200, 204, 299, 303, 399)),
        *((f"rule 39 {status} is an error", [], WRITE, status, "location: /b") for status in (103, 400, 404, 500, 599)),
        ("rule 40 Location", ["", "/b"], WRITE, 201, "location: /b"),
        ("rule 40 Content-Location, relative", ["", "/a/b?y=%2F"], WRITE, 200, "content-location: b?y=%2F"),
        ("rule 40 both", ["", "/b", "/c"], WRITE, 201, "content-location: /c | location: https://shop.example/b"),
        ("rule 40 the target itself", [""], WRITE, 200, "location: ?x=1 | content-location: /a/list?x=1#top"),
        ("rule 40 the origin in other words", ["", "/b"], WRITE, 201, "location: HTTPS://SHOP.EXAMPLE:443/b"),
        ("rule 40 another host", [""], WRITE, 201, "location: https://other.example/b"),
        ("rule 40 another scheme", [""], WRITE, 201, "location: http://shop.example/b"),
        ("rule 40 another port", [""], WRITE, 201, "location: https://shop.example:8443/b"),
        ("rule 40 a user before another host", [""], WRITE, 201, "location: https://shop.example@other.example/b"),
        ("rule 40 another host without a scheme", [""], WRITE, 201, "location: //other.example/b"),
        ("rule 40 no host", ["", "/"], WRITE, 201, "location: /"),
        ("rule 40 bytes that no URL has", ["", "/%C3%A9%20b"], WRITE, 201, "location: /\xc3\xa9 b"),
        ("rule 40 no URL", [""], WRITE, 201, "location: //[::1/b"),
        ("rule 40 no port", [""], WRITE, 201, "location: https://shop.example:x/b"),
    ),
)
def test_what_a_write_makes_invalid(urls, method, status, answered):
    found = invalidates(Request(method, [], URL), status, fields(answered))
    assert list(found.urls) == [f"https://shop.example{path}" if path else URL for path in urls]


@pytest.mark.parametrize(
    ("groups", "method", "status"),
    rows(
        ("rule 41 a write", ("a", "b"), "POST", 200),
        ("rule 41 a write that failed", (), "POST", 500),
        ("rule 41 a read", (), "GET", 200),
    ),
)
def test_groups_are_invalidated_by_writes(groups, method, status):
    answered = fields('cache-group-invalidation: "a" | cache-group-invalidation: "b"')
    assert invalidates(Request(method, [], URL), status, answered).groups == groups


def test_rule_39_a_target_that_is_not_known_invalidates_nothing():
    assert invalidates(Request("PUT", [], ""), 200, fields("location: /b")).urls == ()


def test_rule_41_a_list_of_groups_that_is_none_means_nothing():
    assert invalidates(Request("POST", [], URL), 200, fields('cache-group-invalidation: "a", b')).groups == ()


def test_rule_38_what_a_head_found_changed_is_never_served_again():
    old = stored("x-b: 1 | cache-control: max-age=600, stale-while-revalidate=999")
    told = freshen_by_head(old, request(method="HEAD"), fields("content-length: 11"), NOW, NOW, RULES["safe"])
    assert answer(request(), told, NOW, RULES["safe"]) == Forward("stale")


def test_rule_33_date_is_that_of_the_304():
    assert named(freshened(f"{STRONG} | {LIFE} | date: <-100>", f"{STRONG} | date: <-3>"), b"date") == [
        date(-3).encode()
    ]
