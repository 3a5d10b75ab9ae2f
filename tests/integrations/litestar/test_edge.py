"""Litestar with a `CacheMiddleware` around: what pages say of themselves, and which guards are skipped."""

import pytest
from litestar import Litestar, Request, get
from litestar.config.csrf import CSRFConfig
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException
from litestar.params import FromPath

from asynccache import Cache, CacheMiddleware, CacheModule
from asynccache.integrations.litestar import CachePlugin, get_cache_service
from tests.http.serving import ask

SAID = "max-age=0, s-maxage=60"


def app_of(*handlers, **options):
    return Litestar([*handlers], plugins=[CachePlugin(CacheModule.setup(default="local"))], **options)


def outer_of(app, **options):
    return CacheMiddleware(app, get_cache_service(app), **options)


@get("/{number:int}")
@Cache(60)
async def plain(number: FromPath[int]) -> int:
    return number


async def test_pages_say_how_long_they_are_good_for():
    app = app_of(plain)
    assert [(await ask(app, "/7")).header("cache-control") for _ in range(3)] == [SAID] * 3
    assert (await ask(app, "/7", headers=[(b"cookie", b"a=1")])).header("cache-control") is None


@pytest.mark.parametrize("profile", ["safe", "rfc9111"])
async def test_a_token_against_forgery_is_given_to_one_only(profile):
    outer = outer_of(app_of(plain, csrf_config=CSRFConfig(secret="s")), profile=profile)
    answers = [await ask(outer, "/7") for _ in range(3)]
    assert [answer.header("cache-control") for answer in answers] == [None] * 3
    assert len({answer.header("set-cookie") for answer in answers}) == 3


async def test_edge_skips_guards_dependencies_and_handler():
    seen = []

    async def guard(connection, handler):
        seen.append("guard")

    async def load() -> int:
        seen.append("dependency")
        return 1

    @get("/{number:int}", guards=[guard], dependencies={"one": Provide(load)})
    @Cache(60, edge=True, tags=["p:{number}"])
    async def product(number: FromPath[int], one: NamedDependency[int]) -> int:
        seen.append("handler")
        return number + one

    app = app_of(product)
    outer = outer_of(app)
    assert [(await ask(outer, "/7")).body for _ in range(3)] == [b"8"] * 3
    assert seen == ["guard", "dependency", "handler"]
    await get_cache_service(app).invalidate_tags_async("p:7")
    await ask(outer, "/7")
    assert len(seen) == 6


async def test_nobody_is_answered_by_what_a_guard_let_somebody_see():
    def guard(connection, handler):
        if "authorization" not in connection.headers:
            raise NotAuthorizedException

    @get("/", guards=[guard])
    @Cache(60, edge=True, public=True)
    async def inside(request: Request) -> str:
        return "secret"

    for profile in ("safe", "rfc9111"):
        outer = outer_of(app_of(inside), profile=profile)
        for _ in range(2):
            assert [(await ask(outer, headers=[(b"authorization", b"x")])).status for _ in range(2)] == [200] * 2
            assert [(await ask(outer)).status for _ in range(2)] == [401] * 2
