"""What RFC 9111 3 has a shared cache store, and what not: black boxes, by the text."""

import pytest

from tests.http.proofs.messages import part, start
from tests.http.proofs.upstream import Site, failing, reused, said

FRESH = "max-age=600"
FINAL = [200, 201, 202, 203, 204, 205, 226, 299, 300, 301, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 406, 408]
FINAL += [409, 410, 411, 413, 414, 415, 418, 421, 422, 425, 451, 499, 500, 501, 502, 503, 504, 505, 599]
HEURISTIC = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}  # RFC 9110 15.1


async def test_any_final_status_with_explicit_freshness_is_stored():
    async def is_stored(status, field):
        site = Site()
        freshness = {"expires": site.date(600)} if field == "Expires" else {"cache_control": field}
        body = b"" if status in {204, 205} else b"one"
        await site.after(said(status, body, date=site.date(), x_own="a", **freshness))
        site.wait(599)
        again = await site()
        return (site.count, again.status, again.body, again.header("x-own")) == (1, status, body, "a")

    assert await failing(is_stored, FINAL, ["max-age=600", "s-maxage=600", "Expires"]) == []


@pytest.mark.parametrize("status", [428, 429, 431, 511])
async def test_statuses_that_are_about_one_client_are_not_stored(status):
    """RFC 6585: MUST NOT be stored by a cache."""
    assert not await reused(status=status, cache_control="public, max-age=600")


async def test_statuses_get_heuristic_freshness_or_not():
    async def is_right(status):
        body, date = "" if status in {204, 205} else "one", Site().date
        fields = {"last_modified": date(-100_000), "date": date()}
        return await reused(status=status, body=body, waiting=60, **fields) == (status in HEURISTIC)

    assert await failing(is_right, FINAL) == []


@pytest.mark.parametrize("status", [200, 404])
async def test_with_nothing_to_go_on_nothing_is_reused(status):
    assert not await reused(status=status, date=Site().date())
    assert not await reused(status=status, cache_control="public", date=Site().date())


# 5.2.2: directives

NEVER = ["no-store", "private", "No-Store", "PRIVATE", "max-age=600, no-store", "no-store, max-age=600"]
NEVER += ["private, s-maxage=600", "public, private, max-age=600", 'private="", max-age=600', "no-store, public"]


@pytest.mark.parametrize("control", NEVER)
async def test_no_store_and_private_are_not_stored(control):
    assert not await reused(cache_control=control, expires=Site().date(600))


async def test_no_store_leaves_an_older_response_as_it_is():
    site = Site()
    await site.after(said(body="one", cache_control=FRESH), said(body="two", cache_control="no-store"))
    await site(cache_control="no-cache")
    again = await site()
    assert (site.count, again.body) == (2, b"one")


@pytest.mark.parametrize("word", ["private", "no-cache"])
@pytest.mark.parametrize("names", ["x-own", "X-Own, set-cookie", "set-cookie , x-own"])
async def test_fields_that_are_named_are_left_out_of_reuse_and_the_rest_is_reused(word, names):
    site = Site()
    first = await site.after(said(cache_control=f'{word}="{names}", {FRESH}', x_own="a", x_other="b"))
    again = await site()
    assert (first.header("x-own"), site.count) == ("a", 1)
    assert (again.header("x-own"), again.header("x-other"), again.body) == (None, "b", b"one")


@pytest.mark.parametrize("status", [200, 404])
async def test_must_understand_outranks_no_store_for_statuses_that_are_understood(status):
    assert await reused(status=status, cache_control=f"must-understand, no-store, {FRESH}")


@pytest.mark.parametrize("status", [299, 499, 599])
async def test_must_understand_keeps_unknown_statuses_out(status):
    assert not await reused(status=status, cache_control=f"must-understand, {FRESH}")
    assert not await reused(status=status, cache_control=f"must-understand, no-store, {FRESH}")


# 3.5: Authorization

SHARED = ["public, max-age=600", "s-maxage=600", "must-revalidate, max-age=600", "S-MaxAge=600, max-age=0"]
UNSHARED = ["max-age=600", "proxy-revalidate, max-age=600", "immutable, max-age=600", 'x="public", max-age=600', ""]


@pytest.mark.parametrize("control", SHARED)
async def test_responses_to_authorization_are_reused_where_they_say_so(control):
    with_login = {"authorization": "Basic a"}
    for first, then in (
        (with_login, with_login),
        (with_login, {}),
        ({}, with_login),
        (with_login, {"authorization": "b"}),
    ):
        assert await reused(cache_control=control, first=first, request=then)


@pytest.mark.parametrize("control", UNSHARED)
async def test_responses_to_authorization_are_not_stored_else(control):
    for then in ({}, {"authorization": "Basic a"}, {"authorization": "Basic b"}):
        assert not await reused(
            cache_control=control, expires=Site().date(600), first={"authorization": "Basic a"}, request=then
        )


