"""FastAPI: cached endpoints in a router of their own, the service as a dependency, and an app factory.

`@Cache` and `@Evicts` go below the route decorator. Dependencies run on hits too: a guard still guards, a database
session is still opened; what a hit saves is the handler, the validation of what it returns and the making of JSON.
Whatever links carry besides the parameters that are declared, there is one page for all of them.

Run it: uvicorn --factory examples.fastapi_app:create_app
"""

from itertools import count

from fastapi import APIRouter, FastAPI, HTTPException
from pydantic import BaseModel

from asynccache import Cache, CacheModule, Evicts, install
from asynccache.integrations.fastapi import CacheServiceDep

router = APIRouter(prefix="/products")
questions = count(1)
names = {1: "Assam", 2: "Sencha"}


class Product(BaseModel):
    """What a client gets, and how often the slow database was asked until then."""

    id: int
    name: str
    question: int


@router.get("/{product_id}")
@Cache(ttl=60, tags=["product:{product_id}"], query="declared")
async def product(product_id: int) -> Product:
    if product_id not in names:
        raise HTTPException(404)
    return Product(id=product_id, name=names[product_id], question=next(questions))


@router.put("/{product_id}", status_code=204)
@Evicts(tags=["product:{product_id}"])
async def rename(product_id: int, name: str) -> None:
    names[product_id] = name


@router.get("/{product_id}/visits")
async def visits(product_id: int, cache: CacheServiceDep) -> int:
    return await cache.incr_async(f"visits:{product_id}")


def create_app() -> FastAPI:
    app = FastAPI()
    app.include_router(router)
    install(app, CacheModule.setup(default="local"))
    return app
