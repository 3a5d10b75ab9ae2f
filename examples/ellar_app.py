"""Ellar: a cached controller, the service by injection, the module among the application's modules.

Run it: uvicorn --factory examples.ellar_app:create_app
"""

from itertools import count

from ellar.app import App, AppFactory
from ellar.common import Controller, ControllerBase, Inject, Module, get, put
from ellar.core import Request
from ellar.core.modules import ModuleBase
from starlette.exceptions import HTTPException

from asynccache import Cache, ICacheService
from asynccache.integrations.ellar import CacheModule

questions = count(1)
names = {1: "Assam", 2: "Sencha"}


@Controller("/products")
class Products(ControllerBase):
    @get("/visits")
    def visits(self, cache_service: Inject[ICacheService]) -> int:
        return cache_service.incr("visits")

    @get("/{product_id:int}")
    @Cache(ttl=60)
    async def product(self, product_id: int) -> dict[str, str | int]:
        if product_id not in names:
            raise HTTPException(404)
        return {"name": names[product_id], "question": next(questions)}

    @put("/{product_id:int}")
    async def rename(
        self, product_id: int, name: str, request: Inject[Request], cache_service: Inject[ICacheService]
    ) -> dict[str, str]:
        names[product_id] = name
        await cache_service.invalidate_url_async(str(request.url.replace(query="")))
        return {"name": name}


@Module(modules=[CacheModule.setup(default="local")], controllers=[Products])
class ApplicationModule(ModuleBase):
    """The application."""


def create_app() -> App:
    return AppFactory.create_from_app_module(ApplicationModule)
