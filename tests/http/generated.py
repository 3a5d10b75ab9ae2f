"""Generated handlers and requests: what a handler reads, what it answers, and who must not get that answer."""

import asyncio
import random
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from starlette.authentication import SimpleUser, UnauthenticatedUser

from asynccache import Cache
from tests.http.serving import ask

READS = ["authorization", "cookie", "session", "x-a", "x-b", "client", "user", "state", "query"]
CONTROLS = [""] * 12 + ["private", "no-store", "public", "s-maxage=9", "max-age=9", "no-cache", "must-revalidate"]
CONTROLS += ["Private, max-age=9", "max-age=9, NO-STORE"]
STATUSES = [200] * 16 + [203, 204, 301, 308, 404, 410, 500, 206, 302]
SAID = [()] * 6 + [("X-A",), ("x-b, X-A",), ("Cookie, accept",), ("*",)]
"""Lines of the answer's own Vary."""
PLACES = ["handler", "dependency", "plain dependency", "stream"]
VARIES = [sorted(names) for size in (0, 1, 2) for names in combinations(["x-a", "cookie", "authorization"], size)]
REQUESTS = 7  # in a series: 21 pairs


@dataclass
class Plan:
    """What a handler does with every request."""

    reads: list[str]
    control: str
    status: int
    vary: list[str]
    cookies: int
    place: str
    said: tuple[str, ...] = ()
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
            place=draw.choice(PLACES),
            said=draw.choice(SAID),
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


def observed(request, what):
    """Read as a handler would."""
    match what:
        case "session":
            return sorted(request.session.items())
        case "state":
            return sorted(item for item in request.scope["state"].items() if not item[0].startswith("_ls"))
        case "user":
            return request.user.display_name
        case "client":
            return request.client.host
        case "query":
            return request.scope["query_string"]
        case _:
            value = request.headers.get(what)
            return value if value is None else value.encode()


def rendered(request, plan):
    """Give what a handler makes of a request."""
    return repr([observed(request, what) for what in plan.reads])


def answer_headers(plan):
    """Give the headers of a new answer."""
    cookies = [("set-cookie", f"c{number}={plan.calls}") for number in range(plan.cookies)]
    told = [("cache-control", plan.control)] if plan.control else []
    return [("x-call", str(plan.calls)), *told, *(("vary", line) for line in plan.said), *cookies]


def cached_by_vary(handler_of, **options):
    """Make a cached handler for each path, whose head is what `vary` it has."""
    options["methods"] = ("GET", "HEAD")
    return {"-".join(vary) or "none": Cache(60, vary=vary, **options)(handler_of()) for vary in VARIES}


async def count_hits(app, current, series):
    """Ask an app, whose handlers do what `current` plan says; check each answer, and count those from the store."""
    luck, hits = Luck(), 0
    for number in range(series):
        plan = current[0] = luck.plan()
        path = f"/{'-'.join(sorted(plan.vary)) or 'none'}/{number}"
        for _ in range(REQUESTS):
            request, calls = luck.request(), plan.calls
            answer = await ask_once(app, path, request)
            hits += check(plan, request, answer, hit=plan.calls == calls)
    return hits


async def ask_once(app, path, request):
    """Ask as a client that goes when it has the answer; what the app writes into the request is lost."""
    gone = asyncio.Event()

    async def look(message):
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            gone.set()

    own = {"session": dict(request["session"]), "state": dict(request["state"])}
    return await ask(app, path, gone=gone, send=look, **request | own)


def check(plan, request, answer, *, hit):
    """Check that this answer may be given to this request."""
    expected = plan.render({**request, "query_string": b""})
    if not hit and "authorization" in dict(named(request)):
        plan.authorized.add(answer.header("x-call"))
    assert answer.status == plan.status
    told = "authorization" in plan.reads and speaks(plan)  # by the response itself: the same for all
    assert answer.body == expected or (hit and (told or request["method"] == "HEAD")), (plan, request)
    assert not (hit and (plan.cookies or "*" in plan.said)), (plan, request)
    assert not (hit and answer.header("x-call") in plan.authorized and not speaks(plan)), (plan, request)
    assert not (hit and "authorization" in dict(named(request)) and not speaks(plan)), (plan, request)
    return hit


def named(request):
    return [(name.decode(), value) for name, value in request["headers"]]


def speaks(plan):
    return "authorization" in plan.vary or plan.control in {"public", "s-maxage=9", "must-revalidate"}
