"""Whatever becomes of the store, pages, whole apps and read-throughs are answered, and soon (C1 to C5)."""

import asyncio
import time

import pytest
from starlette.responses import PlainTextResponse

from asynccache import Cache, CacheMiddleware, get_cache_service
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from tests.http.serving import app_of, ask
from tests.load import crowding, healthy, under_load
from tests.outages import DEADLINE
from tests.storms import expect_as_before, expect_bounds

pytestmark = pytest.mark.timed
MAKERS = {
    "redis": lambda url: RedisCacheBackend(url, deadline=DEADLINE),
    "memcached": lambda url: MemcachedCacheBackend(servers=url, deadline=DEADLINE),
    "postgresql": lambda url: SQLCacheBackend(url, deadline=DEADLINE),
}
NETWORK = [{"latency": 0.25}, {"garbage_p": 0.5}]


class Plain:
    """An app without a cache that says what may be stored."""

    async def __call__(self, scope, receive, send):
        headers = {"cache-control": "max-age=60", "vary": "accept"}
        await PlainTextResponse(scope["path"], headers=headers)(scope, receive, send)


class Users:
    """They ask for pages, in turn of a handler and of a middleware, and for values, of one app."""

    def __init__(self, backend):
        @Cache(60)
        async def page(request):
            return PlainTextResponse(request.url.path)

        self.backend = backend
        self.app = app_of(page, backend=backend)
        self.service = get_cache_service(self.app)
        self.edge = CacheMiddleware(Plain(), self.service)
        self.turn = 0

    async def __call__(self, key, began, report):
        self.turn += 1
        asked, start = (self.page, self.value, self.whole)[self.turn % 3], time.monotonic()
        try:
            await asked(key.replace(" ", "-"), report, start - began)
        except Exception as error:
            report.errors.append(error)
        report.seconds.append(time.monotonic() - start)

    async def page(self, key, report, moment):
        self.note(await ask(self.app, f"/{key}"), key, report, moment)

    async def whole(self, key, report, moment):
        self.note(await ask(self.edge, f"/{key}"), key, report, moment)

    def note(self, answer, key, report, moment):
        if answer.status != 200 or answer.body.decode() != f"/{key}":
            report.wrong.append(answer)
        elif answer.cache.startswith("hit"):
            report.hits.append(moment)

    async def value(self, key, report, moment):
        loads = []
        value = await self.service.get_or_set_async(key, lambda: loads.append(1) or key)
        if value != key:
            report.wrong.append(value)
        elif not loads:
            report.hits.append(moment)

    async def under_load(self, seconds):
        return await under_load(self.backend, seconds, self)

    async def recovered(self):
        """Tell how long it takes a machine that is not crowded to use the store again, for pages and for values."""
        began = time.monotonic()
        while time.monotonic() < began + 5 * crowding():
            report = await self.under_load(0.05)
            if len(report.hits) > 3:
                return (time.monotonic() - began) / crowding()
        return float("inf")


@pytest.fixture(params=MAKERS)
def server(request):
    return request.getfixturevalue(f"fresh_{request.param}")


@pytest.fixture
def make(server, request):
    return MAKERS[request.node.callspec.params["server"]]


async def test_nobody_notices_that_the_store_is_killed_or_frozen(server, make):
    users = Users(make(server.url))
    before = await healthy(users.backend, users)
    await asyncio.to_thread(server.kill)
    report = await users.under_load(0.5)
    expect_bounds(report, DEADLINE + 0.05)
    expect_as_before(report, before)
    await asyncio.to_thread(server.restart)
    assert await users.recovered() <= 1
    server.freeze()
    expect_bounds(await users.under_load(0.5), 2 * DEADLINE + 0.05)
    server.thaw()
    assert await users.recovered() <= 1
    await users.service.aclose()


async def test_nobody_notices_a_network_that_fails(server, make, fault_proxy):
    proxy = fault_proxy(server.host, server.port)
    users = Users(make(server.url.replace(f"{server.host}:{server.port}", proxy.address)))
    await healthy(users.backend, users)
    for fault in NETWORK:
        proxy.set(**fault)
        expect_bounds(await users.under_load(0.3), 2 * DEADLINE + 0.05)
        proxy.heal()
        assert await users.recovered() <= 1
    await users.service.aclose()
