"""`@inject` on handlers that take no request: it is that of the app at work."""

from litestar import Controller, Litestar, get
from litestar.params import FromPath
from litestar.testing import TestClient

from asynccache import Cache, CacheModule, ICacheService, Inject, inject
from asynccache.integrations.litestar import CachePlugin
from tests.http.serving import is_hit


@get("/")
@inject
async def count(cache: Inject[ICacheService]) -> int:
    return await cache.incr_async("visits")


@get("/thread/{step:int}", sync_to_thread=True)
@inject
def count_in_a_thread(step: FromPath[int], cache: Inject[ICacheService]) -> int:
    return cache.incr("visits", step)


class Visits(Controller):
    path = "/visits"

    @get()
    @Cache(60)
    @inject
    async def count(self, cache: Inject[ICacheService]) -> int:
        return await cache.incr_async("visits")


def test_handlers_need_no_request():
    plugin = CachePlugin(CacheModule.setup(default="local"))
    with TestClient(Litestar([count, count_in_a_thread, Visits], plugins=[plugin])) as client:
        answers = [client.get(path) for path in ("/", "/thread/5", "/visits", "/visits")]
    assert [answer.json() for answer in answers] == [1, 6, 7, 7]
    assert is_hit(answers[3])
