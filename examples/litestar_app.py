"""Litestar: a cached controller and handler, the service as a dependency, and an app factory.

Run it: uvicorn --factory examples.litestar_app:create_app
"""

from itertools import count

from litestar import Controller, Litestar, Request, get, put
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, FromQuery

from asynccache import Cache, CacheModule, ICacheService
from asynccache.integrations.litestar import CachePlugin

questions = count(1)
names = {1: "Assam", 2: "Sencha"}


@Cache(ttl=300)
class Products(Controller):
    """Every GET of the class is cached for five minutes; other methods pass by."""

    path = "/products"

    @get()
    async def listed(self) -> list[str]:
        next(questions)
        return sorted(names.values())

    @get("/{product_id:int}", name="product")
    async def product(self, product_id: FromPath[int]) -> dict[str, str | int]:
        if product_id not in names:
            raise NotFoundException
        return {"name": names[product_id], "question": next(questions)}

    @put("/{product_id:int}")
    async def rename(
        self,
        product_id: FromPath[int],
        name: FromQuery[str],
        request: Request,
        cache_service: NamedDependency[ICacheService],
    ) -> None:
        names[product_id] = name
        await cache_service.invalidate_url_async(request.url_for("product", product_id=product_id))


@get("/visits")
async def visits(cache_service: NamedDependency[ICacheService]) -> int:
    return await cache_service.incr_async("visits")


def create_app() -> Litestar:
    return Litestar([Products, visits], plugins=[CachePlugin(CacheModule.setup(default="local"))])
