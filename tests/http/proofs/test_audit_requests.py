"""What clients may ask of a cache: RFC 9111 5.2.1 and 5.4; in the safe profile they may not."""

import pytest

from tests.http.proofs.upstream import Site, said

BYPASSING = [
    {"cache_control": "no-cache"},
    {"cache_control": "No-Cache"},
    {"cache_control": "x, no-cache"},
    {"cache_control": ["x", "no-cache"]},
    {"cache_control": "max-age=0"},
    {"cache_control": "max-age=29"},
    {"cache_control": "min-fresh=31"},
    {"cache_control": "min-fresh=9999999999"},
    {"cache_control": "max-age=999, min-fresh=60"},
    {"pragma": "no-cache"},
    {"pragma": "x, No-Cache"},
    {"cache_control": "no-store"},
]
ANSWERED = [
    {},
    {"cache_control": "max-age=30"},
    {"cache_control": "min-fresh=30"},
    {"cache_control": "min-fresh=29"},
    {"cache_control": "max-age=31, min-fresh=29"},
    {"cache_control": "only-if-cached"},
    {"cache_control": "max-stale"},
    {"cache_control": 'x="no-cache"'},
    {"cache_control": "no-transform, x=1"},
    {"cache_control": "max-age=60", "pragma": "no-cache"},
    {"pragma": "x"},
]


async def half_old(profile="rfc9111", control="max-age=60"):
    site = Site(profile)
    await site.after(said(cache_control=control, etag='"a"'))
    site.wait(30)
    site.answers = [said(body="two", cache_control=control, etag='"b"')]
    return site


async def is_bypassed(site, asked):
    return ((await site(**asked)).body, site.count) == (b"two", 2)


async def test_a_client_may_want_a_newer_one():
    assert [asked for asked in BYPASSING if not await is_bypassed(await half_old(), asked)] == []


async def test_a_client_gets_what_is_good_enough():
    assert [asked for asked in ANSWERED if await is_bypassed(await half_old(), asked)] == []


async def test_in_the_safe_profile_a_reload_bypasses_nothing():
    reloads = [asked for asked in BYPASSING if "no-store" not in str(asked)]
    found = [asked for asked in reloads if await is_bypassed(await half_old("safe", "max-age=60, public"), asked)]
    assert found == []


@pytest.mark.parametrize(("stale_for", "asked", "status"), [
    (0, "max-stale", 200), (9, "max-stale", 200), (9, "max-stale=10", 200), (9, "max-stale=8", 0), (9, "", 0),
    (9, "max-stale=0", 0), (9, "max-stale=20, max-age=30", 0), (9, "max-stale=20, min-fresh=1", 0),
    (9, "max-stale=20, no-cache", 0),
])  # fmt: skip
async def test_a_client_may_take_what_is_over(stale_for, asked, status):
    site = Site()
    await site.after(said(cache_control="max-age=60", etag='"a"'))
    site.wait(60 + stale_for)
    site.answers = [said(body="two")]
    answer = await site(cache_control=asked)
    if status:
        assert (answer.body, site.count, answer.header("age")) == (b"one", 1, str(60 + stale_for))
    else:
        assert (answer.body, site.count) == (b"two", 2)


async def test_only_if_cached_is_answered_by_504_else():
    site = Site()
    assert (await site(cache_control="only-if-cached")).status == 504
    await site.after(said(cache_control="max-age=60"))
    site.wait(60)
    assert (await site(cache_control="Only-If-Cached")).status == 504
    assert (await site(cache_control="only-if-cached, max-stale=9")).status == 200
    assert site.count == 1


async def test_a_reload_renews_what_is_stored_for_all():
    site = await half_old()
    await site(cache_control="no-cache")
    assert ((await site()).body, site.count) == (b"two", 2)


async def test_a_reload_validates_with_the_app():
    site = await half_old()
    site.answers = [said(304, b"", etag='"a"', cache_control="max-age=60")]
    answer = await site(cache_control="no-cache")
    assert (answer.status, answer.body, answer.header("age")) == (200, b"one", "0")


@pytest.mark.parametrize(
    "asked", ["max-age=abc", "max-age=-1", "min-fresh=x", "max-stale=x", "=", '"', ",", 'no-cache="x"']
)
async def test_odd_directives_of_clients_are_answered_somehow(asked):
    site = await half_old()
    assert (await site(cache_control=asked)).status == 200


async def test_what_clients_ask_is_passed_on():
    site = Site()
    await site.after(said(), cache_control="max-age=0, x=1", pragma="no-cache", x_own="a", cookie="a=b")
    asked = site.asked[0]
    assert (asked.header("cache-control"), asked.header("pragma")) == ("max-age=0, x=1", "no-cache")
    assert (asked.header("x-own"), asked.header("cookie")) == ("a", "a=b")


async def test_bodies_of_requests_are_passed_on():
    site = Site()
    await site.after(said(), method="POST", body=b"hello")
    await site.after(said(cache_control="max-age=60"), method="GET", body=b"hello")
    assert [asked.body for asked in site.asked] == [b"hello"] * 2
