from flask import Blueprint, Flask

from asynccache import CacheModule
from asynccache.integrations.flask import Caching
from tests.integrations.factories.flask_shop import cakes, teas


def create_app(**backends):
    second = Blueprint("second", __name__, url_prefix="/v2")
    second.register_blueprint(cakes.blueprint)
    app = Flask(__name__)
    Caching(app, CacheModule.setup(**backends))
    app.register_blueprint(teas.blueprint)
    app.register_blueprint(second)
    return app
