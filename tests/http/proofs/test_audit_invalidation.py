"""What RFC 9111 4.4 and RFC 9875 have requests invalidate."""

import pytest

from tests.http.proofs.upstream import Site, failing, said
from tests.http.serving import ask

FRESH = "max-age=600"
UNSAFE = ["POST", "PUT", "DELETE", "PATCH", "LOCK", "MKCOL", "M-SEARCH", "UNHEARD"]


async def site_with(*paths, **fields):
    site = Site()
    for path in paths:
        await site.after(said(body=f"old {path}", cache_control=FRESH, **fields), path=path)
    return site


async def is_kept(site, path, **asked):
    site.answers = [said(body="new", cache_control=FRESH)]
    return (await site(path=path, **asked)).body == f"old {path}".encode()


async def test_unsafe_methods_that_succeed_invalidate():
    async def invalidates(method, status):
        site = await site_with("/a?b", "/a")
        await site.after(said(status, ""), method=method, path="/a?b")
        return [await is_kept(site, path) for path in ("/a?b", "/a")] == [False, True]

    assert await failing(invalidates, UNSAFE, [200, 201, 204, 205, 299, 301, 303, 308, 399]) == []


async def test_unsafe_methods_that_fail_do_not():
    async def leaves(method, status):
        site = await site_with("/a")
        await site.after(said(status, "", location="/a", content_location="/a"), method=method, path="/a")
        return await is_kept(site, "/a")

    assert await failing(leaves, UNSAFE, [400, 404, 409, 499, 500, 503, 599]) == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE"])
async def test_safe_methods_do_not(method):
    site = await site_with("/a")
    await site.after(said(200, ""), method=method, path="/a")
    assert await is_kept(site, "/a")


async def test_all_variants_are_invalidated():
    site = Site()
    for number in range(3):
        await site.after(said(body="old /", cache_control=FRESH, vary="x-a"), x_a=number)
    await site.after(said(200, ""), method="POST", x_a="1")
    assert [await is_kept(site, "/", x_a=number) for number in range(3)] == [False] * 3


@pytest.mark.parametrize("field", ["location", "content_location"])
@pytest.mark.parametrize(
    "url", ["/b", "http://h/b", "b", "http://H:80/b", "//h/b", "./b", "/c/../b", "/b#part", "HTTP://h/b"]
)
async def test_what_a_response_of_the_same_origin_points_to_goes_too(field, url):
    site = await site_with("/a", "/b")
    await site.after(said(201, "", **{field: url}), method="POST", path="/a")
    assert not await is_kept(site, "/b")


@pytest.mark.parametrize("field", ["location", "content_location"])
@pytest.mark.parametrize("url", [
    "http://other/b", "https://h/b", "http://h:8080/b", "//other/b", "http://h.other/b", "http://h@other/b",
    "http://", "http://[", "::", "", "\\\\other\\b", "/other", "javascript:b", "http://h:x/b", "http://h:99999/b",
])  # fmt: skip
async def test_what_it_says_of_other_origins_stays_and_odd_urls_harm_nobody(field, url):
    site = await site_with("/b")
    answer = await site.after(said(201, "made", **{field: url}), method="POST", path="/a")
    assert (answer.status, answer.body) == (201, b"made")
    assert await is_kept(site, "/b")


async def test_a_relative_url_is_relative_to_the_request():
    site = await site_with("/dir/b", "/b")
    await site.after(said(201, "", location="b"), method="POST", path="/dir/a?x=/y")
    assert [await is_kept(site, path) for path in ("/dir/b", "/b")] == [False, True]


async def test_what_another_origin_has_at_this_path_stays():
    site = await site_with("/a")
    site.answers = [said(200, "")]
    await site("POST", "/a", host=b"other")
    site.answers = [said(200, "")]
    await site("POST", "/a", scheme="https")
    assert await is_kept(site, "/a")


async def test_an_answer_that_was_begun_before_an_invalidation_is_not_kept():
    site = Site()
    original = site.answer

    async def answer(scope, receive, send):
        if scope["method"] == "GET" and not site.asked:
            site.answers = [said(body="old", cache_control=FRESH)]
            inner, site.answers = site.answers, [said(204, b"")]
            site.asked.append(None)
            await site("POST")
            site.answers = inner
        await original(scope, receive, send)

    site.answer = answer
    site.__post_init__()
    assert (await site()).body == b"old"
    site.answers = [said(body="new", cache_control=FRESH)]
    assert (await site()).body == b"new"


async def test_invalidating_at_once_is_seen_by_who_asks_when_the_answer_comes():
    site = await site_with("/a")
    seen = []

    async def look(message):
        if message["type"] == "http.response.start":
            site.answers = [said(body="new", cache_control=FRESH)]
            seen.append((await site(path="/a")).body)

    site.answers = [said(200, "")]
    await ask(site.app, "/a", method="POST", send=look)
    assert seen == [b"new"]


# RFC 9875


async def test_cache_groups_are_invalidated_together_within_an_origin():
    site = Site()
    groups = {"/a": '"x"', "/b": '"y", "x"', "/c": '"y"', "/d": "x"}
    for path, group in groups.items():
        await site.after(said(body=f"old {path}", cache_control=FRESH, cache_groups=group), path=path)
    site.answers = [said(body="old /a", cache_control=FRESH, cache_groups='"x"')]
    await site("GET", "/a", host=b"other")
    await site.after(said(200, "", cache_group_invalidation='"x"'), method="POST", path="/z")
    assert [await is_kept(site, path) for path in groups] == [False, False, True, True]
    assert await is_kept(site, "/a", host=b"other")


@pytest.mark.parametrize(("method", "status"), [("GET", 200), ("POST", 500), ("POST", 404), ("HEAD", 200)])
async def test_safe_or_failed_requests_invalidate_no_group(method, status):
    site = await site_with("/a", cache_groups='"x"')
    await site.after(said(status, "", cache_group_invalidation='"x"'), method=method, path="/z")
    assert await is_kept(site, "/a")


@pytest.mark.parametrize("groups", ["x", '"X"', '"x', '("x")', '"y"', "'x'", ""])
async def test_what_is_no_list_of_strings_invalidates_no_group(groups):
    site = await site_with("/a", cache_groups='"x"')
    await site.after(said(200, "", cache_group_invalidation=groups), method="POST", path="/z")
    assert await is_kept(site, "/a")
