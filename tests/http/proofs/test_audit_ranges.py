"""Parts of representations: RFC 9110 14, RFC 9111 3.3 and 3.4."""

import pytest

from tests.http.proofs.dates import imf
from tests.http.proofs.upstream import NOW, Site, failing, said

FRESH = "max-age=600"
BODY = "0123456789"


async def whole(**fields):
    site = Site()
    await site.after(said(body=BODY, **{"cache_control": FRESH, "etag": '"a"'} | fields))
    return site


PARTS = [
    ("bytes=0-0", "0", "bytes 0-0/10"),
    ("bytes=2-4", "234", "bytes 2-4/10"),
    ("bytes=7-", "789", "bytes 7-9/10"),
    ("bytes=-3", "789", "bytes 7-9/10"),
    ("bytes=0-", BODY, "bytes 0-9/10"),
    ("bytes=-10", BODY, "bytes 0-9/10"),
    ("bytes=-99", BODY, "bytes 0-9/10"),
    ("bytes=5-99", "56789", "bytes 5-9/10"),
    ("bytes=9-9", "9", "bytes 9-9/10"),
    ("BYTES=2-4", "234", "bytes 2-4/10"),
    ("bytes= 2-4 ", "234", "bytes 2-4/10"),
]


@pytest.mark.parametrize(("asked", "body", "content_range"), PARTS)
async def test_a_part_is_served_from_the_whole(asked, body, content_range):
    site = await whole(x_own="a")
    answer = await site(range=asked)
    assert (answer.status, answer.body.decode(), answer.header("content-range")) == (206, body, content_range)
    assert (answer.header("content-length"), answer.header("x-own"), site.count) == (str(len(body)), "a", 1)
    assert (answer.header("etag"), answer.header("age")) == ('"a"', "0")


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-11", "bytes=99-100", "bytes=-0"])
async def test_a_part_that_does_not_exist_is_416_or_asked_for(asked):
    site = await whole()
    site.answers = [said(416, "", content_range="bytes */10")]
    answer = await site(range=asked)
    assert (answer.status, answer.header("content-range")) == (416, "bytes */10")
    assert (await site()).body == BODY.encode()


IGNORED = ["bytes=4-2", "bytes=a-b", "bytes", "bytes=", "bytes=-", "bytes=1", "bytes=--1", "bytes=1-2-3", "lines=0-1"]
IGNORED += ["0-1", "bytes 0-1", "bytes=0-1;", "bytes=0.5-1", "bytes=+1-2"]


async def test_a_range_that_is_none_is_not_answered_by_a_part():
    async def is_ignored(asked):
        site = await whole()
        site.answers = [said(body=BODY)]
        answer = await site(range=asked)
        return (answer.status, answer.body, answer.header("content-range")) == (200, BODY.encode(), None)

    assert await failing(is_ignored, IGNORED) == []


async def test_several_ranges_are_answered_by_the_whole_or_in_several_parts():
    site = await whole()
    site.answers = [said(body=BODY)]
    answer = await site(range="bytes=0-1,4-5")
    assert answer.status == 200 or answer.header("content-type").startswith("multipart/byteranges")


@pytest.mark.parametrize(("stored", "asked", "status"), [
    ({"etag": '"a"'}, '"a"', 206),
    ({"etag": '"a"'}, '"b"', 200),
    ({"etag": 'W/"a"'}, 'W/"a"', 200),
    ({"etag": '"a"'}, 'W/"a"', 200),
    ({"etag": '"a"'}, '"a", "b"', 200),
    ({"etag": '"a"'}, "a", 200),
    ({"last_modified": imf(NOW - 1000), "date": imf(NOW)}, imf(NOW - 1000), 206),
    ({"last_modified": imf(NOW - 1000), "date": imf(NOW)}, imf(NOW - 999), 200),
    ({"last_modified": imf(NOW - 1000), "date": imf(NOW)}, imf(NOW), 200),
    ({"last_modified": imf(NOW - 1000), "date": imf(NOW)}, imf(NOW - 1001), 200),
    ({"last_modified": imf(NOW), "date": imf(NOW)}, imf(NOW), 200),
])  # fmt: skip
async def test_if_range_needs_the_very_same(stored, asked, status):
    site = await whole(**stored)
    site.answers = [said(body=BODY)]
    answer = await site(range="bytes=2-4", if_range=asked)
    assert (answer.status, answer.body) == (status, b"234" if status == 206 else BODY.encode())


async def test_conditions_come_before_ranges():
    site = await whole()
    assert (await site(range="bytes=2-4", if_none_match='"a"')).status == 304
    assert (await site(range="bytes=2-4", if_none_match='"b"')).status == 206
    assert site.count == 1


async def test_a_head_has_no_ranges():
    site = await whole()
    answer = await site("HEAD", range="bytes=2-4")
    assert (answer.status, answer.header("content-length"), answer.body) == (200, "10", b"")


@pytest.mark.parametrize("status", [404, 203, 500])
async def test_parts_are_of_successes(status):
    site = Site()
    await site.after(said(status, BODY, cache_control=FRESH))
    answer = await site(range="bytes=2-4")
    assert (answer.status, len(answer.body)) in {(status, 10)} | ({(206, 3)} if status == 203 else set())


# 3.3 and 3.4: partial responses of the app


