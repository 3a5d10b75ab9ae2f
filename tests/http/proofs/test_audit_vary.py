"""Which stored response RFC 9111 4.1 selects for a request."""

import pytest

from tests.http.proofs.upstream import Site, said

FRESH = "max-age=600"


async def second(vary, first, then, **fields):
    """Tell whether a response to the first request is reused for the second."""
    site = Site()
    await site.after(said(cache_control=FRESH, vary=vary, **fields), **first)
    return await site.reuses(**then)


MATCHING = [
    ("X-A", {}, {}),
    ("X-A", {"x_a": "1"}, {"x_a": "1"}),
    ("x-a", {"X_A": "1"}, {"x_A": "1"}),
    ("X-A", {"x_a": "1"}, {"x_a": "1", "x_b": "2"}),
    ("X-A", {"x_a": "1", "x_b": "1"}, {"x_a": "1"}),
    ("X-A, X-B", {"x_a": "1", "x_b": "2"}, {"x_b": "2", "x_a": "1"}),
    (["X-A", "X-B"], {"x_a": "1", "x_b": "2"}, {"x_b": "2", "x_a": "1"}),
    (", X-A,, X-B,", {"x_b": "2"}, {"x_b": "2"}),
    ("X-A, X-B, X-C", {"x_b": "2"}, {"x_b": "2"}),
    ("X-A, x-a, X-A", {"x_a": "1"}, {"x_a": "1"}),
    ("X-A", {"x_a": ["1", "2"]}, {"x_a": ["1", "2"]}),
    ("X-A", {"x_a": ["1", "2"]}, {"x_a": "1, 2"}),
    ("X-A", {"x_a": "1,2"}, {"x_a": "1 ,\t2"}),
    ("X-A", {"x_a": " 1 "}, {"x_a": "1"}),
    ("Cookie", {"cookie": "a=1"}, {"cookie": "a=1"}),
    ("Accept-Language", {"accept_language": "de, en"}, {"accept_language": "de, en"}),
    ("Accept-Encoding", {"accept_encoding": "gzip"}, {"accept_encoding": "gzip"}),
    ("", {"x_a": "1"}, {"x_a": "2"}),
    (", ,", {"x_a": "1"}, {"x_a": "2"}),
]
DIFFERING = [
    ("X-A", {}, {"x_a": "1"}),
    ("X-A", {"x_a": "1"}, {}),
    ("X-A", {"x_a": ""}, {"x_a": "1"}),
    ("X-A", {"x_a": "1"}, {"x_a": "2"}),
    ("X-A", {"x_a": "a"}, {"x_a": "A"}),
    ("X-A", {"x_a": ["1", "2"]}, {"x_a": ["2", "1"]}),
    ("X-A", {"x_a": ["1", "2"]}, {"x_a": "1"}),
    ("X-A", {"x_a": "1"}, {"x_a": ["1", "1"]}),
    ("X-A", {"x_a": '"a, b"'}, {"x_a": '"a,b"'}),
    ("X-A, X-B", {"x_a": "1", "x_b": "2"}, {"x_a": "1", "x_b": "3"}),
    ("X-A, X-B", {"x_a": "1", "x_b": "2"}, {"x_a": "1"}),
    (["X-A", "X-B"], {"x_a": "1", "x_b": "2"}, {"x_a": "1", "x_b": "3"}),
    ("X-A, X-B", {"x_a": "1", "x_b": "2"}, {"x_a": "2", "x_b": "1"}),
    ("X-A, X-B", {"x_a": "1"}, {"x_b": "1"}),
    ("X-A", {"x_a": "1 2"}, {"x_a": "12"}),
    ("Accept-Language", {"accept_language": "de, en"}, {"accept_language": "en, de"}),
    ("Cookie", {"cookie": "a=1"}, {"cookie": "a=2"}),
    ("Authorization", {}, {"authorization": "Basic a"}),
    ("*", {}, {}),
    ("*", {"x_a": "1"}, {"x_a": "1"}),
    ("*, *", {}, {}),
    (", *", {}, {}),
    ("X-A, *", {}, {}),
    (["X-A", "*"], {}, {}),
    (["*", "X-A"], {}, {}),
    ("X-A,*,X-B", {}, {}),
]


