"""Generated requests: whoever asks gets what the handler makes for that request, whoever asked before (A6, A7, A10)."""

import random
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import pytest
from starlette.authentication import SimpleUser, UnauthenticatedUser
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from asynccache import Cache
from tests.http.serving import app_of, ask

READS = ["authorization", "cookie", "session", "x-a", "x-b", "client", "user", "state", "query"]
CONTROLS = [""] * 12 + ["private", "no-store", "public", "s-maxage=9", "max-age=9", "no-cache", "must-revalidate"]
STATUSES = [200] * 16 + [203, 204, 301, 308, 404, 410, 500, 206, 302]
VARIES = [sorted(names) for size in (0, 1, 2) for names in combinations(["x-a", "cookie", "authorization"], size)]
SERIES, REQUESTS = 1_000, 7  # of seven requests each, 21 pairs: 21,000


@dataclass
class Plan:
    """What a handler does with every request."""

    reads: list[str]
    control: str
    status: int
    vary: list[str]
    cookies: int
    streams: bool
    calls: int = 0
    authorized: set[str] = field(default_factory=set)

    def render(self, scope):
        """Give what the handler makes of a request: all that it reads."""
        return repr([self.read(scope, what) for what in self.reads]).encode()

    def read(self, scope, what):
        headers = dict(scope["headers"])
        match what:
            case "session" | "state":
                return sorted(scope[what].items())
            case "user":
                return scope["user"].display_name
            case "client":
                return scope["client"][0]
            case "query":
                return scope["query_string"]
            case _:
                return headers.get(what.encode())


@dataclass
class Luck:
    """Draws plans and requests."""

    draw: random.Random = field(default_factory=lambda: random.Random(7))

    def plan(self):
        draw = self.draw
        return Plan(
            reads=draw.sample(READS, draw.choice([0, 1, 1, 2, 3])),
            control=draw.choice(CONTROLS),
            status=draw.choice(STATUSES),
            vary=draw.sample(["x-a", "cookie", "authorization"], draw.choice([0, 0, 0, 1, 2])),
            cookies=draw.choice([0] * 20 + [1, 2, 3]),
            streams=draw.random() < 0.1,
        )

    def request(self) -> dict[str, Any]:
        draw, headers = self.draw, []
        for name, often in ((b"authorization", 0.1), (b"cookie", 0.3), (b"x-a", 0.3), (b"x-b", 0.3)):
            if draw.random() < often:
                headers.append((name, draw.choice([b"one", b"two"])))
        return {
            "method": draw.choice(["GET"] * 6 + ["HEAD", "POST"]),
            "headers": headers,
            "session": draw.choice([{}] * 6 + [{"id": 1}, {"id": 2}]),
            "state": draw.choice([{}, {"tenant": 1}, {"tenant": 2}]),
            "client": (draw.choice(["1.1.1.1", "2.2.2.2"]), 1),
            "user": draw.choice([UnauthenticatedUser()] * 8 + [SimpleUser("alice"), SimpleUser("bob")]),
        }


def app_with(current):
    """Make an app whose one handler does what the current plan says."""

    async def handler(request):
        plan = current[0]
        plan.calls += 1
        body = repr([observed(request, what) for what in plan.reads]).encode()
        headers = {"x-call": str(plan.calls)} | ({"cache-control": plan.control} if plan.control else {})
        kind = StreamingResponse if plan.streams else Response
        response = kind(iter([body]) if plan.streams else body, plan.status, headers)
        for number in range(plan.cookies):
            response.set_cookie(f"c{number}", str(plan.calls))
        return response

    handlers = {}
    for vary in VARIES:

        async def varying(request):
            return await handler(request)

        handlers["-".join(vary) or "none"] = Cache(60, vary=vary, methods=("GET", "HEAD"))(varying)
    methods = ["GET", "HEAD", "POST"]
    return app_of(*(Route(f"/{name}/{{rest:path}}", handler, methods=methods) for name, handler in handlers.items()))


def observed(request, what):
    """Read as a handler would."""
    match what:
        case "session":
            return sorted(request.session.items())
        case "state":
            return sorted(request.scope["state"].items())
        case "user":
            return request.user.display_name
        case "client":
            return request.client.host
        case "query":
            return request.scope["query_string"]
        case _:
            value = request.headers.get(what)
            return value if value is None else value.encode()


async def test_of_twenty_thousand_pairs_of_requests_none_leaks():
    luck, current, hits = Luck(), [None], 0
    app = app_with(current)
    for number in range(SERIES):
        plan = current[0] = luck.plan()
        path = f"/{'-'.join(sorted(plan.vary)) or 'none'}/{number}"
        for _ in range(REQUESTS):
            request, calls = luck.request(), plan.calls
            expected = plan.render({**request, "query_string": b""})
            answer = await ask(app, path, **request)
            hit = plan.calls == calls
            if not hit and "authorization" in dict(named(request)):
                plan.authorized.add(answer.header("x-call"))
            hits += hit
            assert answer.status == plan.status
            told = "authorization" in plan.reads and speaks(plan)  # by the response itself: the same for all
            assert answer.body == expected or (hit and (told or request["method"] == "HEAD")), (plan, request)
            assert not (hit and plan.cookies), (plan, request)
            assert not (hit and answer.header("x-call") in plan.authorized and not speaks(plan)), (plan, request)
            assert not (hit and "authorization" in dict(named(request)) and not speaks(plan)), (plan, request)
    assert hits > SERIES / 4


def named(request):
    return [(name.decode(), value) for name, value in request["headers"]]


def speaks(plan):
    return "authorization" in plan.vary or plan.control in {"public", "s-maxage=9", "must-revalidate"}


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