def partial(first, last, size=10, **fields):
    own = {"cache_control": FRESH, "etag": '"a"', "content_range": f"bytes {first}-{last}/{size}"}
    return said(206, BODY[first : last + 1], **own | fields)


async def test_a_part_is_never_the_answer_to_a_plain_request():
    site = Site()
    await site.after(partial(0, 4), range="bytes=0-4")
    site.answers = [said(body=BODY, cache_control=FRESH, etag='"a"')]
    answer = await site()
    assert (answer.status, answer.body) == (200, BODY.encode())


async def test_a_part_of_all_may_answer_but_only_right():
    site = Site()
    await site.after(partial(0, 9), range="bytes=0-9")
    site.answers = [said(body=BODY, cache_control=FRESH, etag='"a"')]
    answer = await site()
    assert (answer.status, answer.body, answer.header("content-range")) == (200, BODY.encode(), None)


@pytest.mark.parametrize("asked", ["bytes=2-4", "bytes=3-3", "bytes=2-2", "bytes=3-4"])
async def test_a_stored_part_answers_what_it_holds(asked):
    site = Site()
    await site.after(partial(2, 4), range="bytes=2-4")
    site.answers = [partial(*map(int, asked.removeprefix("bytes=").split("-")))]
    answer = await site(range=asked)
    first, last = map(int, asked.removeprefix("bytes=").split("-"))
    assert (answer.status, answer.body.decode()) == (206, BODY[first : last + 1])
    assert answer.header("content-range") == f"bytes {first}-{last}/10"
    assert answer.header("content-length") == str(last - first + 1)


@pytest.mark.parametrize("asked", ["bytes=0-2", "bytes=4-5", "bytes=5-6", "bytes=2-", "bytes=-3", "bytes=0-"])
async def test_a_stored_part_does_not_answer_what_it_does_not_hold(asked):
    site = Site()
    await site.after(partial(2, 4), range="bytes=2-4")
    site.answers = [said(body=BODY, cache_control=FRESH, etag='"a"')]
    answer = await site(range=asked)
    first, _, last = asked.removeprefix("bytes=").partition("-")
    expected = BODY[-int(last) :] if not first else BODY[int(first) : int(last) + 1 if last else None]
    assert (answer.status, answer.body.decode()) in {(200, BODY), (206, expected)}
    assert site.count == 2


@pytest.mark.parametrize(
    ("one", "two"), [('"a"', '"b"'), ('W/"a"', 'W/"a"'), (None, None), ('"a"', None), ('"a"', 'W/"a"')]
)
async def test_parts_of_what_may_be_different_are_never_joined(one, two):
    site = Site()
    for part, tag, asked in ((partial(0, 4), one, "bytes=0-4"), (partial(5, 9), two, "bytes=5-9")):
        part.headers = [pair for pair in part.headers if pair[0] != b"etag"]
        part.headers += [(b"etag", tag.encode())] if tag else []
        await site.after(part, range=asked)
    site.answers = [said(body="abcdefghij", cache_control=FRESH, etag='"c"')]
    answer = await site()
    assert (answer.status, answer.body) == (200, b"abcdefghij")


async def test_parts_of_the_same_may_be_joined():
    site = Site()
    await site.after(partial(0, 4), range="bytes=0-4")
    await site.after(partial(5, 9), range="bytes=5-9")
    site.answers = [said(body=BODY, cache_control=FRESH, etag='"a"')]
    answer = await site()
    assert (answer.status, answer.body, answer.header("content-length")) == (200, BODY.encode(), "10")
    assert answer.header("content-range") is None


async def test_a_range_is_forwarded_where_nothing_is_stored():
    site = Site()
    answer = await site.after(partial(2, 4), range="bytes=2-4", if_range='"a"')
    assert (answer.status, answer.body) == (206, b"234")
    assert site.asked[0].header("range") in {"bytes=2-4", None}


async def test_a_whole_answer_to_a_range_answers_all():
    site = Site()
    await site.after(said(body=BODY, cache_control=FRESH, etag='"a"'), range="bytes=2-4")
    assert ((await site()).body, site.count) == (BODY.encode(), 1)
    assert ((await site(range="bytes=5-6")).body, site.count) == (b"56", 1)


@pytest.mark.parametrize(
    "content_range", ["bytes 2-4/3", "bytes 4-2/10", "bytes 2-5/10", "bytes x", "lines 2-4/10", "bytes */10", ""]
)
async def test_a_part_that_does_not_say_which_is_not_stored(content_range):
    site = Site()
    await site.after(partial(2, 4, content_range=content_range), range="bytes=2-4")
    site.answers = [partial(2, 4)]
    await site(range="bytes=2-4")
    assert site.count == 2


async def test_a_416_of_the_app_is_passed_on():
    site = Site()
    answer = await site.after(said(416, "", content_range="bytes */10"), range="bytes=99-")
    assert (answer.status, answer.header("content-range")) == (416, "bytes */10")
    site.answers = [said(body=BODY)]
    assert (await site()).body == BODY.encode()


async def test_a_stale_whole_is_validated_for_a_range():
    site = Site()
    await site.after(said(body=BODY, cache_control="max-age=60", etag='"a"'), said(304, b"", etag='"a"'))
    site.wait(60)
    answer = await site(range="bytes=2-4")
    assert (answer.status, answer.body) == (206, b"234")
    assert site.asked[1].header("if-none-match") == '"a"'
