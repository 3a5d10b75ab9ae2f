"""How a request is answered by what is stored: the rules of a shared cache, each as rows of a table."""

import pytest
from msgspec.structs import replace

from asynccache.http.profile import RFC9111, SAFE, Rules
from asynccache.http.replies import reply
from asynccache.http.rules import Forward, GatewayTimeout, Serve, Validate, answer, matches, select, stands_in
from tests.http.by_hand import NOW, RULES, date, fields, older, request, rows, stored

TAGGED = 'etag: "a" | cache-control: max-age=60'
SWR = "cache-control: max-age=60, stale-while-revalidate=30"
FRESH, RENEWED, STALE = Serve(), Serve(stale=True, renew=True), Serve(stale=True)
ASK_STALE = Validate("stale", ((b"if-none-match", b'"a"'),))
ASK_REQUEST = Validate("request", ((b"if-none-match", b'"a"'),))


PART = stored(f"{TAGGED} | content-range: bytes 2-5/10", "range: bytes=2-5", status=206, body=b"2345")


def decided(response, age, asked="", profile="rfc9111", method="GET"):
    kept = stored(response) if isinstance(response, str) else response
    return answer(request(asked, method), older(kept, age), NOW, RULES[profile])


@pytest.mark.parametrize(
    ("expected", "response", "age", "how"),
    rows(
        ("rule 22 fresh", FRESH, TAGGED, 59.9, {}),
        ("rule 22 as old as its lifetime", ASK_STALE, TAGGED, 60, {}),
        ("rule 22 over, no validator", Forward("stale"), "cache-control: max-age=60", 61, {}),
        ("rule 26 no-cache", ASK_STALE, TAGGED + ", no-cache", 1, {}),
        ("rule 26 no-cache of a field", FRESH, TAGGED + ', no-cache="x-a"', 1, {}),
        ("rule 26 must-revalidate, fresh", FRESH, TAGGED + ", must-revalidate", 1, {}),
        ("rule 26 must-revalidate, over", ASK_STALE, TAGGED + ", must-revalidate", 61, {}),
        ("rule 27 HEAD, fresh", FRESH, TAGGED, 1, {"method": "HEAD"}),
        ("rule 27 HEAD, over", Forward("stale"), TAGGED, 61, {"method": "HEAD"}),
        ("rule 27 POST", Forward("method"), TAGGED, 1, {"method": "POST"}),
        ("rule 27 a GET with content", Forward("bypass"), TAGGED, 1, {"asked": "transfer-encoding: chunked"}),
        ("rule 28 max-age", ASK_REQUEST, TAGGED, 11, {"asked": "cache-control: max-age=10"}),
        ("rule 28 max-age, young enough", FRESH, TAGGED, 9, {"asked": "cache-control: max-age=10"}),
        ("rule 28 max-age that is none", ASK_REQUEST, TAGGED, 9, {"asked": "cache-control: max-age=x"}),
        ("rule 28 min-fresh", ASK_REQUEST, TAGGED, 51, {"asked": "cache-control: min-fresh=10"}),
        ("rule 28 min-fresh, young enough", FRESH, TAGGED, 49, {"asked": "cache-control: min-fresh=10"}),
        ("rule 28 max-stale", STALE, TAGGED, 69, {"asked": "cache-control: max-stale=10"}),
        ("rule 28 max-stale, over that", ASK_STALE, TAGGED, 71, {"asked": "cache-control: max-stale=10"}),
        ("rule 28 max-stale without a limit", STALE, TAGGED, 9999, {"asked": "cache-control: max-stale"}),
        ("rule 28 max-stale that is none", ASK_STALE, TAGGED, 61, {"asked": "cache-control: max-stale=x"}),
        ("rule 28 min-fresh, just", FRESH, TAGGED, 50, {"asked": "cache-control: min-fresh=10"}),
        ("rule 28 max-stale, too old", ASK_STALE, TAGGED, 61, {"asked": "cache-control: max-stale, max-age=60"}),
        (
            "rule 28 Pragma with an empty Cache-Control",
            FRESH,
            TAGGED,
            1,
            {"asked": "pragma: no-cache | cache-control:"},
        ),
        ("rule 28 no-cache", ASK_REQUEST, TAGGED, 1, {"asked": "cache-control: No-Cache"}),
        ("rule 28 no-cache, no validator", Forward("request"), SWR, 1, {"asked": "cache-control: no-cache"}),
        ("rule 28 Pragma", ASK_REQUEST, TAGGED, 1, {"asked": "pragma: no-cache"}),
        ("rule 28 Pragma with Cache-Control", FRESH, TAGGED, 1, {"asked": "pragma: no-cache | cache-control: x"}),
        ("rule 28 another Pragma", FRESH, TAGGED, 1, {"asked": "pragma: x"}),
        ("rule 28 no-store", Forward("request"), TAGGED, 1, {"asked": "cache-control: no-store"}),
        ("rule 28 only-if-cached, fresh", FRESH, TAGGED, 1, {"asked": "cache-control: only-if-cached"}),
        ("rule 28 only-if-cached, over", GatewayTimeout(), TAGGED, 61, {"asked": "cache-control: only-if-cached"}),
        (
            "rule 28 only-if-cached and POST",
            Forward("method"),
            TAGGED,
            1,
            {"asked": "cache-control: only-if-cached", "method": "POST"},
        ),
        *(
            (f"rule 28 safe: {asked}", FRESH, TAGGED, 50, {"asked": asked, "profile": "safe"})
            for asked in (
                "cache-control: no-cache",
                "cache-control: max-age=0",
                "cache-control: min-fresh=50",
                "pragma: no-cache",
                "cache-control: no-store",
            )
        ),
        ("rule 28 safe: max-stale", ASK_STALE, TAGGED, 61, {"asked": "cache-control: max-stale", "profile": "safe"}),
        (
            "rule 28 safe: no-store validates nothing",
            Forward("stale"),
            TAGGED,
            61,
            {"asked": "cache-control: no-store", "profile": "safe"},
        ),
        (
            "rule 28 safe: no-store renews nothing",
            STALE,
            SWR,
            61,
            {"asked": "cache-control: no-store", "profile": "safe"},
        ),
        (
            "rule 28 safe: only-if-cached",
            GatewayTimeout(),
            TAGGED,
            61,
            {"asked": "cache-control: only-if-cached", "profile": "safe"},
        ),
        ("rule 36 within the window", RENEWED, SWR, 89, {}),
        ("rule 36 within the window, HEAD", RENEWED, SWR, 89, {"method": "HEAD"}),
        ("rule 36 after the window", Forward("stale"), SWR, 91, {}),
        ("rule 36 fresh", FRESH, SWR, 59, {}),
        (
            "rule 36 the client wants none that is stale",
            Forward("stale"),
            SWR,
            61,
            {"asked": "cache-control: max-age=99"},
        ),
        ("rule 36 the client allows it", RENEWED, SWR, 61, {"asked": "cache-control: max-age=99, max-stale=5"}),
        ("rule 36 the client allows less", Forward("stale"), SWR, 69, {"asked": "cache-control: max-stale=5"}),
        *(
            (
                f"rule 38 {control}",
                ASK_STALE,
                f'etag: "a" | {SWR}, {control}',
                61,
                {"asked": "cache-control: max-stale"},
            )
            for control in ("must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache")
        ),
        ("rule 43 a range within the part", FRESH, PART, 1, {"asked": "range: bytes=3-4"}),
        ("rule 43 the same range", FRESH, PART, 1, {"asked": "range: bytes=2-5"}),
        ("rule 43 more than the part", Forward("partial"), PART, 1, {"asked": "range: bytes=2-6"}),
        ("rule 43 the end", Forward("partial"), PART, 1, {"asked": "range: bytes=-2"}),
        ("rule 43 the whole", Forward("partial"), PART, 1, {}),
        ("rule 43 several ranges", Forward("partial"), PART, 1, {"asked": "range: bytes=2-2,4-4"}),
        ("rule 43 HEAD", Forward("partial"), PART, 1, {"asked": "range: bytes=2-5", "method": "HEAD"}),
        ("rule 43 If-Range", FRESH, PART, 1, {"asked": 'range: bytes=2-5 | if-range: "a"'}),
        (
            "rule 43 If-Range of another state",
            Forward("partial"),
            PART,
            1,
            {"asked": 'range: bytes=2-5 | if-range: "b"'},
        ),
        ("rule 43 over", ASK_STALE, PART, 61, {"asked": "range: bytes=2-5"}),
        ("rule 47 immutable and a reload", FRESH, TAGGED + ", immutable", 1, {"asked": "cache-control: max-age=0"}),
        (
            "rule 47 immutable and a forced reload",
            ASK_REQUEST,
            TAGGED + ", immutable",
            1,
            {"asked": "cache-control: no-cache"},
        ),
        ("rule 47 immutable, over", ASK_STALE, TAGGED + ", immutable", 61, {"asked": "cache-control: max-age=99"}),
        (
            "rule 47 immutable, over, too old",
            ASK_STALE,
            TAGGED + ", immutable",
            61,
            {"asked": "cache-control: max-age=10, max-stale"},
        ),
        (
            "rule 47 immutable with an argument",
            ASK_REQUEST,
            TAGGED + ", immutable=1",
            1,
            {"asked": "cache-control: max-age=0"},
        ),
    ),
)
def test_what_is_done(expected, response, age, how):
    assert decided(response, age, **how) == expected


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
def test_rule_46_a_miss_says_whether_others_are_stored(profile):
    assert answer(request(), None, NOW, RULES[profile]) == Forward("uri-miss")
    assert answer(request(), None, NOW, RULES[profile], others=True) == Forward("vary-miss")
    assert answer(request("cache-control: only-if-cached"), None, NOW, RULES[profile]) == GatewayTimeout()


