"""Generated requests: whoever asks gets what the handler makes for that request, whatever reads it, and where."""

from litestar import Litestar, MediaType, Request, Response, route
from litestar.di import NamedDependency, Provide
from litestar.response import Stream

from asynccache import CacheModule
from asynccache.integrations.litestar import CachePlugin
from tests.http.generated import answer_headers, cached_by_vary, count_hits, rendered

SERIES = 400  # of 21 pairs


def app_with(current):
    """Make an app whose handlers, or their dependencies, do what the current plan says."""

    async def dependency(request: Request) -> str | None:
        return rendered(request, current[0]) if current[0].place == "dependency" else None

    def plain_dependency(request: Request) -> str | None:
        return rendered(request, current[0]) if current[0].place == "plain dependency" else None

    def handler_of():
        async def handler(
            request: Request, found: NamedDependency[str | None], also: NamedDependency[str | None]
        ) -> Response:
            plan = current[0]
            plan.calls += 1
            plan.status = 200 if plan.status == 204 else plan.status  # which Litestar allows no body
            streams = plan.place == "stream"
            body = late(request, plan) if streams else found or also or rendered(request, plan)
            kind = Stream if streams else Response
            answer = kind(body, status_code=plan.status, media_type=MediaType.TEXT)
            for name, value in answer_headers(plan):
                if name == "set-cookie":
                    answer.set_cookie(*value.split("="))
                else:
                    answer.headers[name] = value
            return answer

        return handler

    routes = [
        route(
            f"/{name}/{{rest:path}}",
            http_method=["GET", "HEAD", "POST"],
            dependencies={"found": Provide(dependency), "also": Provide(plain_dependency, sync_to_thread=True)},
        )(handler)
        for name, handler in cached_by_vary(handler_of).items()
    ]
    return Litestar(routes, plugins=[CachePlugin(CacheModule.setup(default="local"))], openapi_config=None)


async def late(request, plan):
    """Read the request when the answer has begun already."""
    yield rendered(request, plan)


async def test_of_thousands_of_pairs_of_requests_none_leaks():
    current = [None]
    assert await count_hits(app_with(current), current, SERIES) > SERIES / 4
