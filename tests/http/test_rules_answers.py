"""How a request is answered by what is stored: the rules of a shared cache, each as rows of a table."""

import pytest

from asynccache.http.profile import RFC9111, SAFE
from asynccache.http.rules import Forward, GatewayTimeout, Serve, Validate, answer
from tests.http.by_hand import NOW, PART, RULES, TAGGED, fields, older, request, rows, stored

SWR = "cache-control: max-age=60, stale-while-revalidate=30"
FRESH, RENEWED, STALE = Serve(), Serve(stale=True, renew=True), Serve(stale=True)
ASK_STALE = Validate("stale", ((b"if-none-match", b'"a"'),))
ASK_REQUEST = Validate("request", ((b"if-none-match", b'"a"'),))


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


def test_rule_34_a_304_to_the_clients_own_condition_passes():
    for profile in (SAFE, RFC9111):
        assert answer(request('if-none-match: "a"'), None, NOW, RULES[profile.name]) == Forward("uri-miss")
