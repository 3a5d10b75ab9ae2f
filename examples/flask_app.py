"""Flask: cached views in a blueprint of its own, the service in views and in a command, and an app factory.

`@Cache` goes below the route decorator. Views are imported before the factory runs: the cache is found when they are
called.

Run it: flask --app examples.flask_app run, and then: flask --app examples.flask_app forget 1
"""

from itertools import count

import click
from flask import Blueprint, Flask, abort, request, url_for

from asynccache import Cache, ICacheService, Inject, cached, inject
from asynccache.integrations.flask import Caching, get_cache_service

products = Blueprint("products", __name__, url_prefix="/products")
caching = Caching()
questions = count(1)
names = {1: "Assam", 2: "Sencha"}


@products.get("/<int:product_id>")
@Cache(ttl=60)
def product(product_id: int):
    """Show a product, and how often the slow database was asked until then."""
    if product_id not in names:
        abort(404)
    return {"name": names[product_id], "question": next(questions), "price": price(product_id)}


@cached(ttl=600)
def price(product_id: int) -> float:
    """Ask another slow service, whatever page wants to know."""
    next(questions)
    return product_id * 1.5


@products.put("/<int:product_id>")
def rename(product_id: int):
    names[product_id] = request.args["name"]
    get_cache_service().invalidate_url(url_for("products.product", product_id=product_id, _external=True))
    return "", 204


@products.get("/<int:product_id>/visits")
@inject
def visits(product_id: int, cache: Inject[ICacheService]):
    return [cache.incr(f"visits:{product_id}")]


@products.cli.command("forget")
@click.argument("product_id", type=int)
def forget(product_id: int) -> None:
    """Forget a price."""
    click.echo(price.invalidate(product_id))


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["CACHES"] = {"default": "local"}
    caching.init_app(app)
    app.register_blueprint(products)
    return app
