"""Use the cache by hand: injected into functions and controllers, or taken from the request.

`@inject` fills every parameter annotated with `Inject[...]`, from the injector of the app that serves the request.

Run it: uvicorn examples.inject_service:app
"""

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asynccache import CacheModule, ICacheService, Inject, get_cache_service, inject, install


@inject
async def visits(request: Request, cache: Inject[ICacheService]) -> JSONResponse:
    return JSONResponse({"visits": await cache.incr_async("visits")})


@inject
def primes(request: Request, cache: Inject[ICacheService]) -> JSONResponse:
    """Use the sync twins: a sync handler runs in a thread."""
    limit = request.path_params["limit"]
    return JSONResponse(cache.get_or_set(f"primes:{limit}", lambda: primes_below(limit), ttl=3600))


class Note(HTTPEndpoint):
    """A controller: each method asks for what it needs."""

    @inject
    async def get(self, request: Request, cache: Inject[ICacheService]) -> Response:
        text = await cache.get_async(f"note:{request.path_params['name']}")
        return Response(status_code=404) if text is None else Response(text, media_type="text/plain")

    @inject
    async def put(self, request: Request, cache: Inject[ICacheService]) -> Response:
        await cache.set_async(f"note:{request.path_params['name']}", (await request.body()).decode(), ttl=600)
        return Response(status_code=204)


async def forget_note(request: Request) -> JSONResponse:
    """Without a decorator, the request knows the way."""
    cache = get_cache_service(request)
    return JSONResponse({"forgotten": await cache.delete_async(f"note:{request.path_params['name']}")})


def primes_below(limit: int) -> list[int]:
    return [number for number in range(2, limit) if all(number % divisor for divisor in range(2, number))]


app = Starlette(
    routes=[
        Route("/visits", visits),
        Route("/primes/{limit:int}", primes),
        Route("/notes/{name}", Note),
        Route("/notes/{name}/forget", forget_note, methods=["POST"]),
    ]
)
install(app, CacheModule.setup(default="local"))
