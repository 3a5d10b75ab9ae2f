"""Generated requests: whoever asks gets what the handler makes for that request, whoever asked before (A6, A7, A10)."""

import pytest
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from asynccache import Cache, CacheMiddleware
from tests.http.generated import answer_headers, cached_by_vary, count_hits, rendered
from tests.http.serving import app_of, ask

SERIES = 1_000  # of 21 pairs


def app_with(current, **options):
    """Make an app whose handlers do what the current plan says."""

    def handler_of():
        async def handler(request):
            plan = current[0]
            plan.calls += 1
            streams = plan.place == "stream"
            kind, body = (StreamingResponse, late(request, plan)) if streams else (Response, rendered(request, plan))
            response = kind(body, plan.status)
            for name, value in answer_headers(plan):
                response.headers.append(name, value)
            return response

        return handler

    methods = ["GET", "HEAD", "POST"]
    handlers = cached_by_vary(handler_of, **options)
    return app_of(*(Route(f"/{name}/{{rest:path}}", handler, methods=methods) for name, handler in handlers.items()))


async def late(request, plan):
    """Read the request when the answer has begun already."""
    yield rendered(request, plan)


async def test_of_twenty_thousand_pairs_of_requests_none_leaks():
    current = [None]
    assert await count_hits(app_with(current), current, SERIES) > SERIES / 4


@pytest.mark.parametrize("options", [{}, {"edge": True}], ids=["beside @Cache", "edge=True"])
async def test_none_leaks_past_a_middleware_around_that_goes_by_what_handlers_say(options):
    current = [None]
    app = CacheMiddleware(app_with(current, **options))
    assert await count_hits(app, current, SERIES // 4) > SERIES / 16


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("status", [200, 203, 204, 301, 308, 404])
@pytest.mark.parametrize("streams", [False, True])
async def test_set_cookie_is_never_stored_and_never_replayed(count, status, streams):
    calls = []

    @Cache(60, statuses=(200, 203, 204, 301, 308, 404), public=True)
    async def handler(request):
        calls.append(1)
        response = StreamingResponse(iter([b""]), status) if streams else Response(b"", status)
        for number in range(count):
            response.set_cookie(f"c{number}", str(len(calls)))
        return response

    app = app_of(handler)
    for method in ("GET", "HEAD", "GET", "GET"):
        answer = await ask(app, method=method)
        cookies = [value for name, value in answer.messages[0]["headers"] if name == b"set-cookie"]
        assert [cookie.partition(b";")[0] for cookie in cookies] == [b"c%d=%d" % (n, len(calls)) for n in range(count)]
    assert len(calls) == 4
