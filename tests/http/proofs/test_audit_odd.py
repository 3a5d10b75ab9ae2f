"""Where several rules of RFC 9110 and 9111 meet, and requests that no browser sends."""

import pytest

from tests.http.proofs.dates import imf
from tests.http.proofs.messages import part, start
from tests.http.proofs.upstream import NOW, Site, said
from tests.http.serving import ask_in, scope_of

FRESH = "max-age=600"


# 4.3: conditions of the client and of the cache at once


@pytest.mark.parametrize("tag", ['"b"', 'W/"b"', '"x", "b"'])
async def test_a_304_for_the_tag_of_the_client_renews_nothing_else(tag):
    """What is stored has another tag: the client has the current one, and others do not get the old one for it."""
    site = Site()
    await site.after(said(cache_control="max-age=60", etag='"a"'))
    site.wait(60)

    async def honest(scope, receive, send):
        site.asked.append(scope)
        tags = dict(scope["headers"]).get(b"if-none-match", b"")
        if b'"b"' in tags:
            await send(start((b"etag", b'"b"'), (b"cache-control", b"max-age=60"), status=304))
            await send(part())
        else:
            await send(start((b"etag", b'"b"'), (b"cache-control", b"max-age=60"), (b"content-length", b"3")))
            await send(part(b"two"))

    site.app.app = honest
    answer = await site(if_none_match=tag)
    assert (answer.status, answer.body) in {(304, b""), (200, b"two")}
    assert (await site()).body == b"two"


async def test_a_condition_of_the_client_is_not_the_validator_of_what_is_stored():
    site = Site()
    await site.after(
        said(cache_control="max-age=60", etag='"a"'), said(body="two", etag='"b"', cache_control="max-age=60")
    )
    site.wait(60)
    answer = await site(if_none_match='"old"', if_modified_since=imf(NOW - 9))
    assert '"a"' in site.asked[1].header("if-none-match")
    assert (answer.status, answer.body) == (200, b"two")


@pytest.mark.parametrize("fields", [{"if_match": '"x"'}, {"if_unmodified_since": imf(0)}, {"if_match": "*"}])
async def test_conditions_that_are_for_origins_are_left_to_them_or_ignored(fields):
    site = Site()
    await site.after(said(cache_control=FRESH, etag='"a"'), said(412, "no"))
    assert (await site(**fields)).status in {200, 412}
    assert (await site()).body == b"one"


async def test_fields_that_are_not_reused_unasked_are_there_when_the_app_was_asked():
    site = Site()
    fields = {"cache_control": 'max-age=60, no-cache="x-own"', "etag": '"a"'}
    await site.after(said(x_own="1", **fields), said(304, b"", x_own="2", **fields))
    assert (await site()).header("x-own") is None
    site.wait(60)
    assert (await site()).header("x-own") == "2"
    assert (await site()).header("x-own") is None
    assert site.count == 2


async def test_a_304_may_change_for_how_long_and_for_whom():
    site = Site()
    await site.after(said(cache_control="max-age=60", etag='"a"'))
    site.wait(60)
    site.answers = [said(304, b"", cache_control="private", etag='"a"'), said(body="two", cache_control="private")]
    assert (await site()).body == b"one"
    assert (await site()).body == b"two"


async def test_a_304_may_name_what_selects_from_now_on():
    site = Site()
    await site.after(said(cache_control="max-age=60", etag='"a"'), x_a="1")
    site.wait(60)
    site.answers = [said(304, b"", cache_control="max-age=60", etag='"a"', vary="x-a"), said(body="two", vary="x-a")]
    assert (await site(x_a="1")).body == b"one"
    assert (await site(x_a="2")).body == b"two"


async def test_variants_are_validated_each_by_its_own_tag():
    site = Site()
    for number in "12":
        await site.after(said(body=number, cache_control="max-age=60", vary="x-a", etag=f'"{number}"'), x_a=number)
    site.wait(60)
    for number in "12":
        await site.after(said(304, b"", cache_control="max-age=60", vary="x-a", etag=f'"{number}"'), x_a=number)
        assert f'"{number}"' in site.asked[-1].header("if-none-match")
        assert (await site(x_a=number)).body == number.encode()
    assert site.count == 4


async def test_the_age_counts_from_the_date_where_nobody_said_otherwise():
    """RFC 9111 4.2.3: the apparent age is a lower bound of the age."""
    site = Site()
    await site.after(said(cache_control="max-age=600", date=imf(NOW - 300)))
    site.wait(301)
    assert not await site.reuses()


async def test_an_expires_that_is_far_away_does_not_make_a_month_of_nothing():
    site = Site()
    await site.after(said(expires=imf(NOW + 10**9), date=imf(NOW), cache_control="max-age=1"))
    site.wait(2)
    assert not await site.reuses()


# 9110 13 and 14: what was answered to a condition or a range is for nobody without it


