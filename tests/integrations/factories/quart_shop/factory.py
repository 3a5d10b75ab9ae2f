from quart import Blueprint, Quart

from asynccache import CacheModule
from asynccache.integrations.quart import Caching
from tests.integrations.factories.quart_shop import cakes, teas


def create_app(**backends):
    second = Blueprint("second", __name__, url_prefix="/v2")
    second.register_blueprint(cakes.blueprint)
    app = Quart(__name__)
    Caching(app, CacheModule.setup(**backends))
    app.register_blueprint(teas.blueprint)
    app.register_blueprint(second)
    return app
