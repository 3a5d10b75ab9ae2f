"""Pages of FastAPI and Litestar are renewed by a copy of the request, with dependencies of its own, and stand in."""

import asyncio
from typing import Annotated

import pytest
from fastapi import APIRouter, Depends, FastAPI, HTTPException
from litestar import Controller, Litestar, get
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException as LitestarHTTPException
from litestar.params import FromPath

from asynccache import Cache, CacheModule, CachePolicy, ConfigurationError, current_load, install
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.integrations.fastapi import CacheServiceDep
from asynccache.integrations.litestar import CachePlugin
from asynccache.testing import FakeClock
from tests.http.serving import ask

POLICY = CachePolicy(ttl=100, refresh_ahead=0.8, stale_while_revalidate=50, stale_if_error=500, hard_timeout=5)


class Shop:
    """What the handlers of all frameworks do and note."""

    def __init__(self, framework):
        self.clock = FakeClock()
        self.calls, self.opened, self.closed = [], 0, 0
        self.failing = None
        module = CacheModule.setup(default=LocalMemCacheBackend(clock=self.clock))
        self.service = module.service
        self.app = {"fastapi": self.fastapi, "litestar": self.litestar}[framework](module)

    def page(self, number, session):
        """Render a page, with a session that must be open."""
        assert session == [self.opened, "open"]
        if self.failing:
            raise self.failing
        current_load().tags = ["inside"]
        self.calls.append(number)
        return {"call": len(self.calls)}

    async def session(self):
        self.opened += 1
        session = [self.opened, "open"]
        yield session
        session[1] = "closed"
        self.closed += 1

    def fastapi(self, module):
        app, router = FastAPI(), APIRouter(prefix="/shop")

        @router.get("/{number}")
        @Cache(policy=POLICY, tags=["page:{number}", "all"])
        async def page(number: int, session: Annotated[list, Depends(self.session)]):
            return self.page(number, session)

        app.include_router(router)
        install(app, module)
        return app

    def litestar(self, module):
        async def session():
            async for one in self.session():
                yield one

        class Pages(Controller):
            path = "/shop"

            @get("/{number:int}")
            @Cache(policy=POLICY, tags=["page:{number}", "all"])
            async def page(self, number: FromPath[int], session: NamedDependency[list]) -> dict[str, int]:
                return shop.page(number, session)

        shop = self
        return Litestar([Pages], plugins=[CachePlugin(module)], dependencies={"session": Provide(session)})

    async def ask(self, path="/shop/7"):
        answer = await ask(self.app, path)
        return answer.body, answer.cache

    async def settled(self):
        async with asyncio.timeout(5):
            while self.service.loader.runner.running:
                await asyncio.sleep(0.001)


@pytest.fixture(params=["fastapi", "litestar"])
def shop(request):
    return Shop(request.param)


def told(number):
    return b'{"call":%d}' % number


async def test_a_page_is_renewed_with_dependencies_of_its_own(shop):
    assert await shop.ask() == (told(1), "fwd=uri-miss; stored")
    shop.clock.advance(81)
    assert await shop.ask() == (told(1), "hit")
    await shop.settled()
    assert await shop.ask() == (told(2), "hit")
    assert shop.calls == [7, 7]
    assert shop.opened == shop.closed


@pytest.mark.parametrize(
    "failing", [KeyError("x"), HTTPException(503), LitestarHTTPException(status_code=500)], ids=["raises", "503", "500"]
)
async def test_an_older_page_stands_in_for_a_failure(shop, failing):
    await shop.ask()
    shop.clock.advance(200)
    shop.failing = failing
    assert await shop.ask() == (told(1), "hit; ttl=-100")
    assert shop.opened == shop.closed
    shop.clock.advance(2)
    shop.failing = None
    assert await shop.ask() == (told(2), "fwd=stale; stored")


@pytest.mark.parametrize("tag", ["page:7", "all", "inside"])
async def test_pages_go_with_their_tags(shop, tag):
    await shop.ask()
    await shop.ask("/shop/8")
    await shop.service.invalidate_tags_async(tag)
    assert (await shop.ask())[0] == told(3)
    assert (await shop.ask("/shop/8"))[1] == ("hit" if tag == "page:7" else "fwd=uri-miss; stored")


async def test_tags_are_made_of_what_the_handler_is_given(shop):
    await shop.ask("/shop/007")
    await shop.service.invalidate_tags_async("page:7")
    assert (await shop.ask("/shop/007"))[1] != "hit"


async def test_pages_of_an_app_below_another_with_a_cache_of_its_own_are_renewed():
    clock, calls = FakeClock(), []
    outer, inner = FastAPI(), FastAPI()

    @inner.get("/page")
    @Cache(policy=POLICY)
    async def page():
        calls.append(1)
        return len(calls)

    outer.mount("/inner", inner)
    modules = [CacheModule.setup(default=LocalMemCacheBackend(clock=clock)) for _ in range(2)]
    for app, module in zip((outer, inner), modules, strict=True):
        install(app, module)
    assert (await ask(outer, "/inner/page")).cache == "fwd=uri-miss; stored"
    clock.advance(81)
    assert (await ask(outer, "/inner/page")).body == b"1"
    async with asyncio.timeout(5):
        while modules[1].service.loader.runner.running:
            await asyncio.sleep(0.001)
    answer = await ask(outer, "/inner/page")
    assert (answer.body, answer.cache) == (b"2", "hit")


async def test_dependencies_may_make_tags():
    app = FastAPI()

    def tenant() -> str:
        return "acme"

    @app.get("/")
    @Cache(tags=["tenant:{name}"])
    async def page(cache: CacheServiceDep, name: Annotated[str, Depends(tenant)]):
        return name

    module = CacheModule.setup(default="local")
    install(app, module)
    await ask(app)
    assert (await ask(app)).cache == "hit"
    await module.service.invalidate_tags_async("tenant:acme")
    assert (await ask(app)).cache != "hit"


def test_a_name_that_is_no_parameter_is_refused_at_once():
    with pytest.raises(ConfigurationError, match=r"'id'.*takes \['number'\]"):

        @Cache(tags=["page:{id}"])
        async def page(number: int):
            return number
