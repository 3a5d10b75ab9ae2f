"""`@Cache(query=...)` in Litestar: what a page is not kept by is seen by nobody within the route."""

from typing import Annotated

import pytest
from litestar import Litestar, Request, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import LitestarDeprecationWarning
from litestar.params import FromQuery, QueryParameter
from litestar.testing import TestClient

from asynccache import Cache, CacheModule, ConfigurationError
from asynccache.integrations.litestar import CachePlugin
from tests.http.serving import ask, is_hit


def app_of(*handlers, **options):
    return Litestar([*handlers], plugins=[CachePlugin(CacheModule.setup(default="local"))], **options)


def client_of(*handlers, **options):
    return TestClient(app_of(*handlers, **options), raise_server_exceptions=False)


async def coloured(colour: Annotated[str, QueryParameter(name="c")] = "-") -> str:
    return colour


def site(query, **options):
    @get("/", dependencies={"tint": Provide(coloured)})
    @Cache(60, query=query)
    async def page(request: Request, tint: NamedDependency[str], page: FromQuery[int] = 1) -> dict:
        raw = request.scope["query_string"].decode()
        return {"tint": tint, "page": page, "url": request.url.query, "raw": raw, "all": dict(request.query_params)}

    return app_of(page, **options)


@pytest.mark.parametrize("query", ["declared", ["page", "c"], ["-utm_*", "-fbclid"]], ids=repr)
async def test_pages_are_kept_by_what_counts(query):
    app = site(query)
    first = await ask(app, "/?utm_source=evil&page=2&c=red&fbclid")
    assert b"evil" not in first.body
    assert b'"url":"page=2&c=red","raw":"page=2&c=red"' in first.body
    assert (await ask(app, "/?c=red&page=2&utm_source=other")).cache == "hit"
    assert (await ask(app, "/?c=blue&page=2")).cache != "hit"
    assert (await ask(app, "/?c=red&page=3")).cache != "hit"


async def test_middleware_that_has_looked_at_the_query_tells_nobody_else():
    seen = []

    def looking(app):
        async def look(scope, receive, send):
            async def looked(message):
                seen.append((scope["query_string"], dict(Request(scope).query_params)))
                await send(message)

            seen.append((scope["query_string"], dict(Request(scope).query_params)))
            await app(scope, receive, looked)
            seen.append((scope["query_string"], dict(Request(scope).query_params)))

        return look

    app = site(["page", "c"], middleware=[looking])
    assert b"evil" not in (await ask(app, "/?utm_source=evil&page=2")).body
    assert len(seen) > 2
    assert all(one == (b"utm_source=evil&page=2", {"utm_source": "evil", "page": "2"}) for one in seen)


def test_guards_see_no_more_than_what_counts():
    seen = []

    async def guard(connection, handler):
        seen.append(dict(connection.query_params))

    @get("/", guards=[guard])
    @Cache(60, query=["a"])
    async def page() -> int:
        return 1

    client = client_of(page)
    assert not is_hit(client.get("/?a=1&b=2"))
    assert is_hit(client.get("/?b=3&a=1"))
    assert seen == [{"a": "1"}] * 2


def test_a_handler_that_takes_the_whole_query_declares_nothing():
    @get("/")
    @Cache(60, query="declared")
    async def page(query: dict[str, str]) -> int: ...

    with (
        pytest.warns(LitestarDeprecationWarning, match="'query'"),
        pytest.raises(ConfigurationError, match=r"route '/': nobody knows"),
    ):
        app_of(page)


def test_a_parameter_that_would_never_be_seen_is_told_when_the_app_is_made():
    with pytest.raises(ConfigurationError, match="takes 'c'"):
        site(["page"])
