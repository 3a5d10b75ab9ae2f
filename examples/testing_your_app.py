"""Test an app that caches: `override` gives it other backends for a test, `FakeClock` lets time pass at once.

Run it: pytest -c /dev/null examples/testing_your_app.py   (this repository's own settings of pytest need more plugins)
"""

from itertools import count

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import Cache, CacheModule, install
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock, override

questions = count(1)


@Cache(ttl=60)
async def report(request: Request) -> JSONResponse:
    return JSONResponse(next(questions))


app = Starlette(routes=[Route("/report", report)])
install(app, CacheModule.setup(default="redis://localhost:6379/0"))


def test_the_report_is_kept_for_a_minute() -> None:
    clock = FakeClock()
    with override(app, default=LocalMemCacheBackend(clock=clock)), TestClient(app) as client:
        first = client.get("/report")
        clock.advance(59)
        again = client.get("/report")
        assert again.json() == first.json()
        assert "hit" in again.headers["cache-status"]
        clock.advance(2)
        assert client.get("/report").json() != first.json()


def test_without_a_cache_every_report_is_new() -> None:
    with override(app, default="dummy"), TestClient(app) as client:
        assert client.get("/report").json() != client.get("/report").json()
