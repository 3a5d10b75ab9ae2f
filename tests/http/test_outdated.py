"""Pages under invalidations from everywhere: who asks after one has returned never gets what is older."""

import asyncio
import random
import time
from contextlib import AsyncExitStack

import pytest
from starlette.responses import PlainTextResponse

from asynccache import Cache, CachePolicy, current_load, get_cache_service
from asynccache.backends.callable_cache import CallableCacheBackend
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.backends.memcached import MemcachedCacheBackend
from asynccache.backends.redis import RedisCacheBackend
from asynccache.backends.sql_cache import SQLCacheBackend
from asynccache.core.page_keys import page_key
from asynccache.model import Capability
from tests.conftest import LONG
from tests.http.serving import app_of, ask

KEY = page_key("GET", "http://h/")
SECONDS = 20 if LONG else 0.4
POLICIES = {
    "plain": CachePolicy(ttl=60),
    "renewing": CachePolicy(
        ttl=0.06, refresh_ahead=0.3, stale_while_revalidate=5, stale_if_error=9, soft_timeout=0.003
    ),
}


class Origin:
    """What the pages show: a number that grows, and is told by them."""

    def __init__(self, dice):
        self.version = 0
        self.valid_from = 0
        self.dice = dice
        self.loads = self.answers = 0
        self.outdated = []

    def handler(self, policy):
        """Make a handler that depends on one header, on two, or on none, and takes its time."""

        async def page(request):
            version, self.loads = self.version, self.loads + 1
            names = ("x-a", "x-b") if request.headers.get("x-a") == "2" else ()
            said = [request.headers.get(name) for name in names]
            await asyncio.sleep(self.dice.choice([0, 0, 0.001, 0.01]))
            if self.dice.random() < 0.1:
                raise KeyError
            current_load().tags = ["inside"]
            return PlainTextResponse(f"{version} {said}")

        page.__qualname__ = "page"  # the same in all processes
        return Cache(policy=policy, tags=["outside"])(page)

    async def read(self, app):
        """Ask, and compare."""
        valid_from = self.valid_from
        headers = [(b"x-a", self.dice.choice([b"1", b"2"])), (b"x-b", self.dice.choice([b"1", b"2"]))]
        try:
            answer = await ask(app, headers=headers)
        except KeyError:
            return
        self.answers += 1
        if int(answer.body.split()[0]) < valid_from:
            self.outdated.append((answer.body, answer.cache, valid_from))

    async def change(self, service):
        """Change what is shown, then invalidate the pages."""
        self.version += 1
        version = self.version
        match self.dice.randrange(5 if Capability.CLEARS in service.get_backend().capabilities else 4):
            case 0:
                await service.delete_async(KEY)
            case 1:
                await service.invalidate_tags_async("inside")
            case 2:
                await service.invalidate_tags_async("outside")
            case 3:
                await service.invalidate_tags_async("inside", "other")
            case 4:
                await service.clear_async()
        self.valid_from = max(self.valid_from, version)


class Pair:
    """Two functions over a dict, that give others a turn."""

    def __init__(self):
        self.kept = {}

    async def get(self, key):
        await asyncio.sleep(0)
        return self.kept.get(key)

    async def set(self, key, value, ttl):
        await asyncio.sleep(0)
        self.kept[key] = value
        await asyncio.sleep(0)

    async def delete(self, key):
        await asyncio.sleep(0)
        return self.kept.pop(key, None) is not None


@pytest.fixture(params=["local", "pair", "redis", "memcached", "sqlite"])
def make_backend(request, unique_prefix, tmp_path):
    """Make backends on the same store, each as in a process of its own."""
    match request.param:
        case "local":
            backend = LocalMemCacheBackend()
            return lambda: backend
        case "pair":
            pair = Pair()
            return lambda: CallableCacheBackend(pair.get, pair.set, pair.delete)
        case "redis":
            server = request.getfixturevalue("redis_server")
            return lambda: RedisCacheBackend(server.url, key_prefix=unique_prefix, deadline=5)
        case "memcached":
            server = request.getfixturevalue("memcached_server")
            return lambda: MemcachedCacheBackend(servers=server.url, key_prefix=unique_prefix, deadline=5)
        case _:
            return lambda: SQLCacheBackend(f"sqlite:///{tmp_path}/cache.db", deadline=5)


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
async def test_nobody_gets_what_is_older_than_an_invalidation(make_backend, policy):
    origin = Origin(random.Random(7))
    async with AsyncExitStack() as stack:
        first = make_backend()
        others = [make_backend()] if Capability.FENCES in first.capabilities else []
        apps = [app_of(origin.handler(policy), backend=backend) for backend in (first, *others)]
        services = [await stack.enter_async_context(get_cache_service(app)) for app in apps]
        over = time.monotonic() + SECONDS

        def goes_on():
            is_slow = min(origin.answers, origin.version) <= 5  # as a database on a busy machine
            return is_slow or time.monotonic() < over

        async def readers(app):
            while goes_on():
                await origin.read(app)
                await asyncio.sleep(origin.dice.choice([0, 0.001]))

        async def changers(service):
            while goes_on():
                await origin.change(service)
                await asyncio.sleep(origin.dice.uniform(0, 0.05))

        async with asyncio.TaskGroup() as group:
            for app, service in zip(apps, services, strict=True):
                for _ in range(6):
                    group.create_task(readers(app))
                for _ in range(2):
                    group.create_task(changers(service))
    assert not origin.outdated, (len(origin.outdated), origin.outdated[:5])