@pytest.mark.parametrize(
    ("expected", "response"),
    rows(
        ("rule 32 both", 'if-none-match: W/"a" | if-modified-since: <-900>', 'etag: W/"a" | last-modified: <-900>'),
        ("rule 32 the tag", 'if-none-match: "a"', 'etag: "a" | last-modified: yesterday'),
        (
            "rule 32 the date as it was written",
            "if-modified-since: Sunday, 06-Nov-94 08:49:37 GMT",
            "last-modified: Sunday, 06-Nov-94 08:49:37 GMT",
        ),
    ),
)
def test_validation_asks_by_the_stored_validators_in_place_of_the_clients(expected, response):
    asked = 'if-none-match: "z" | accept-language: en | if-modified-since: <-1> | if-range: "z"'
    decision = decided(f"{response} | cache-control: max-age=60 | vary: accept-language", 61, asked)
    assert isinstance(decision, Validate)
    assert decision.over(fields(asked)) == fields(f'accept-language: en | if-range: "z" | {expected}')


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


FAILING = 'etag: "a" | cache-control: max-age=60'


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
    kept = older(stored(FAILING + response), age)
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


def test_rule_34_a_304_to_the_clients_own_condition_passes():
    for profile in (SAFE, RFC9111):
        assert answer(request('if-none-match: "a"'), None, NOW, RULES[profile.name]) == Forward("uri-miss")