@pytest.mark.parametrize(("status", "asked"), [
    (412, {"if_match": '"x"'}), (412, {"if_unmodified_since": imf(0)}), (416, {"range": "bytes=99-"}),
    (304, {"if_none_match": '"x"'}), (417, {"expect": "x"}), (206, {"range": "bytes=0-1,4-5"}),
])  # fmt: skip
async def test_an_answer_to_a_condition_is_not_for_others(status, asked):
    site = Site()
    await site.after(
        said(status, "", cache_control="public, max-age=600", content_type="multipart/byteranges"), **asked
    )
    site.answers = [said(body="two", cache_control=FRESH)]
    answer = await site()
    assert (answer.status, answer.body) == (200, b"two")


# 9110 7, 9: odd targets and methods

TARGETS = [
    {"path": "*", "raw_path": b"*"},
    {"path": "", "raw_path": b""},
    {"path": "//", "raw_path": b"//"},
    {"path": "http://evil/x", "raw_path": b"http://evil/x"},
    {"path": "/\ufffd", "raw_path": b"/%FF"},
    {"path": "/\xe4", "raw_path": b"/\xe4"},
    {"path": "/a\x00b", "raw_path": b"/a%00b"},
    {"path": "/%", "raw_path": b"/%"},
    {"path": "/a b", "raw_path": b"/a b"},
    {"path": "/a#b", "raw_path": b"/a%23b"},
    {"path": "/" + "a" * 9000, "raw_path": b"/" + b"a" * 9000},
    {"query_string": b"\xff\xfe"},
    {"query_string": b"a" * 9000},
    {"query_string": b"#?&&==;%"},
    {"raw_path": None},
    {"scheme": "wss"},
    {"server": None, "client": None},
    {"extensions": None},
    {"root_path": "/app"},
    {"http_version": "3"},
    {"headers": []},
    {"headers": [(b"host", b"")]},
    {"headers": [(b"host", b"[::1]:80")]},
    {"headers": [(b"host", b"\xff")]},
    {"headers": [(b"host", b"h" * 9000)]},
    {"headers": [(b"host", b"a"), (b"host", b"b")]},
    {"headers": [(b"host", b"h"), *[(b"cookie", b"a=b")] * 500]},
    {"headers": ((b"host", b"h"), (b"accept", b"x"))},
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "CONNECT", "\xe4", "GET "])
async def test_odd_requests_are_answered_and_answered_again(method):
    for target in TARGETS:
        site = Site()
        answers = [said(cache_control=FRESH, location="/a", vary="accept", cache_groups='"x"') for _ in range(2)]
        for _ in range(2):
            site.answers = answers[:]
            answer = await ask_in(site.app, scope_of(method=method) | target)
            assert answer.status == 200, target
        if method not in {"GET", "HEAD"}:
            assert site.count == 2, target


async def test_what_two_odd_targets_have_is_not_mixed():
    bodies, site = [], Site()
    scopes = [scope_of() | target for target in TARGETS]
    for number, scope in enumerate(scopes):
        site.answers = [said(body=str(number), cache_control=FRESH)]
        bodies.append((await ask_in(site.app, scope)).body)
    firsts = {scopes.index(next(other for other in scopes if where(other) == where(scope))) for scope in scopes}
    assert {number for number, body in enumerate(bodies) if body == b"%d" % number} == firsts


def where(scope):
    """Give what tells one resource from another (RFC 9110 4.2.3)."""
    hosts = [value for name, value in scope["headers"] if name == b"host"] or [b"h"]
    path = scope["raw_path"] or scope["path"].encode()
    return scope["scheme"], hosts, path or b"/", scope["query_string"]


# answers that no framework makes

ODD_STARTS = [
    {"headers": ()},
    {"headers": iter([(b"cache-control", b"max-age=60")])},
    {"headers": [[b"cache-control", b"max-age=60"]]},
    {"headers": [(b"cache-control", bytearray(b"max-age=60"))]},
    {"headers": [(b"cache-control", b"max-age=60"), (b"content-length", b"3"), (b"content-length", b"3")]},
    {"headers": [(b"cache-control", b"max-age=60"), (b"x", b"a" * 100_000)]},
    {"headers": [(b"cache-control", b"max-age=60"), (b"", b"")]},
    {"headers": [(b"cache-control", b"max-age=60"), (b"a b", b"c\r\nd")]},
    {"status": 299, "headers": [(b"cache-control", b"max-age=60")]},
    {"status": 999, "headers": [(b"cache-control", b"max-age=60")]},
    {"status": 600, "headers": [(b"cache-control", b"max-age=60")]},
    {"trailers": False, "headers": [(b"cache-control", b"max-age=60")]},
]


async def test_odd_answers_come_as_they_are():
    for odd in ODD_STARTS:
        headers = list(odd["headers"])

        async def app(scope, receive, send, odd=odd, headers=headers):
            await send({"type": "http.response.start", "status": 200} | odd | {"headers": iter(headers)})
            await send({"type": "http.response.body", "body": memoryview(b"ab"), "more_body": True})
            await send({"type": "http.response.body", "body": bytearray(b"c"), "more_body": False})

        site = Site()
        site.app.app = app
        for _ in range(2):
            answer = await site()
            assert (answer.status, answer.body) == (odd.get("status", 200), b"abc"), odd
