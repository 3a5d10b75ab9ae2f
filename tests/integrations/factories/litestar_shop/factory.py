from litestar import Litestar, Router

from asynccache import CacheModule
from asynccache.integrations.litestar import CachePlugin
from tests.integrations.factories.litestar_shop import cakes, teas


def create_app(**backends):
    second = Router("/v2", route_handlers=[cakes.index])
    return Litestar([teas.index, second], plugins=[CachePlugin(CacheModule.setup(**backends))])