async def test_what_matches_is_reused():
    assert [row for row in MATCHING if not await second(*row)] == []


async def test_what_differs_is_not():
    assert [row for row in DIFFERING if await second(*row)] == []


@pytest.mark.parametrize("count", [2, 8, 20])
async def test_variants_lie_side_by_side(count):
    site = Site()
    for number in range(count):
        await site.after(said(body=str(number), cache_control=FRESH, vary="X-A"), x_a=number)
    bodies = [(await site(x_a=number)).body for number in range(count)]
    assert (bodies, site.count) == ([b"%d" % number for number in range(count)], count)


async def test_variants_by_several_names_lie_side_by_side():
    site = Site()
    asked = [{"x_a": a, "x_b": b} for a in "12" for b in "12"] + [{"x_a": "1"}, {"x_b": "1"}, {}]
    for number, fields in enumerate(asked):
        await site.after(said(body=str(number), cache_control=FRESH, vary=["X-A", "X-B"]), **fields)
    bodies = [(await site(**fields)).body for fields in asked]
    assert (bodies, site.count) == ([b"%d" % number for number in range(len(asked))], len(asked))


async def test_responses_may_vary_by_different_names():
    site = Site()
    await site.after(said(body="by a", cache_control=FRESH, vary="X-A"), x_a="1")
    await site.after(said(body="by b", cache_control=FRESH, vary="X-B"), x_a="2", x_b="1")
    assert (await site(x_a="1", x_b="2")).body == b"by a"
    assert (await site(x_a="3", x_b="1")).body == b"by b"
    assert site.count == 2


async def test_of_several_that_match_the_newest_is_sent():
    site = Site()
    await site.after(said(body="old", cache_control=FRESH, vary="X-A", date=site.date()), x_a="1")
    site.wait(10)
    await site.after(said(body="new", cache_control=FRESH, vary="X-B", date=site.date()), x_a="2", x_b="1")
    assert ((await site(x_a="1", x_b="1")).body, site.count) == (b"new", 2)


async def test_a_newer_response_to_the_same_takes_the_place_of_the_older():
    site = Site()
    await site.after(said(body="old", cache_control=FRESH, vary="X-A"), x_a="1")
    await site.after(said(body="new", cache_control=FRESH, vary="X-A"), x_a="1", cache_control="no-cache")
    assert ((await site(x_a="1")).body, site.count) == (b"new", 2)


async def test_a_response_without_vary_does_not_hide_one_with_it():
    site = Site()
    await site.after(said(body="by a", cache_control=FRESH, vary="X-A"), x_a="1")
    await site.after(said(body="for all", cache_control=FRESH), x_a="2")
    assert (await site(x_a="1")).body == b"by a"


async def test_other_urls_hosts_and_schemes_are_others():
    site = Site()
    urls = [{"path": "/a"}, {"path": "/b"}, {"path": "/a?x"}, {"path": "/a?x=1"}, {"path": "/a/"}, {"path": "/A"}]
    urls += [{"path": "/a", "host": b"other"}, {"path": "/a", "scheme": "https"}, {"path": "/a", "host": b"h:8080"}]
    urls += [{"path": "/a?x&y"}, {"path": "/a?y&x"}, {"path": "/%61"}, {"path": "/a?x=2&x=1"}, {"path": "/a?x=1&x=2"}]
    for number, url in enumerate(urls):
        site.answers = [said(body=str(number), cache_control=FRESH)]
        await site(**url)
    assert [(await site(**url)).body for url in urls] == [b"%d" % number for number in range(len(urls))]
    assert site.count == len(urls)
