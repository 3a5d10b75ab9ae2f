"""Ellar with a `CacheMiddleware` around: who carries nothing is answered before guards; caches are told nothing."""

from ellar.app import AppFactory
from ellar.common import GuardCanActivate, ModuleRouter, UseGuards
from ellar.core import Request
from ellar.di import injectable

from asynccache import Cache, CacheMiddleware
from asynccache.integrations.ellar import CacheModule, get_cache_service
from tests.http.serving import ask


async def test_edge_skips_guards_and_handler_for_who_carries_nothing():
    seen = []

    @injectable
    class Guard(GuardCanActivate):
        async def can_activate(self, context):
            seen.append("guard")
            return True

    router = ModuleRouter("/r")

    @router.get("/page")
    @UseGuards(Guard)
    @Cache(60, edge=True, tags=["page"])
    async def page(request: Request):
        seen.append("handler")
        return {"calls": seen.count("handler")}

    app = AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default="local")])
    service = get_cache_service(app)
    outer = CacheMiddleware(app, service)
    answers = [await ask(outer, "/r/page") for _ in range(3)]
    assert [answer.body for answer in answers] == [b'{"calls":1}'] * 3
    assert [answer.header("cache-control") for answer in answers] == [None] * 3
    before = len(seen)
    await ask(outer, "/r/page")
    assert len(seen) == before
    await ask(outer, "/r/page", headers=[(b"authorization", b"Bearer x")])
    assert len(seen) > before
    await service.invalidate_tags_async("page")
    assert b'"calls":1' not in (await ask(outer, "/r/page")).body
