from itertools import count

from starlette.responses import JSONResponse
from starlette.routing import Route, Router

from asynccache import Cache

calls = count(1)


@Cache(ttl=60)
def index(request):
    return JSONResponse(["cakes", next(calls)])


routes = Router([Route("/", index)])
