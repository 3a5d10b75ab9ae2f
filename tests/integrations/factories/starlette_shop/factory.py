from starlette.applications import Starlette
from starlette.routing import Host, Mount, Router

from asynccache import CacheModule, install
from tests.integrations.factories.starlette_shop import cakes, teas


def create_app(**backends):
    app = Starlette(routes=[Mount("/teas", app=teas.routes), Mount("/v2", routes=[Mount("/cakes", app=cakes.routes)])])
    app.routes.append(Host("cakes.example", app=Router([Mount("/", app=cakes.routes)])))
    install(app, CacheModule.setup(**backends))
    return app
