"""What a client gets of a stored response: whole, a part, nothing new, or nothing there; and of a page of `@Cache`."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.responses import FileResponse, PlainTextResponse

from asynccache import Cache
from asynccache.http.replies import ASKING, Reply, answered, reply
from asynccache.http.requests import Request
from asynccache.http.stored import UNKEPT, Span, Stored
from tests.http.serving import client_of, is_hit, status_of

RECEIVED = 1_000_000_000.0
BODY = b"0123456789"
LABEL = b"asynccache; hit"
DATE = (b"date", b"Sun, 09 Sep 2001 01:46:40 GMT")
LAST = (b"last-modified", b"Sun, 06 Nov 1994 08:49:37 GMT")
TAG = (b"etag", b'"a"')
LENGTH = (b"content-length", b"10")
TYPE = (b"content-type", b"text/plain")
TOLD = [(b"age", b"5"), (b"cache-status", LABEL)]


def stored(*headers, status=200, body=BODY, **more):
    return Stored(status, headers, body, RECEIVED - 3, RECEIVED, 60.0, **more)


def ask(method="GET", **fields):
    return Request(method, [(name.replace("_", "-").encode(), value) for name, value in fields.items()])


def got(request, response, **more):
    return reply(request, response, RECEIVED + 2, LABEL, **more)


def test_a_plain_get_gets_all_of_it_and_its_age():
    headers = (TYPE, (b"x", b"1"), DATE, (b"x", b"2"), TAG, LENGTH)
    assert got(ask(), stored(*headers)) == Reply(200, [*headers, *TOLD], BODY)


def test_what_an_inner_cache_said_stays_before_what_we_say():
    inner = (b"cache-status", b"Origin; hit")
    assert got(ask(), stored(DATE, inner)).headers == [DATE, inner, *TOLD]


def test_head_gets_the_same_without_the_body():
    assert got(ask("HEAD"), stored(DATE, LENGTH)) == Reply(200, [DATE, LENGTH, *TOLD], b"")


@pytest.mark.parametrize("method", ["POST", "get", "PUT", "HEADER"])
def test_no_other_method_may_ask_for_less(method):
    request = ask(method, if_none_match=b"*", range=b"bytes=0-1")
    assert got(request, stored(TAG)) == Reply(200, [TAG, *TOLD], BODY)


# 304


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_who_has_it_gets_304_with_what_belongs_to_it(method):
    kept = [
        DATE, TAG, (b"cache-control", b"max-age=60"), (b"cache-control", b"public"), (b"content-location", b"/a"),
        (b"expires", b"0"), (b"vary", b"accept"),
    ]  # fmt: skip
    left = [
        TYPE,
        LENGTH,
        LAST,
        (b"x", b"1"),
        (b"content-encoding", b"gzip"),
        (b"set-cookie", b"a=b"),
        (b"link", b"</>"),
    ]
    mixed = [pair for pairs in zip(kept, left, strict=True) for pair in pairs]
    assert got(ask(method, if_none_match=b'"a"'), stored(*mixed)) == Reply(304, [*kept, *TOLD], b"")


def test_without_an_entity_tag_304_says_when_it_was_modified():
    answer = got(ask(if_modified_since=LAST[1]), stored(DATE, LAST, LENGTH))
    assert answer == Reply(304, [DATE, LAST, *TOLD], b"")


@pytest.mark.parametrize("status", [204, 206, 299, 301, 404, 500])
def test_there_is_no_304_and_no_part_of_other_answers(status):
    request = ask(if_none_match=b"*", if_modified_since=DATE[1], range=b"bytes=0-1")
    assert got(request, stored(TAG, DATE, status=status)).status == status


def test_203_is_answered_by_304_but_not_in_parts():
    assert got(ask(if_none_match=b"*"), stored(TAG, status=203)).status == 304
    assert got(ask(range=b"bytes=0-1"), stored(TAG, status=203)).status == 203


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"if_none_match": b'"a"', "range": b"bytes=0-1"}, 304),
        ({"if_none_match": b'"b"', "range": b"bytes=0-1"}, 206),
        ({"if_none_match": b'"b"', "if_modified_since": DATE[1], "range": b"bytes=0-1"}, 206),
        ({"if_none_match": b'"b"', "if_modified_since": DATE[1]}, 200),
        ({"if_modified_since": DATE[1], "range": b"bytes=0-1"}, 304),
        ({"if_modified_since": b"x", "range": b"bytes=0-1"}, 206),
        ({"if_none_match": b'"a"', "if_range": b'"b"', "range": b"bytes=0-1"}, 304),
        ({"if_none_match": b'"a"', "range": b"bytes=99-"}, 304),
        ({"if_range": b'"b"', "range": b"bytes=0-1"}, 200),
        ({"if_range": b'"b"', "range": b"bytes=99-"}, 200),
        ({"if_range": b'"a"', "range": b"bytes=99-"}, 416),
        ({"if_range": b'"a"'}, 200),
        ({"if_range": b'"b"'}, 200),
        ({"if_match": b'"b"', "if_unmodified_since": LAST[1]}, 200),
    ],
)
def test_conditions_are_looked_at_in_their_order(fields, status):
    assert got(ask(**fields), stored(TAG, LAST, DATE)).status == status


@pytest.mark.parametrize("asked", [{"if_none_match": b'"a"'}, {"range": b"bytes=10-"}, {"range": b"bytes=0-1"}, {}])
def test_scripts_of_other_origins_get_each_answer(asked):
    fields = [(b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", b"etag")]
    assert set(fields) <= set(got(ask(**asked), stored(TAG, *fields)).headers)


# 206 and 416


def test_a_part_has_the_fields_of_the_whole_and_its_own_framing():
    whole = stored(TYPE, LENGTH, TAG, DATE, (b"cache-control", b"max-age=60"), (b"x", b"1"))
    framing = [(b"content-range", b"bytes 2-4/10"), (b"content-length", b"3")]
    kept = [TYPE, TAG, DATE, (b"cache-control", b"max-age=60"), (b"x", b"1")]
    assert got(ask(range=b"bytes=2-4"), whole) == Reply(206, [*kept, *TOLD, *framing], b"234")


def test_what_is_not_there_gets_416_and_nothing_that_could_be_kept():
    whole = stored(TYPE, LENGTH, TAG, DATE, (b"cache-control", b"max-age=60"), (b"vary", b"accept"))
    framing = [(b"content-range", b"bytes */10"), (b"content-length", b"0")]
    assert got(ask(range=b"bytes=10-"), whole) == Reply(416, [*framing, DATE, *TOLD], b"")


@pytest.mark.parametrize("line", [b"bytes=0-1,4-5", b"bytes=4-2", b"items=0-1", b"bytes 0-1", b"", b"bytes=0-1;x"])
def test_any_other_range_gets_the_whole(line):
    assert got(ask(range=line), stored(LENGTH)) == Reply(200, [LENGTH, *TOLD], BODY)


def test_head_has_no_parts():
    assert got(ask("HEAD", range=b"bytes=0-1"), stored(LENGTH)) == Reply(200, [LENGTH, *TOLD], b"")
    assert got(ask("HEAD", range=b"bytes=99-"), stored(LENGTH)) == Reply(200, [LENGTH, *TOLD], b"")


def test_of_an_empty_body_there_is_no_part():
    empty = stored((b"content-length", b"0"), body=b"")
    assert got(ask(range=b"bytes=0-"), empty).status == 416
    assert got(ask(range=b"bytes=-5"), empty).status == 200


@pytest.mark.parametrize(
    ("line", "body", "content_range"),
    [
        (b"bytes=4-5", b"ef", b"bytes 4-5/26"),
        (b"bytes=2-6", b"cdefg", b"bytes 2-6/26"),
        (b"bytes=1-3", b"cdefg", b"bytes 2-6/26"),
        (b"bytes=5-9", b"cdefg", b"bytes 2-6/26"),
        (b"bytes=5-", b"cdefg", b"bytes 2-6/26"),
        (b"bytes=-3", b"cdefg", b"bytes 2-6/26"),
    ],
)
def test_of_a_stored_part_a_part_is_cut_where_it_has_it(line, body, content_range):
    part = stored((b"content-range", b"bytes 2-6/26"), status=206, body=b"cdefg", span=Span(2, 6, 26))
    answer = got(ask(range=line), part)
    assert (answer.status, answer.body) == (206, body)
    assert [value for name, value in answer.headers if name == b"content-range"] == [content_range]


def test_of_a_part_of_unknown_length_too():
    part = stored((b"content-range", b"bytes 2-6/*"), status=206, body=b"cdefg", span=Span(2, 6, None))
    answer = got(ask(range=b"bytes=3-4"), part)
    assert (answer.body, answer.headers[-2]) == (b"de", (b"content-range", b"bytes 3-4/*"))


def test_beyond_all_of_what_a_part_is_of_is_nothing():
    part = stored(status=206, body=b"cdefg", span=Span(2, 6, 26))
    assert got(ask(range=b"bytes=26-"), part).headers[0] == (b"content-range", b"bytes */26")


# Fields that are not reused unasked


def test_fields_that_are_kept_from_reuse_come_back_once_the_app_confirmed_it():
    response = stored(TAG, (b"x-mine", b"1"), DATE, unvalidated=(b"x-mine", b"etag"))
    assert got(ask(), response).headers == [DATE, *TOLD]
    assert got(ask(), response, validated=True).headers == [TAG, (b"x-mine", b"1"), DATE, *TOLD]
    assert got(ask(if_none_match=b'"a"'), response).headers == [DATE, *TOLD]


def test_a_cookie_that_the_app_gave_when_it_confirmed_reaches_a_client_that_has_the_rest():
    cookie, asked = (b"set-cookie", b"id=1"), ask(if_none_match=b'"a"')
    own = stored(TAG, DATE, cookie, terms=UNKEPT)
    assert got(asked, own, validated=True).headers == [TAG, DATE, *TOLD, cookie]
    assert got(asked, stored(TAG, DATE, cookie), validated=True).headers == [TAG, DATE, *TOLD]


values = st.one_of(
    st.binary(max_size=12), st.sampled_from([b'"a"', b"*", LAST[1], b"bytes=1-3", b"bytes=-2", b"bytes=9-"])
)


@given(
    st.sampled_from(["GET", "HEAD", "POST", "QUERY"]),
    st.lists(st.tuples(st.sampled_from([*sorted(ASKING), b"if-range", b"x"]), values), max_size=4),
    st.lists(st.tuples(st.sampled_from([b"etag", b"last-modified", b"date", b"content-length"]), values), max_size=3),
    st.sampled_from([200, 203, 204, 206, 404]),
)
@settings(max_examples=300, deadline=None)
def test_anything_may_be_asked_and_the_framing_is_true(method, fields, headers, status):
    whole = Reply(status, [*headers, *TOLD], BODY)
    answer = answered(Request(method, fields), whole, RECEIVED, headers)
    lines = dict(answer.headers)
    match answer.status:
        case 206 if status == 200:
            assert lines[b"content-length"] == b"%d" % len(answer.body)
            assert answer.body in BODY
        case 304:
            assert (answer.body, lines.keys() & {b"content-length", b"content-range"}) == (b"", set())
        case 416:
            assert (answer.body, lines[b"content-length"]) == (b"", b"0")
        case _:
            assert answer == (whole if method != "HEAD" else whole._replace(body=b""))


# The pages of @Cache


def counted(make):
    @Cache(ttl=60, statuses={200, 404})
    async def handler(request):
        handler.calls += 1
        return make(request)

    handler.calls = 0
    return handler


def test_a_page_is_answered_in_parts_where_the_handler_does_not_know_of_any():
    handler = counted(lambda request: PlainTextResponse("0123456789", headers={"ETag": '"a"'}))
    client = client_of(handler)
    client.get("/")
    answer = client.get("/", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.text, status_of(answer)) == (206, "234", "hit")
    assert (answer.headers["content-range"], answer.headers["content-length"]) == ("bytes 2-4/10", "3")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert client.get("/", headers={"Range": "bytes=2-4", "If-Range": '"a"'}).status_code == 206
    assert client.get("/", headers={"Range": "bytes=2-4", "If-Range": '"b"'}).text == "0123456789"
    assert client.get("/", headers={"Range": "bytes=2-4", "If-None-Match": '"a"'}).status_code == 304
    assert client.get("/", headers={"Range": "bytes=0-1,4-5"}).text == "0123456789"
    beyond = client.get("/", headers={"Range": "bytes=10-"})
    assert (beyond.status_code, beyond.content, beyond.headers["content-range"]) == (416, b"", "bytes */10")
    head = client.head("/", headers={"Range": "bytes=2-4"})
    assert (head.status_code, head.headers["content-length"]) == (200, "10")
    assert is_hit(client.get("/"))
    assert handler.calls == 1


def test_an_entity_tag_of_ours_is_weak_and_resumes_nothing():
    client = client_of(counted(lambda request: PlainTextResponse("0123456789")))
    client.get("/")
    etag = client.get("/").headers["etag"]
    answer = client.get("/", headers={"Range": "bytes=2-4", "If-Range": etag})
    assert (answer.status_code, answer.text) == (200, "0123456789")


def test_a_part_that_is_asked_for_first_is_the_handlers_business_and_not_kept():
    handler = counted(lambda request: PlainTextResponse("0123456789"))
    client = client_of(handler)
    assert client.get("/", headers={"Range": "bytes=2-4"}).text == "0123456789"
    assert status_of(client.get("/")) == "fwd=uri-miss; stored"
    assert handler.calls == 2


def test_what_is_no_200_has_no_parts():
    client = client_of(counted(lambda request: PlainTextResponse("0123456789", 404)))
    client.get("/")
    answer = client.get("/", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.text, is_hit(answer)) == (404, "0123456789", True)


def test_a_handler_that_answers_ranges_itself_is_asked(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("0123456789")
    handler = counted(lambda request: FileResponse(path))
    client = client_of(handler)
    client.get("/")
    answer = client.get("/", headers={"Range": "bytes=2-4"})
    assert (answer.status_code, answer.text, is_hit(answer)) == (206, "234", False)
    assert is_hit(client.get("/"))
    assert handler.calls == 2
