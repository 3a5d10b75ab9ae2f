"""A user's program, which the type checkers read and nobody runs: what they infer is asserted in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, assert_type

from injector import Injector
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asynccache import (
    FOREVER,
    BaseCacheBackend,
    Cache,
    CacheModule,
    CachePolicy,
    CacheService,
    Evicts,
    ExecutionContext,
    ICacheService,
    Inject,
    cached,
    get_cache_service,
    inject,
    install,
)
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.core.events import Event
from asynccache.testing import FakeClock, override, recorded_events


class Product:
    name: str = ""


async def load() -> Product:
    return Product()


def load_sync() -> Product:
    return Product()


def load_future() -> asyncio.Future[Product]:
    return asyncio.get_running_loop().create_future()


async def load_none() -> Product | None:
    return None


async def by_id(number: int) -> Product:
    return Product()


async def by_ids(numbers: list[str]) -> dict[str, Product]:
    return {}


def by_ids_sync(numbers: list[str]) -> dict[str, Product]:
    return {}


async def use(cache: ICacheService) -> None:
    assert_type(await cache.get_or_set_async("k", load), Product)
    assert_type(await cache.get_or_set_async("k", load_sync), Product)
    assert_type(await cache.get_or_set_async("k", load_future), Product)
    assert_type(await cache.get_or_set_async("k", load_none), Product | None)
    assert_type(await cache.get_or_set_async("k", lambda: by_id(7)), Product)
    assert_type(await cache.get_or_set_async("k", partial(by_id, 7)), Product)
    assert_type(await cache.get_or_set_async("k", lambda: 7), int)
    assert_type(await cache.get_or_set_async("k", load, 60, policy=CachePolicy(ttl=60)), Product)
    assert_type(cache.get_or_set("k", load_sync), Product)
    assert_type(cache.get_or_set("k", lambda: "x", FOREVER), str)
    assert_type(await cache.get_or_set_many_async(["k"], by_ids), dict[str, Product])
    assert_type(await cache.get_or_set_many_async(["k"], by_ids_sync), dict[str, Product])
    assert_type(cache.get_or_set_many(["k"], by_ids_sync, tags=["t"]), dict[str, Product])
    async with cache.lock_async("k", timeout=1) as lock:
        assert_type(lock.number, int)
    with cache.lock("k", 5) as held:
        assert_type(held.is_held, bool)
    assert_type(cache.incr("k"), int)
    assert_type(await cache.set_many_async({"a": 1}), list[str])
    assert_type(cache.get_many(["a"]), dict[str, Any])
    product: Product | None = await cache.get_async("k")
    print(product)


async def use_service(cache: CacheService) -> None:
    assert_type(await cache.get_or_set_async("k", load), Product)
    assert_type(await cache.get_or_set_async("k", load_sync), Product)
    assert_type(cache.get_or_set("k", load_sync), Product)
    with cache.replaced(default="dummy") as other:
        assert_type(other, CacheService)
    async with CacheService(default="local", other=LocalMemCacheBackend(max_entries=7)) as mine:
        assert_type(mine, CacheService)
    with CacheService(default="local") as sync:
        assert_type(sync, CacheService)
    with recorded_events(cache) as events:
        assert_type(events, list[Event])


@inject
async def visits(request: Request, cache: Inject[ICacheService]) -> Response:
    return JSONResponse(await cache.incr_async("visits"))


@Cache(ttl=60)
async def report(request: Request) -> JSONResponse:
    return JSONResponse({})


@Cache()
def report_sync(request: Request) -> JSONResponse:
    return JSONResponse({})


@Cache(ttl=300)
class Products(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return JSONResponse({})

    @inject
    async def post(self, request: Request, cache: Inject[ICacheService]) -> Response:
        return JSONResponse(cache.get("x"))


@Cache(60, query=["-utm_*"])
async def hygienic(request: Request) -> Response:
    return JSONResponse({})


@Evicts(tags=["product:{product_id}"])
async def update(request: Request, product_id: int = 7) -> Response:
    cache = get_cache_service(request)
    assert_type(await cache.invalidate_url_async(request.url_for("product", product_id=7)), bool)
    return JSONResponse({})


@Evicts(tags=("products",), backend="other", version=2)
@Cache(300, query="declared")
class Shelves(HTTPEndpoint):
    async def get(self, request: Request) -> Response:
        return JSONResponse({})

    def put(self, request: Request) -> Response:
        return JSONResponse({})


async def use_evicting(request: Request) -> None:
    assert_type(await update(request, product_id=8), Response)
    assert_type(Shelves, type[Shelves])


def key(ctx: ExecutionContext, key_prefix: str) -> str | None:
    return f"{key_prefix}{ctx.url}"


async def key_async(ctx: ExecutionContext, key_prefix: str) -> str | None:
    return None


@Cache(60, make_key_callback=key, vary=("accept",), statuses={404})
@inject
async def keyed(request: Request, cache: Inject[ICacheService]) -> Response:
    return JSONResponse({})


@Cache(60, make_key_callback=key_async)
async def keyed_async(request: Request) -> Response:
    return JSONResponse({})


@cached(ttl=60)
async def profile(user_id: int, lang: str = "en") -> Product:
    return Product()


@cached(ignore=["db"], policy=CachePolicy(jitter=0.1))
def price(article: str, db: object = None) -> float:
    return 1.0


class Shop:
    def __cache_key__(self) -> str:
        return "shop"

    @cached()
    async def find(self, number: int) -> Product:
        return Product()

    @cached()
    def count(self, *, of: str) -> int:
        return 1

    @cached()
    @staticmethod
    def currency(country: str) -> str:
        return country

    @staticmethod
    @cached()
    def language(country: str) -> str:
        return country


async def use_cached(shop: Shop) -> None:
    assert_type(await profile(7), Product)
    assert_type(await profile(7, lang="de"), Product)
    assert_type(profile.key(7, lang="de"), str)
    assert_type(profile.invalidate(7), bool)
    assert_type(await profile.invalidate_async(7, "de"), bool)
    assert_type(await profile.refresh_async(7), Product)
    assert_type(price("a", db=None), float)
    assert_type(price.refresh("a"), float)
    assert_type(await price.refresh_async("a"), float)
    assert_type(await shop.find(7), Product)
    assert_type(shop.find.key(7), str)
    assert_type(await shop.find.refresh_async(number=7), Product)
    assert_type(shop.count(of="a"), int)
    assert_type(await shop.count.invalidate_async(of="a"), bool)
    assert_type(Shop.currency("de"), str)
    assert_type(Shop.language("de"), str)
    await profile("7")  # type: ignore[arg-type]  # the signature is kept
    profile.key("7")  # type: ignore[arg-type]  # and that of what is beside it
    shop.find.key()  # type: ignore[call-arg]
    profile_type: Callable[[int], Awaitable[Product]] = profile
    print(profile_type)


report_type: Callable[[Request], Awaitable[JSONResponse]] = report
controller: type[Products] = Products

app = Starlette(routes=[Route("/", visits), Route("/r", report), Route("/p", Products), Route("/s", report_sync)])
injector: Injector = install(app, CacheModule.setup(default="local", pages={"BACKEND": "dummy"}))
service: ICacheService = injector.get(ICacheService)
concrete: CacheService = injector.get(CacheService)
assert_type(get_cache_service(app), ICacheService)
install(Starlette(), [CacheModule.register_setup("shop.settings")])
install(Starlette(), CacheModule.register_setup({"CACHES": {"default": "local"}}))
clock = FakeClock()
with override(app, default=LocalMemCacheBackend(clock=clock)) as overridden:
    assert_type(overridden, CacheService)
backend: BaseCacheBackend = service.get_backend()
backend.set("k", 1, ttl=FOREVER)
