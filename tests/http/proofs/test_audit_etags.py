"""Entity tags that the cache makes of what it stores: for its clients, and nobody else."""

import pytest

from tests.http.proofs.dates import imf
from tests.http.proofs.upstream import NOW, Site, said

OWN = {"etags": True}
MODIFIED = imf(NOW - 1000)


async def tag_of(site, **fields):
    await site.after(said(cache_control="max-age=60", **fields))
    tag = (await site()).header("etag")
    assert tag.startswith('"')
    return tag


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
async def test_clients_ask_by_it(profile):
    site = Site(profile, OWN)
    tag = await tag_of(site)
    assert (await site(if_none_match=tag)).status == 304
    assert (await site(range="bytes=0-0", if_range=tag)).status == 206
    assert site.count == 1


async def test_an_app_that_knows_dates_alone_is_asked_by_its_date_alone():
    site = Site(options=OWN)
    tag = await tag_of(site, last_modified=MODIFIED)
    site.wait(60)
    site.answers = [said(304, b"", cache_control="max-age=60", last_modified=MODIFIED)]
    answer = await site(if_none_match=tag)
    assert (site.asked[1].header("if-none-match"), site.asked[1].header("if-modified-since")) == (None, MODIFIED)
    assert (answer.status, answer.body, site.count) == (304, b"", 2)
    assert (await site()).header("etag") == tag


async def test_an_app_without_validators_is_asked_for_all_of_it():
    site = Site(options=OWN)
    tag = await tag_of(site)
    site.wait(60)
    site.answers = [said(body="two", cache_control="max-age=60")]
    assert (await site()).body == b"two"
    assert site.asked[1].header("if-none-match") is None
    assert (await site(if_none_match=tag)).body == b"two"


async def test_tags_of_the_app_stay_as_they_came():
    site = Site(options=OWN)
    assert await tag_of(site, etag='"a"') == '"a"'
    site.wait(60)
    site.answers = [said(304, b"", etag='"a"')]
    await site()
    assert site.asked[1].header("if-none-match") == '"a"'
