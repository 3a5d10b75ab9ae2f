"""RFC 9213: fields for this cache before Cache-Control, in the strict grammar of RFC 9651."""

import pytest

from tests.http.proofs.dates import imf
from tests.http.proofs.upstream import NOW, Site, failing, reused, said

OUTRANKING = [
    ("max-age=600", "no-store"),
    ("max-age=600", "private"),
    ("max-age=600", "max-age=0"),
    ("max-age=600, public", "no-cache"),
    ("MAX-AGE".lower() + "=600", "s-maxage=0"),
    ("  max-age=600  ", "no-store"),
    ("max-age=600;x=1, y", "no-store"),
    ('max-age=600, x="a, b", y=:YQ==:, z=?1, w=1.5, v=(a b)', "no-store"),
    ("max-age=1, max-age=600", "no-store"),
    (["public", "max-age=600"], "no-store"),
    ("max-age=600, no-store=?0", "no-store"),
]
INVALID = [
    "",
    "max-age=600,",
    "max-age=600;",
    "max-age 600",
    'x="a',
    "MAX-AGE=600, !",
    "max-age=600, , public",
    "&",
    "max-age=",
    "=600",
]
INVALID += ["max-age=600, 1x", "max-age=600 public", "max-age=600\u00e4", "max-age='600'", "Max-Age=600"]
INVALID += ['max-age="600"', "max-age", "max-age=600.0", "max-age=?1", "max-age=:YQ==:", "max-age=a"]


async def test_a_valid_targeted_field_replaces_cache_control():
    async def replaces(targeted, control):
        both = await reused(cdn_cache_control=targeted, cache_control=control, waiting=599)
        return both and await reused(cdn_cache_control=targeted, waiting=599, expires=imf(NOW - 60))

    assert await failing(replaces, OUTRANKING) == []


async def test_an_invalid_or_empty_one_is_as_if_it_were_not_there():
    async def is_ignored(targeted):
        control = {"cdn_cache_control": targeted, "cache_control": "max-age=60"}
        until = await reused(waiting=59, **control) and not await reused(waiting=60, **control)
        return until and not await reused(cdn_cache_control=targeted, cache_control="no-store")

    assert await failing(is_ignored, INVALID) == []


@pytest.mark.parametrize(
    "targeted", ["no-store", "private", "no-cache", "max-age=0", "no-store, max-age=600", "private;x, max-age=600"]
)
async def test_it_forbids_what_cache_control_allows(targeted):
    assert not await reused(cdn_cache_control=targeted, cache_control="max-age=600, public", expires=imf(NOW + 600))


@pytest.mark.parametrize("targeted", ["x", "public", "x=1, y", "max-stale=600"])
async def test_one_that_says_nothing_of_freshness_replaces_what_does(targeted):
    assert not await reused(cdn_cache_control=targeted, cache_control="max-age=600", expires=imf(NOW + 600))


async def test_the_field_is_passed_on():
    site = Site()
    fields = {"cdn_cache_control": "max-age=600", "cache_control": "no-store"}
    for _ in range(2):
        answer = await site.after(said(**fields))
        assert (answer.header("cdn-cache-control"), answer.header("cache-control")) == ("max-age=600", "no-store")
    assert site.count == 1


TARGETS = {"targets": ("Mine-Cache-Control", "CDN-Cache-Control")}


async def test_the_first_of_the_listed_fields_that_is_valid_counts():
    own = {"mine_cache_control": "max-age=600", "cdn_cache_control": "no-store", "cache_control": "no-store"}
    assert await reused(options=TARGETS, **own)
    assert not await reused(
        options=TARGETS, **own | {"mine_cache_control": "no-store", "cdn_cache_control": "max-age=600"}
    )
    assert await reused(options=TARGETS, **own | {"mine_cache_control": "&", "cdn_cache_control": "max-age=600"})
    assert not await reused(**own)


async def test_fields_of_others_mean_nothing():
    assert not await reused(surrogate_control="max-age=600", other_cdn_cache_control="max-age=600")
    assert await reused(cache_control="max-age=600", other_cdn_cache_control="no-store", surrogate_control="no-store")


async def test_what_it_says_of_stale_use_counts():
    site = Site()
    control = "max-age=60, stale-if-error=100"
    await site.after(said(cdn_cache_control=control, cache_control="max-age=60, must-revalidate", etag='"a"'))
    site.wait(80)
    site.answers = [said(503, "broken")]
    assert (await site()).body == b"one"


@pytest.mark.parametrize("control", ["public, max-age=60", "must-revalidate, max-age=60"])
async def test_what_it_says_of_authorization_counts(control):
    login = {"authorization": "Basic a"}
    assert await reused(cdn_cache_control=control, first=login, request=login)
    assert not await reused(cdn_cache_control="max-age=60", cache_control="public", first=login, request=login)
