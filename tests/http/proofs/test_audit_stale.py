"""When what is over may be sent all the same: RFC 9111 4.2.4, RFC 5861; and RFC 8246."""

import asyncio

import pytest

from tests.http.proofs.upstream import Site, said

ERRORS = [500, 502, 503, 504]


async def site_with(waiting, **fields):
    site = Site()
    await site.after(said(**{"cache_control": "max-age=60"} | fields))
    site.wait(waiting)
    return site


async def settled(site):
    """Let what goes on in the background end."""
    for _ in range(200):
        await asyncio.sleep(0)


# RFC 5861 3


@pytest.mark.parametrize("control", ["max-age=60, stale-while-revalidate=30", "Stale-While-Revalidate=30, max-age=60"])
async def test_what_may_be_stale_is_sent_at_once_and_renewed_once(control):
    site = await site_with(80, cache_control=control)
    site.answers = [said(body="two", cache_control=control)]
    answers = await asyncio.gather(*(site() for _ in range(5)))
    assert {answer.body for answer in answers} == {b"one"}
    assert {answer.header("age") for answer in answers} == {"80"}
    await settled(site)
    assert ((await site()).body, site.count) == (b"two", 2)


@pytest.mark.parametrize("waiting", [91, 1000])
async def test_after_its_time_it_is_waited_for(waiting):
    site = await site_with(waiting, cache_control="max-age=60, stale-while-revalidate=30")
    site.answers = [said(body="two", cache_control="max-age=60")]
    assert (await site()).body == b"two"


async def test_renewing_in_the_background_validates_with_the_app():
    site = await site_with(80, cache_control="max-age=60, stale-while-revalidate=30", etag='"a"')
    site.answers = [said(304, b"", etag='"a"', cache_control="max-age=60")]
    assert (await site(x_a="1")).body == b"one"
    await settled(site)
    assert (site.asked[1].method, site.asked[1].header("if-none-match")) == ("GET", '"a"')
    assert ((await site()).header("age"), site.count) == ("0", 2)


async def test_a_failed_renewal_in_the_background_changes_nothing():
    site = await site_with(80, cache_control="max-age=60, stale-while-revalidate=300")
    site.answers = [said(raises=RuntimeError("boom"))]
    assert (await site()).body == b"one"
    await settled(site)
    assert (await site()).body == b"one"


FORBIDDING = ["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache", "Must-Revalidate", "MUST-REVALIDATE"]


@pytest.mark.parametrize("forbidding", FORBIDDING)
async def test_what_is_never_to_be_stale_is_not(forbidding):
    control = f"max-age=60, stale-while-revalidate=900, stale-if-error=900, {forbidding}"
    site = await site_with(80, cache_control=control, etag='"a"')
    site.answers = [said(503, "broken")]
    answer = await site()
    assert (answer.status, answer.body) == (503, b"broken")
    site.answers = [said(raises=RuntimeError("boom"))]
    with pytest.raises(RuntimeError, match="boom"):
        await site()
    site.answers = [said(503, "broken")]
    assert (await site(cache_control="max-stale=999")).status == 503


# RFC 5861 4, RFC 9111 4.3.3


@pytest.mark.parametrize("status", ERRORS)
@pytest.mark.parametrize(("waiting", "stands_in"), [(60, True), (159, True), (161, False), (9999, False)])
async def test_within_its_time_it_stands_in_for_an_error(status, waiting, stands_in):
    site = await site_with(waiting, cache_control="max-age=60, stale-if-error=100", etag='"a"')
    site.answers = [said(status, "broken")]
    answer = await site()
    expected = (200, b"one") if stands_in else (status, b"broken")
    assert (answer.status, answer.body, site.count) == (*expected, 2)


@pytest.mark.parametrize("status", [400, 403, 404, 410, 501, 505])
async def test_it_does_not_stand_in_for_other_answers(status):
    site = await site_with(60, cache_control="max-age=60, stale-if-error=100", etag='"a"')
    site.answers = [said(status, "other")]
    assert (await site()).status == status


async def test_it_stands_in_for_an_app_that_fails():
    site = await site_with(100, etag='"a"')
    site.answers = [said(raises=RuntimeError("boom"))]
    answer = await site()
    assert (answer.status, answer.body, answer.header("age")) == (200, b"one", "100")


async def test_an_error_does_not_take_the_place_of_what_is_stored():
    site = await site_with(60, cache_control="max-age=60, stale-if-error=100", etag='"a"')
    site.answers = [said(503, "broken", cache_control="max-age=600")]
    await site()
    site.answers = [said(304, b"", etag='"a"')]
    assert (await site()).body == b"one"


async def test_an_error_of_what_is_fresh_is_not_seen():
    site = await site_with(10)
    assert ((await site()).body, site.count) == (b"one", 1)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_stands_in_for_an_unsafe_method(method):
    site = await site_with(60, cache_control="max-age=60, stale-if-error=100", etag='"a"')
    site.answers = [said(503, "broken")]
    assert (await site(method)).status == 503


# RFC 8246


async def test_what_is_immutable_is_not_validated_on_reload_while_it_is_fresh():
    site = await site_with(30, cache_control="max-age=60, immutable", etag='"a"')
    assert ((await site(cache_control="max-age=0")).body, site.count) == (b"one", 1)
    assert ((await site(cache_control="max-age=0", if_none_match='"a"')).status, site.count) == (304, 1)
    site.wait(30)
    site.answers = [said(304, b"", etag='"a"')]
    await site()
    assert site.count == 2
