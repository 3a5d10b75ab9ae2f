from fastapi import APIRouter, FastAPI

from asynccache import CacheModule, install
from tests.integrations.factories.fastapi_shop import cakes, teas


def create_app(**backends):
    second = APIRouter(prefix="/v2")
    second.include_router(cakes.router)
    app = FastAPI()
    install(app, CacheModule.setup(**backends))
    app.include_router(teas.router)
    app.include_router(second)
    return app
