"""Pages of Ellar are renewed by a copy of the request, and stand in; on functions and controllers."""

import asyncio

import pytest
from ellar.app import AppFactory
from ellar.common import Controller, ControllerBase, ModuleRouter, get

from asynccache import Cache, CachePolicy, CacheService
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.integrations.ellar import CacheModule
from asynccache.testing import FakeClock
from tests.http.serving import ask

POLICY = CachePolicy(ttl=100, refresh_ahead=0.8, stale_if_error=500)


class Shop:
    """An app with one page."""

    def __init__(self, kind):
        self.clock, self.calls, self.failing = FakeClock(), [], None
        backend = LocalMemCacheBackend(clock=self.clock)
        module = CacheModule.setup(default=backend)
        self.app = getattr(self, kind)([module])
        self.service = self.app.injector.get(CacheService)

    def page(self, number):
        if self.failing:
            raise self.failing
        self.calls.append(number)
        return f"call {len(self.calls)}"

    def function(self, modules):
        router = ModuleRouter("/shop")

        @router.get("/{number:int}")
        @Cache(policy=POLICY, tags=["page:{number}"])
        async def page(number: int):
            return self.page(number)

        return AppFactory.create_app(routers=[router], modules=modules)

    def controller(self, modules):
        shop = self

        @Controller("/shop")
        class Shops(ControllerBase):
            @get("/{number:int}")
            @Cache(policy=POLICY, tags=["page:{number}"])
            def page(self, number: int):
                return shop.page(number)

        return AppFactory.create_app(controllers=[Shops], modules=modules)

    async def ask(self):
        answer = await ask(self.app, "/shop/7")
        return answer.body, answer.cache

    async def settled(self):
        async with asyncio.timeout(5):
            while self.service.loader.runner.running:
                await asyncio.sleep(0.001)


@pytest.fixture(params=["function", "controller"])
def shop(request):
    return Shop(request.param)


async def test_a_due_page_is_served_and_renewed_behind(shop):
    assert await shop.ask() == (b'"call 1"', "fwd=uri-miss; stored")
    shop.clock.advance(81)
    assert await shop.ask() == (b'"call 1"', "hit")
    await shop.settled()
    assert await shop.ask() == (b'"call 2"', "hit")


async def test_an_older_page_stands_in_for_a_failure(shop):
    await shop.ask()
    shop.clock.advance(200)
    shop.failing = KeyError("x")
    assert await shop.ask() == (b'"call 1"', "hit; ttl=-100")


async def test_a_page_goes_with_its_tags(shop):
    await shop.ask()
    await shop.service.invalidate_tags_async("page:8")
    assert (await shop.ask())[1] == "hit"
    await shop.service.invalidate_tags_async("page:7")
    assert await shop.ask() == (b'"call 2"', "fwd=uri-miss; stored")
