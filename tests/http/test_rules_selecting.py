"""Which stored response is for a request: the rules of a shared cache, each as rows of a table."""

import pytest
from msgspec.structs import replace

from asynccache.http.profile import RFC9111, SAFE, Rules
from asynccache.http.rules import matches, select
from tests.http.by_hand import NOW, PART, TAGGED, older, request, rows, stored

VARYING = "cache-control: max-age=60 | vary: "


@pytest.mark.parametrize(
    ("expected", "vary", "first", "second"),
    rows(
        ("rule 15 the same", True, "x-a", "x-a: 1", "x-a: 1"),
        ("rule 15 another", False, "x-a", "x-a: 1", "x-a: 2"),
        ("rule 15 absent", False, "x-a", "x-a: 1", ""),
        ("rule 15 absent at first", False, "x-a", "", "x-a: 1"),
        ("rule 15 absent and empty", False, "x-a", "", "x-a:"),
        ("rule 15 absent in both", True, "x-a", "", ""),
        (
            "rule 15 several, one differs",
            False,
            "x-a, X-B | vary: x-c",
            "x-a: 1 | x-b: 2 | x-c: 3",
            "x-a: 1 | x-b: 2 | x-c: 4",
        ),
        ("rule 15 several", True, "x-a, X-B | vary: x-c", "x-a: 1 | x-b: 2 | x-c: 3", "x-c: 3 | x-b: 2 | x-a: 1"),
        ("rule 15 others do not matter", True, "x-a", "x-a: 1 | x-b: 1", "x-a: 1 | x-b: 2"),
        ("rule 17 lines are joined", True, "x-a", "x-a: 1, 2", "x-a: 1 | x-a: 2"),
        ("rule 17 white space around commas", True, "x-a", "x-a: 1,2", "x-a: 1 , \t2"),
        ("rule 17 not within strings", False, "x-a", 'x-a: "1,2"', 'x-a: "1, 2"'),
        ("rule 17 case", False, "x-a", "x-a: a", "x-a: A"),
        (
            "rule 17 case of languages",
            True,
            "Accept-Language",
            "accept-language: EN-gb, de",
            "accept-language: en-GB,de",
        ),
        ("rule 17 order of languages", False, "Accept-Language", "accept-language: en, de", "accept-language: de, en"),
        ("rule 17 order", False, "x-a", "x-a: 1, 2", "x-a: 2, 1"),
        ("rule 17 white space within", False, "x-a", "x-a: 1 2", "x-a: 1  2"),
    ),
)
def test_which_requests_a_variant_is_for(expected, vary, first, second):
    assert matches(request(second), stored(VARYING + vary, first)) == expected


@pytest.mark.parametrize(
    ("expected", "response", "first", "second", "profile"),
    rows(
        ("rule 07 stored for nobody in particular", False, "", "", "authorization: a", "rfc9111"),
        ("rule 07 public", True, ", public", "authorization: a", "authorization: b", "rfc9111"),
        ("rule 07 must-revalidate", True, ", must-revalidate", "", "authorization: b", "rfc9111"),
        ("rule 09 Cookie", True, "", "", "cookie: a", "rfc9111"),
        ("rule 09 Cookie, safe", False, "", "", "cookie: a", "safe"),
        ("rule 09 Cookie and public, safe", True, ", public", "", "cookie: a", "safe"),
        ("rule 09 Cookie and must-revalidate, safe", False, ", must-revalidate", "", "cookie: a", "safe"),
        ("rule 09 Cookie and its Vary, safe", True, " | vary: cookie", "cookie: a", "cookie: a", "safe"),
    ),
)
def test_who_shares_a_response(expected, response, first, second, profile):
    kept = stored(f"cache-control: max-age=60{response}", first, profile=profile)
    assert matches(request(second), kept) == expected


@pytest.mark.parametrize("asked", ["authorization: a", "cookie: a"])
@pytest.mark.parametrize("profile", [SAFE, RFC9111], ids=["safe", "rfc9111"])
def test_rule_09_what_lives_by_default_ttl_is_for_anonymous_requests(asked, profile):
    rules = Rules(profile, default_ttl=60)
    assert not matches(request(asked), stored("cache-control: must-revalidate", rules=rules))
    assert matches(request(asked), stored("cache-control: public", rules=rules))


def test_rule_18_the_newest_by_date_is_chosen():
    old, new = stored("cache-control: max-age=60 | date: <-5> | vary: x"), stored("cache-control: max-age=60 | vary: y")
    assert select(request(), [older(new, 0), older(old, 0)]) == new
    assert select(request(), [old, new]) == new
    late = replace(old, received_at=NOW + 5)
    assert select(request(), [late, new]) == new


def test_rule_18_one_without_vary_comes_after_those_that_have_it():
    plain, varying = stored("cache-control: max-age=60"), stored(VARYING + "x-a", "x-a: 1")
    assert select(request("x-a: 1"), [plain, older(varying, 5)]) == older(varying, 5)
    assert select(request("x-a: 2"), [plain, older(varying, 5)]) == plain
    assert select(request("x-a: 2"), []) is None
    earlier = stored("cache-control: max-age=60 | date: <-5>")
    assert select(request("x-a: 2"), [earlier, varying]) is None


def test_rule_43_a_part_that_lacks_what_is_asked_for_comes_last():
    whole = stored(TAGGED + " | date: <-9>")
    assert select(request(), [PART, whole]) == whole
    assert select(request("range: bytes=2-3"), [PART, whole]) == PART