class HeldPair(Pair):
    """The same, where all but one task wait for a gate before they read."""

    def __init__(self):
        super().__init__()
        self.passes, self.gate = asyncio.current_task(), asyncio.Event()
        self.gate.set()

    async def get(self, key):
        if asyncio.current_task() is not self.passes:
            await self.gate.wait()
        return await super().get(key)


async def test_a_renewal_that_finds_nothing_any_more_stores_nothing_that_a_delete_meets():
    pair, begun, go, calls = HeldPair(), asyncio.Event(), asyncio.Event(), []
    go.set()

    async def page(request):
        calls.append(request.headers.get("x-a"))
        number = len(calls)
        begun.set()
        await go.wait()
        return PlainTextResponse(f"call {number}")

    backend = CallableCacheBackend(pair.get, pair.set, pair.delete)
    app = app_of(Cache(0.05, policy=CachePolicy(stale_while_revalidate=60))(page), backend=backend)
    async with get_cache_service(app) as service:
        await ask(app, headers=[(b"x-a", b"1")])
        await asyncio.sleep(0.06)
        pair.gate.clear()
        assert (await ask(app, headers=[(b"x-a", b"1")])).body == b"call 1"
        await service.delete_async(KEY)
        go.clear()
        begun.clear()
        pair.gate.set()
        async with asyncio.timeout(5):
            await begun.wait()
        await service.delete_async(KEY)
        go.set()
        async with asyncio.timeout(5):
            while service.loader.runner.running:
                await asyncio.sleep(0.001)
        assert (await ask(app, headers=[(b"x-a", b"1")])).body == b"call 3"


SECRET = [(b"authorization", b"Bearer 1")]
CHANGES = {
    "delete": lambda service: service.delete_async(KEY),
    "set": lambda service: service.set_async(KEY, "a value"),
    "tag": lambda service: service.invalidate_tags_async("tag"),
}


class HeldPage:
    """A page for all, whoever asks, that is rendered when a test says so; and how many have been begun."""

    def __init__(self, backend, *, vary=()):
        self.calls, self.begun, self.go = 0, asyncio.Event(), asyncio.Event()
        self.app = app_of(Cache(60, tags=["tag"], vary=vary)(self.page), backend=backend)

    async def page(self, request):
        self.calls += 1
        number = self.calls
        self.begun.set()
        await self.go.wait()
        return PlainTextResponse(f"call {number}", headers={"Cache-Control": "public"})

    async def begin(self, *asks):
        """Ask while nothing is rendered, and wait until all have come so far."""
        tasks = [asyncio.create_task(ask(self.app, headers=headers)) for headers in asks]
        async with asyncio.timeout(5):
            while self.calls < len(asks):
                await asyncio.sleep(0)
        return tasks


@pytest.mark.parametrize("vary", [(), ("x-a",)], ids=["plain", "variant"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_what_is_rendered_for_somebody_with_a_login_is_not_stored_past_a_change(change, vary):
    pair = Pair()
    held = HeldPage(CallableCacheBackend(pair.get, pair.set, pair.delete), vary=vary)
    async with get_cache_service(held.app) as service:
        tasks = await held.begin(SECRET, SECRET)
        await change(service)
        held.go.set()
        assert {(await task).body for task in tasks} == {b"call 1", b"call 2"}
        assert (await ask(held.app)).body == b"call 3"
        assert service.flights.is_idle


async def test_what_is_rendered_for_somebody_with_a_login_is_stored_without_fences_too():
    pair = Pair()
    held = HeldPage(CallableCacheBackend(pair.get, pair.set, pair.delete))
    async with get_cache_service(held.app):
        (task,) = await held.begin(SECRET)
        held.go.set()
        await task
        assert (await ask(held.app)).body == b"call 1"
