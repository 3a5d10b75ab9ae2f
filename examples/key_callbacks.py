"""Say yourself what makes two requests the same: a key callback gives the key of the page.

It is sync or async, sees the request through `ExecutionContext`, and returns `None` to leave the cache out of it.

Run it: uvicorn examples.key_callbacks:app
"""

from itertools import count

from injector import Binder, Module
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from asynccache import Cache, CacheModule, ExecutionContext, Inject, inject, install

questions = count(1)


GROUPS = {"ann": "wholesale", "bob": "retail", "cid": "retail"}


class Customers:
    """A directory that knows who belongs to which group; bound in the injector."""

    async def group_of(self, name: str | None) -> str:
        return GROUPS.get(name or "", "guest")


def by_currency(ctx: ExecutionContext, key_prefix: str) -> str:
    """One page per product and currency, whatever else the query says (utm_source, ...)."""
    return f"{key_prefix}:{ctx.path_params['product']}:{ctx.query_params.get('currency', 'EUR')}"


async def by_group(ctx: ExecutionContext, key_prefix: str) -> str:
    """One page per group of customers: the cookie is read here, so that the handler may answer by it."""
    group = await ctx.get(Customers).group_of(ctx.cookies.get("customer"))
    return f"{key_prefix}:{group}"


def not_for_editors(ctx: ExecutionContext, key_prefix: str) -> str | None:
    """Editors always see what they just wrote."""
    return None if ctx.headers.get("x-editor") else f"{key_prefix}:{ctx.request.url.path}"


@Cache(ttl=60, key_prefix="product", make_key_callback=by_currency)
async def product(request: Request) -> JSONResponse:
    currency = request.query_params.get("currency", "EUR")
    return JSONResponse({"product": request.path_params["product"], "in": currency, "question": next(questions)})


@Cache(ttl=60, key_prefix="offers", make_key_callback=by_group)
@inject
async def offers(request: Request, customers: Inject[Customers]) -> JSONResponse:
    group = await customers.group_of(request.cookies.get("customer"))
    return JSONResponse({"for": group, "question": next(questions)})


@Cache(ttl=60, key_prefix="article", make_key_callback=not_for_editors)
async def article(request: Request) -> JSONResponse:
    return JSONResponse({"question": next(questions)})


class CustomersModule(Module):
    def configure(self, binder: Binder) -> None:
        binder.bind(Customers, to=Customers())


app = Starlette(
    routes=[
        Route("/products/{product}", product),
        Route("/offers", offers),
        Route("/article", article),
    ]
)
install(app, [CacheModule.setup(default="local"), CustomersModule()])
