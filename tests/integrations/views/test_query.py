"""`@Cache(query=...)` in Flask and Quart: what a page is not kept by is not seen by its view."""

import pytest

from asynccache import Cache, ConfigurationError
from tests.http.serving import is_hit
from tests.integrations.views.sites import Site

FRAMEWORKS = ["flask", "quart"]


def seen_of(site):
    """Give all that a view can see of a query."""
    request = site.web.request
    seen = [request.query_string.decode(), request.args.to_dict(), request.url, request.full_path]
    if site.framework == "flask":
        return str([*seen, request.environ["QUERY_STRING"], request.values.to_dict()])
    return str([*seen, request.scope["query_string"]])


@pytest.fixture(params=FRAMEWORKS)
def site(request):
    return Site(request.param)


@pytest.mark.parametrize("query", [["a"], ["-utm_*"]], ids=repr)
@pytest.mark.parametrize("is_async", [False, True])
async def test_a_view_sees_what_its_page_is_kept_by(site, is_async, query):
    whole = []

    @site.app.before_request
    def look_before():
        whole.append(seen_of(site))

    @site.app.after_request
    def look_after(response):
        whole.append(seen_of(site))
        return response

    def view():
        return seen_of(site)

    async def async_view():
        return seen_of(site)

    site.app.add_url_rule("/", view_func=Cache(60, query=query)(async_view if is_async else view))
    first = await site.ask("/?utm_source=evil&a=1")
    assert "evil" not in first.text
    assert "'a': '1'" in first.text
    assert is_hit(await site.ask("/?a=1&utm_source=evil"))
    assert len(whole) == 4
    assert all("evil" in seen for seen in whole)


async def test_a_body_that_is_made_while_it_is_sent_sees_no_more(site):
    @site.app.get("/")
    @Cache(60, query=["a"])
    def view():
        @site.web.stream_with_context
        def parts():
            for _ in range(3):
                yield seen_of(site)

        @site.web.stream_with_context
        async def async_parts():
            for _ in range(3):
                yield seen_of(site)

        return site.app.response_class(parts() if site.framework == "flask" else async_parts())

    first = await site.ask("/?b=evil&a=1")
    assert "evil" not in first.text
    assert is_hit(await site.ask("/?a=1&b=other"))


async def test_nobody_knows_what_is_declared(site):
    site.app.testing = True

    @site.app.get("/")
    @Cache(60, query="declared")
    def view(): ...

    with pytest.raises(ConfigurationError, match="nobody knows"):
        await site.ask("/")
