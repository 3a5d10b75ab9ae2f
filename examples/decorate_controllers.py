"""Cache whole answers: `@Cache` on a handler, on a controller class, and on one method of it.

The counter stands for a slow database: it moves only when a handler really runs.

Run it: uvicorn examples.decorate_controllers:app
"""

from itertools import count

from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from asynccache import Cache, CacheModule, install

questions = count(1)


@Cache(ttl=60)
async def report(request: Request) -> JSONResponse:
    return JSONResponse({"question": next(questions)})


@Cache(ttl=300)
class Products(HTTPEndpoint):
    """Every GET of the class is cached for five minutes; other methods pass by."""

    async def get(self, request: Request) -> JSONResponse:
        return JSONResponse({"product": request.path_params["product_id"], "question": next(questions)})

    async def post(self, request: Request) -> Response:
        return Response(status_code=204)


@Cache(ttl=300)
class Prices(HTTPEndpoint):
    """A method's own `@Cache` wins over that of the class."""

    @Cache(ttl=1, vary=["Accept-Language"])
    def get(self, request: Request) -> JSONResponse:
        language = request.headers.get("accept-language", "en")
        return JSONResponse({"language": language, "question": next(questions)})


app = Starlette(
    routes=[
        Route("/report", report),
        Route("/products/{product_id:int}", Products),
        Route("/prices", Prices),
    ]
)
install(app, CacheModule.setup(default="local"))
