"""What the `safe` profile does not do, though RFC 9111 would let it; and `default_ttl`, which is for nobody's own."""

import pytest

from tests.http.proofs.dates import imf
from tests.http.proofs.upstream import NOW, Site, reused, said

COOKIE, LOGIN = {"cookie": "a=b"}, {"authorization": "Basic a"}
PERSONAL = [(COOKIE, {}), ({}, COOKIE), (COOKIE, COOKIE), (COOKIE, {"cookie": "c=d"})]


@pytest.mark.parametrize(("first", "request_"), PERSONAL)
async def test_cookies_keep_answers_apart_unless_the_app_says_otherwise(first, request_):
    async def is_reused(**fields):
        return await reused(profile="safe", first=first, request=request_, **fields)

    assert not await is_reused(cache_control="max-age=60")
    assert not await is_reused(expires=imf(NOW + 60))
    assert await is_reused(cache_control="public, max-age=60")
    assert await is_reused(cache_control="s-maxage=60")
    assert await is_reused(cache_control="max-age=60", vary="Cookie") == (first == request_)


@pytest.mark.parametrize(("control", "status"), [("max-age=60", 0), ("public, max-age=60", 200), ("s-maxage=60", 200)])
async def test_an_answer_that_sets_a_cookie_is_stored_without_it_or_not_at_all(control, status):
    site = Site("safe")
    first = await site.after(said(cache_control=control, set_cookie=["a=1", "b=2"]), said(410, "newer"))
    again = await site()
    assert (first.header("set-cookie"), again.header("set-cookie")) == ("a=1", None)
    assert again.status == (status or 410)


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
@pytest.mark.parametrize(("first", "request_"), [*PERSONAL, (LOGIN, {}), ({}, LOGIN), (LOGIN, LOGIN)])
async def test_a_default_ttl_is_for_anonymous_requests_only(profile, first, request_):
    assert not await reused(profile=profile, options={"default_ttl": 60}, first=first, request=request_)


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
async def test_a_default_ttl_is_for_what_says_nothing(profile):
    async def is_reused(**fields):
        return await reused(profile=profile, options={"default_ttl": 60}, waiting=59, **fields)

    assert await is_reused()
    assert not await reused(profile=profile, options={"default_ttl": 60}, waiting=60)
    for fields in [
        {"cache_control": "max-age=0"}, {"cache_control": "private"}, {"cache_control": "no-store"}, {"expires": "0"},
        {"cache_control": "no-cache"}, {"set_cookie": "a=b"}, {"status": 500}, {"status": 302}, {"vary": "*"},
        {"content_type": "text/event-stream"}, {"cache_control": "max-age"}, {"cache_control": "s-maxage=0"},
    ]:  # fmt: skip
        assert not await is_reused(**fields), fields
