"""Generated requests: whoever asks gets what the handler makes for that request, whatever reads it, and where."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request
from starlette.responses import Response, StreamingResponse

from asynccache import CacheModule, install
from tests.http.generated import answer_headers, cached_by_vary, count_hits, rendered

SERIES = 400  # of 21 pairs


def app_with(current):
    """Make an app whose handlers, or their dependencies, do what the current plan says."""
    app = FastAPI()

    async def dependency(request: Request):
        return rendered(request, current[0]) if current[0].place == "dependency" else None

    def plain_dependency(request: Request):
        return rendered(request, current[0]) if current[0].place == "plain dependency" else None

    def handler_of():
        async def handler(
            request: Request,
            response: Response,
            found: Annotated[str | None, Depends(dependency)],
            also: Annotated[str | None, Depends(plain_dependency)],
        ):
            plan = current[0]
            plan.calls += 1
            streams = plan.place == "stream"
            body = late(request, plan) if streams else found or also or rendered(request, plan)
            response = (StreamingResponse if streams else Response)(body, plan.status)
            for name, value in answer_headers(plan):
                response.headers.append(name, value)
            return response

        return handler

    for name, handler in cached_by_vary(handler_of).items():
        app.api_route(f"/{name}/{{rest:path}}", methods=["GET", "HEAD", "POST"])(handler)
    install(app, CacheModule.setup(default="local"))
    return app


async def late(request, plan):
    """Read the request when the answer has begun already."""
    yield rendered(request, plan)


async def test_of_thousands_of_pairs_of_requests_none_leaks():
    current = [None]
    assert await count_hits(app_with(current), current, SERIES) > SERIES / 4
