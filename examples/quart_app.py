"""Quart: a cached view in a blueprint of its own, the service in views, and an app factory.

`@Cache` goes below the route decorator.

Run it: hypercorn "examples.quart_app:create_app()"
"""

from itertools import count

from quart import Blueprint, Quart, abort, request, url_for

from asynccache import Cache, CacheModule, ICacheService, Inject, inject
from asynccache.integrations.quart import Caching, get_cache_service

products = Blueprint("products", __name__, url_prefix="/products")
questions = count(1)
names = {1: "Assam", 2: "Sencha"}


@products.get("/<int:product_id>")
@Cache(ttl=60)
async def product(product_id: int):
    """Show a product, and how often the slow database was asked until then."""
    if product_id not in names:
        abort(404)
    return {"name": names[product_id], "question": next(questions)}


@products.put("/<int:product_id>")
async def rename(product_id: int):
    names[product_id] = request.args["name"]
    url = url_for("products.product", product_id=product_id, _external=True)
    await get_cache_service().invalidate_url_async(url)
    return "", 204


@products.get("/<int:product_id>/visits")
@inject
async def visits(product_id: int, cache: Inject[ICacheService]):
    return [await cache.incr_async(f"visits:{product_id}")]


def create_app() -> Quart:
    app = Quart(__name__)
    Caching(app, CacheModule.setup(default="local"))
    app.register_blueprint(products)
    return app
