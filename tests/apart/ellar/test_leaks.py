"""Generated requests: nobody gets what was made for another, wherever it is read; and nothing of them is left."""

from ellar.app import AppFactory
from ellar.common import EllarInterceptor, GuardCanActivate, Inject, ModuleRouter, UseGuards, UseInterceptors
from ellar.common.responses import Response, StreamingResponse
from ellar.core import Request
from starlette.exceptions import HTTPException

from asynccache import Cache
from asynccache.integrations.ellar import CacheModule
from tests.http.aftermath import assert_nothing_is_left
from tests.http.generated import answer_headers, cached_by_vary, count_hits, rendered

SERIES = 200  # of 21 pairs


def app_with(current):
    """Make an application whose handlers, guards or interceptors do what the current plan says."""
    found = []

    def read(place, context):
        plan = current[0]
        plan.reads = [what for what in plan.reads if what != "user"]  # whom Ellar itself puts into the scope
        if plan.place == place:
            found[:] = [rendered(context.switch_to_http_connection().get_request(), plan)]

    class Guard(GuardCanActivate):
        async def can_activate(self, context):
            found.clear()
            read("dependency", context)
            return True

    class Interceptor(EllarInterceptor):
        async def intercept(self, context, next_interceptor):
            read("plain dependency", context)
            return await next_interceptor()

    def handler_of():
        async def handler(rest: str, request: Inject[Request]):
            plan = current[0]
            plan.calls += 1
            streams = plan.place == "stream"
            body = late(request, plan) if streams else found[0] if found else rendered(request, plan)
            response = (StreamingResponse if streams else Response)(body, plan.status)
            for name, value in answer_headers(plan):
                response.headers.append(name, value)
            return response

        return handler

    router = ModuleRouter("")
    for name, handler in cached_by_vary(handler_of).items():
        guarded = UseGuards(Guard())(UseInterceptors(Interceptor())(handler))
        router.http_route(f"/{name}/{{rest:path}}", methods=["GET", "HEAD", "POST"])(guarded)
    return AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default="local")])


async def late(request, plan):
    """Read the request when the answer has begun already."""
    yield rendered(request, plan)


async def test_of_thousands_of_pairs_of_requests_none_leaks():
    current = [None]
    assert await count_hits(app_with(current), current, SERIES) > SERIES / 4


async def test_nothing_of_a_request_is_left():
    router = ModuleRouter("")

    @router.get("/stored")
    @Cache(60)
    async def stored(request: Inject[Request]):
        return request.headers.get("x-a")

    @router.get("/refused")
    @Cache(60)
    async def refused(request: Inject[Request]):
        return request.cookies

    @router.get("/raises")
    @Cache(60)
    async def raises(request: Inject[Request]):
        raise HTTPException(404, request.headers.get("x-a"))

    app = AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default="local")])
    await assert_nothing_is_left(app, ["/stored", "/refused", "/raises", "/nowhere"])
