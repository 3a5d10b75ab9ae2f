"""Whatever a view looks at, and whoever asks in whatever order: a cached view answers as one that is not cached."""

import itertools
import json
import random

import pytest

from asynccache import Cache
from tests.http.serving import is_hit
from tests.integrations.views.sites import Site

LOOKS = {
    "header": lambda web: web.request.headers.get("X-Tenant"),
    "lines of a header": lambda web: web.request.headers.getlist("x-tenant"),
    "all headers": lambda web: sorted(web.request.headers.items(lower=True)),
    "number of headers": lambda web: len(web.request.headers),
    "text of the headers": lambda web: str(web.request.headers),
    "cookies": lambda web: web.request.cookies.get("who"),
    "cookie header": lambda web: web.request.headers.get("Cookie"),
    "query": lambda web: web.request.args.get("q"),
    "authorization": lambda web: web.request.authorization and web.request.authorization.username,
    "address": lambda web: web.request.remote_addr,
    "route": lambda web: web.request.access_route,
    "agent": lambda web: web.request.user_agent.string,
    "languages": lambda web: web.request.accept_languages.best_match(["de", "en"]),
    "media types": lambda web: web.request.accept_mimetypes.best_match(["text/html", "application/json"]),
    "referrer": lambda web: web.request.referrer,
    "origin": lambda web: web.request.origin,
    "is_json": lambda web: web.request.is_json,
    "content type": lambda web: web.request.content_type,
    "range": lambda web: str(web.request.range),
    "max forwards": lambda web: web.request.max_forwards,
    "directives": lambda web: str(web.request.cache_control),
    "host": lambda web: web.request.host,
    "session": lambda web: web.session.get("name"),
    "session as a dict": lambda web: dict(web.session),
    "session as JSON": lambda web: json.dumps(web.session._get_current_object()),
    "truth of the session": lambda web: bool(web.session),
    "item of the session": lambda web: "name" in web.session and web.session["name"],
    "g": lambda web: web.g.user,
    "g for some": lambda web: web.g.get("tenant"),
    "in g": lambda web: "tenant" in web.g,
    "names in g": lambda web: sorted(web.g),
    "attribute of the request": lambda web: web.request.user,
    "attribute for some": lambda web: getattr(web.request, "tenant", None),
    "vars": lambda web: vars(web.request._get_current_object())["headers"].get("X-Tenant"),
    "own g": lambda web: web.g.setdefault("mine", 7),
    "flashes": lambda web: web.get_flashed_messages(),
}
OF_NOBODY = {
    "header", "lines of a header", "query", "agent", "languages", "media types", "referrer", "origin", "is_json",
    "content type", "max forwards", "host", "own g",
}  # fmt: skip
FIELDS = [
    {}, {"X-Tenant": "one"}, {"X-Tenant": "two"}, {"Authorization": "Basic YWxpY2U6eA=="}, {"Cookie": "who=alice"},
    {"Cookie": "who=bob"}, {"Accept-Language": "de"}, {"Accept": "application/json"}, {"User-Agent": "u2"},
    {"Referer": "http://x"}, {"Origin": "http://o"}, {"Content-Type": "application/json"}, {"Range": "bytes=0-1"},
    {"X-Forwarded-For": "9.9.9.9"}, {"Max-Forwards": "3"}, {"Cache-Control": "no-cache"},
]  # fmt: skip


def site_with(framework, look):
    site = Site(framework)
    web = site.web

    @site.app.before_request
    def load():
        web.g.user = web.request.user = web.session.get("name")
        if web.request.headers.get("X-Tenant"):
            web.g.tenant = web.request.tenant = web.request.headers["X-Tenant"]

    def view():
        return f"{look(web)}"

    async def asynchronous():
        return view()

    site.app.add_url_rule("/plain", "plain", view)
    site.app.add_url_rule("/cached", "cached", Cache(60)(view if framework == "flask" else asynchronous))
    return site


def asked(site):
    """Give the requests, each often enough, in an order that is always the same."""
    fields = [*FIELDS, site.signed(name="alice"), site.signed(name="bob")]
    requests = [(query, headers) for query, headers in itertools.product(("", "?q=1"), fields)] * 2
    random.Random(7).shuffle(requests)
    return requests


@pytest.mark.parametrize(("name", "look"), LOOKS.items(), ids=LOOKS)
async def test_a_cached_view_answers_as_if_it_were_not(framework, name, look):
    site, hits = site_with(framework, look), 0
    for query, headers in asked(site):
        plain, cached = [await site.ask(at + query, headers=headers) for at in ("/plain", "/cached")]
        ranges = {206: (206, plain.text[:2]), 416: (416, plain.text)}  # of an empty text there is no part
        wanted = ranges.get(cached.status_code, (plain.status_code, plain.text))
        assert (cached.status_code, cached.text) == wanted, (query, headers)
        hits += is_hit(cached)
    assert hits > 0 or name not in OF_NOBODY
