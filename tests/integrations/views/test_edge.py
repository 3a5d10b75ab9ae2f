"""Flask and Quart: what pages say of themselves, and where a `CacheMiddleware` may answer before the view."""

import pytest

from asynccache import Cache, CacheMiddleware, ConfigurationError
from tests.http.serving import ask

SAID = "max-age=0, s-maxage=60"


def with_view(site, **options):
    calls = []

    @site.app.get("/p/<number>")
    @Cache(60, **options)
    def view(number):
        calls.append(number)
        return f"call {len(calls)}"

    return calls


async def said(site, **options):
    return [(await site.ask("/p/7", **options)).headers.getlist("cache-control") for _ in range(3)]


async def test_pages_say_how_long_they_are_good_for(site):
    with_view(site)
    assert await said(site) == [[SAID]] * 3
    assert await said(site, headers={"Cookie": "a=1"}) == [[]] * 3
    assert await said(site, headers={"X-Api-Key": "k"}) == [[]] * 3


async def test_a_page_that_speaks_for_itself_is_not_interrupted(site):
    @site.app.get("/p/7")
    @Cache(60)
    def view():
        return "x", 200, {"Cache-Control": "max-age=5"}

    assert await said(site) == [["max-age=5"]] * 3


async def test_an_answer_that_got_a_cookie_on_its_way_no_longer_says_it(site):
    with_view(site)

    @site.app.after_request
    def greet(response):
        response.set_cookie("visitor", "1")
        return response

    assert await said(site) == [[]] * 3


async def test_a_session_that_was_looked_at_is_not_told(site):
    @site.app.get("/p/7")
    @Cache(60)
    def view():
        return site.web.session.get("name", "nobody")

    assert await said(site) == [[]] * 3


@pytest.mark.parametrize("framework", ["flask"], indirect=True)
async def test_where_the_middleware_is_not_heard_of_edge_is_an_error(site):
    with_view(site, edge=True)
    assert (await site.ask("/p/7")).status_code == 500
    site.app.testing = True
    with pytest.raises(ConfigurationError, match="leave edge out"):
        await site.ask("/p/7")


@pytest.mark.parametrize("framework", ["quart"], indirect=True)
async def test_edge_answers_before_the_view_and_what_comes_before_it(site):
    calls, seen = with_view(site, edge=True, tags=["p:{number}"]), []
    site.app.before_request(lambda: seen.append(1))
    service = site.integration.get_cache_service(site.app)
    outer = CacheMiddleware(site.app, service)
    assert [(await ask(outer, "/p/7")).body for _ in range(3)] == [b"call 1"] * 3
    assert (len(calls), len(seen)) == (1, 1)
    await service.invalidate_tags_async("p:7")
    assert [(await ask(outer, "/p/7")).body for _ in range(2)] == [b"call 2"] * 2
    await ask(outer, "/p/7", headers=[(b"cookie", b"a=1")])
    assert (len(calls), len(seen)) == (2, 3)
