"""The app: where the cache is set up, where pages are cached, and how an update makes the old pages go."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

from injector import Binder, Module
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from asynccache import (
    BackendUnavailableError,
    Cache,
    CacheModule,
    ExecutionContext,
    ICacheService,
    Inject,
    cached,
    inject,
    install,
)
from demo_shop import pages
from demo_shop.shop import Shop

STATIC = Path(__file__).parent / "static"


class ShopModule(Module):
    """Lets handlers ask for `Inject[Shop]`."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def configure(self, binder: Binder) -> None:
        binder.bind(Shop, to=self.shop)


def make_app(shop: Shop, backend: str) -> Starlette:
    """Make the app over a shop, with its cache in this backend."""
    routes = [
        Route("/", home),
        Route("/teas", tea_list),
        Route("/teas/{tea_id:int}", TeaPage),
        Route("/visits", visits, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    app = Starlette(routes=routes, exception_handlers={BackendUnavailableError: cache_is_away})
    install(app, [CacheModule.setup(default=backend), ShopModule(shop)])
    return app


def by_currency(ctx: ExecutionContext, key_prefix: str) -> str | None:
    """Key a page by its path and currency; `None` skips the cache, for visitors who switched it off.

    With the default key `?currency=EUR`, no currency and `?currency=EUR&utm_source=mail` would be three entries, and
    an update could not know them all.
    """
    if ctx.headers.get("x-demo-cache") == "off":
        return None
    return page_key(ctx.request.url.path, currency_of(ctx.request), key_prefix)


def page_key(path: str, currency: str, key_prefix: str = "page") -> str:
    return f"{key_prefix}:{path}:{currency}"


def currency_of(request: Request) -> str:
    asked = request.query_params.get("currency", "").upper()
    return asked if asked in pages.RATES else "EUR"


@Cache(ttl=60, key_prefix="page", make_key_callback=by_currency)
@inject
def tea_list(request: Request, shop: Inject[Shop]) -> HTMLResponse:
    """Run in a thread, as Starlette does with sync handlers; hits never get that far."""
    return HTMLResponse(pages.tea_list(shop.teas(), currency_of(request)))


@cached(ttl=300, ignore=["shop"])
async def also_bought(shop: Shop, tea_id: int) -> list[tuple[int, str]]:
    """Ask the slowest question once for all pages of a tea: its answer depends on no currency and no price."""
    return await run_in_threadpool(shop.also_bought, tea_id)


@Cache(ttl=300, key_prefix="page", make_key_callback=by_currency)
class TeaPage(HTTPEndpoint):
    """A controller: its GET is cached, its POST is passed on."""

    @inject
    async def get(self, request: Request, shop: Inject[Shop]) -> HTMLResponse:
        tea_id = request.path_params["tea_id"]
        tea = await run_in_threadpool(shop.tea, tea_id)
        if tea is None:
            raise HTTPException(404, "There is no such tea.")
        return HTMLResponse(pages.tea_page(tea, await also_bought(shop, tea_id), currency_of(request)))

    @inject
    async def post(self, request: Request, shop: Inject[Shop], cache: Inject[ICacheService]) -> RedirectResponse:
        """Change the price; then the pages that show it go, so that the next visitor gets a fresh one."""
        tea_id = request.path_params["tea_id"]
        cents = await price_in(request)
        if not await run_in_threadpool(shop.change_price, tea_id, cents):
            raise HTTPException(404, "There is no such tea.")
        paths = ("/teas", f"/teas/{tea_id}")
        await cache.delete_many_async([page_key(path, currency) for path in paths for currency in pages.RATES])
        return RedirectResponse(f"/teas/{tea_id}?currency={currency_of(request)}", status_code=303)


async def price_in(request: Request) -> int:
    form = parse_qs((await request.body()).decode(errors="replace"))
    cents = form.get("cents", [""])[0]
    if not (cents.isascii() and cents.isdigit() and 0 < int(cents) <= 99_999):
        raise HTTPException(422, "A price is 1 to 99999 euro cents.")
    return int(cents)


@inject
async def visits(request: Request, cache: Inject[ICacheService]) -> JSONResponse:
    """Count in the cache: atomic, and one count for all workers where the backend is shared."""
    return JSONResponse({"visits": await cache.incr_async("visits"), "backend": type(cache.get_backend()).__name__})


@Cache(ttl=60)
async def home(request: Request) -> FileResponse:
    return FileResponse(STATIC / "index.html")


async def cache_is_away(request: Request, error: Exception) -> PlainTextResponse:
    """Answer where the cache had to be told something and could not be; reading goes on without it."""
    return PlainTextResponse("The cache cannot be reached: old pages may be shown until they expire.", status_code=503)