# 3 and 9110 9: methods


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "REPORT", "QUERY", "get", "X"]
)
async def test_other_methods_are_neither_stored_nor_answered(method):
    site = Site()
    answers = [said(404, body, cache_control=FRESH) for body in ("one", "two", "three", "four")]
    await site.after(*answers, method=method)
    assert (await site(method)).body == b"two"
    assert (await site()).body == b"three"
    assert (await site(method)).body == b"four"
    assert [asked.method for asked in site.asked] == [method, method, "GET", method]


async def test_a_head_is_not_stored_as_the_answer_to_a_get():
    site = Site()
    await site.after(said(cache_control=FRESH), said(body="two", cache_control=FRESH), method="HEAD")
    assert (await site()).body == b"two"


async def test_a_post_is_not_stored_without_the_location_of_its_content():
    site = Site()
    await site.after(said(cache_control=FRESH), said(body="two", cache_control=FRESH), method="POST", body=b"x")
    assert (await site()).body == b"two"


async def test_a_post_is_never_answered_from_the_store():
    site = Site()
    own = {"cache_control": FRESH, "content_location": "/"}
    await site.after(said(**own), said(body="two", **own), method="POST", body=b"x")
    assert (await site("POST", body=b"x")).body == b"two"
    assert site.count == 2


async def test_the_content_of_a_post_that_says_where_it_lies_may_answer_a_get_but_no_other_url():
    site = Site()
    elsewhere = said(body="posted", cache_control=FRESH, content_location="/other")
    await site.after(elsewhere, said(body="two", cache_control=FRESH), method="POST", body=b"x")
    assert (await site()).body == b"two"


async def test_a_request_with_no_store_is_not_stored():
    assert not await reused(cache_control=FRESH, first={"cache_control": "no-store"})
    assert not await reused(cache_control=FRESH, first={"cache_control": "max-age=9, NO-STORE"})


# 3.1: fields

HOP_BY_HOP = ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade", "trailer"]
HOP_BY_HOP += ["proxy-authenticate", "proxy-authentication-info", "proxy-authorization", "x-listed", "x-listed-too"]


async def test_fields_of_the_connection_are_not_stored():
    site = Site()
    fields = {name: "a" for name in HOP_BY_HOP if name != "connection"}
    await site.after(said(cache_control=FRESH, connection=["X-Listed", "close, x-listed-too"], length=False, **fields))
    again = await site()
    assert site.count == 1
    assert [name for name in HOP_BY_HOP if again.header(name) is not None] == []


async def test_all_other_fields_are_stored_as_they_came():
    site = Site()
    fields = {"x_a": ["1", "2", "1"], "cache_control": FRESH, "x_empty": "", "x_latin": "\xe4\xff", "server": "s"}
    fields |= {"link": "</a>; rel=b", "strict_transport_security": "max-age=0", "content_type": "text/x"}
    fields |= {"content_encoding": "x", "warning": "214 - x", "set_cookie": ["a=1", "b=2"], "content_language": "de"}
    fields |= {"content_disposition": "inline", "www_authenticate": "X"}
    first = await site.after(said(date=site.date(), **fields))
    again = await site()
    names = {name.replace("_", "-").encode() for name in fields} | {b"date", b"content-length"}
    came = [pair for pair in first.messages[0]["headers"] if pair[0] in names]
    assert [pair for pair in again.messages[0]["headers"] if pair[0] in names] == came
    assert {name for name, _ in came} == names


async def test_names_in_capitals_count():
    site = Site()
    answer = said()
    answer.headers[:0] = [(b"Cache-Control", b"Max-Age=600"), (b"Connection", b"X-Own"), (b"X-Own", b"a")]
    await site.after(answer)
    again = await site()
    assert (site.count, again.header("x-own")) == (1, None)


# 3.3: incomplete


@pytest.mark.parametrize("length", ["2", "4", "abc", "-3", "3, 4"])
async def test_another_length_than_told_is_not_stored(length):
    site = Site()
    await site.after(
        said(cache_control=FRESH, content_length=length, length=False), said(body="two", cache_control=FRESH)
    )
    assert (await site()).body == b"two"


async def test_what_lost_its_end_is_not_stored():
    calls = []

    async def app(scope, receive, send):
        calls.append(1)
        await send(start((b"cache-control", b"max-age=600")))
        await send(part(b"half", more=True))

    site = Site()
    site.answer = app
    site.__post_init__()
    for _ in range(2):
        await site()
    assert len(calls) == 2


async def test_a_partial_or_unmodified_response_to_a_plain_request_is_not_stored():
    for status in (206, 304):
        assert not await reused(status=status, body="", cache_control=FRESH, etag='"a"', content_range="bytes 0-2/9")
