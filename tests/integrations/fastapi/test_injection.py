"""`@inject` on handlers that take no request: it is that of the app at work."""

from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient

from asynccache import Cache, CacheModule, ICacheService, Inject, inject, install
from tests.http.serving import is_hit


@inject
async def count(cache: Inject[ICacheService]):
    return await cache.incr_async("visits")


@inject
def count_in_a_thread(step: int = 1, *, cache: Inject[ICacheService]):
    return cache.incr("visits", step)


def test_handlers_and_dependencies_need_no_request():
    app = FastAPI()
    app.get("/")(count)
    app.get("/thread")(count_in_a_thread)
    app.get("/cached")(Cache(60)(count))

    @app.get("/depends")
    async def depends(found: Annotated[int, Depends(count)]):
        return found

    install(app, CacheModule.setup(default="local"))
    client = TestClient(app)
    answers = [client.get(path) for path in ("/", "/thread?step=5", "/depends", "/cached", "/cached")]
    assert [answer.json() for answer in answers] == [1, 6, 7, 8, 8]
    assert is_hit(answers[4])
    assert "cache" not in str(app.openapi()["paths"]["/thread"]["get"]["parameters"])
