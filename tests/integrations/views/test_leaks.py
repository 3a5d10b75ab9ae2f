"""Generated requests: whoever asks gets what the view makes for that request, in Flask and in Quart."""

import random

from asynccache import Cache
from tests.http.generated import VARIES, Plan, answer_headers, speaks

SERIES = 200  # of 21 pairs
REQUESTS = 7
READS = ["authorization", "cookie", "session", "x-a", "x-b", "client", "g", "attribute", "query"]
CONTROLS = [""] * 12 + ["private", "no-store", "public", "s-maxage=9", "max-age=9", "no-cache"]


def observed(web, what):
    match what:
        case "session":
            return web.session.get("id")
        case "g":
            return web.g.get("tenant")
        case "attribute":
            return getattr(web.request, "tenant", None)
        case "client":
            return web.request.remote_addr
        case "query":
            return web.request.query_string.decode()
        case _:
            return web.request.headers.get(what)


def expected(plan, request):
    known = {"client": request["client"], "query": "", "session": request["session"].get("id")}
    is_gone = plan.place == "late in Quart"  # `g` is another one there
    tenant = {"g": None if is_gone else request["tenant"], "attribute": request["tenant"]}
    return repr([(known | tenant | request["headers"]).get(what) for what in plan.reads])


def give_views(site, current):
    """Give a site a view for each `vary`, which does what the current plan says."""
    web = site.web

    @site.app.before_request
    def know():
        tenant = web.request.headers.get("x-tenant")
        if tenant is not None:
            web.g.tenant = web.request.tenant = tenant

    def rendered():
        return repr([observed(web, what) for what in current[0].reads])

    def late():
        yield rendered()

    async def later():
        yield rendered()

    def streamed():
        return web.stream_with_context(late if site.framework == "flask" else later)()

    for vary in VARIES:

        @Cache(60, vary=vary)
        def view(rest):
            plan = current[0]
            plan.calls += 1
            body = rendered() if plan.place == "view" else streamed()
            return web.Response(body, plan.status, answer_headers(plan))

        name = "-".join(vary) or "none"
        site.app.add_url_rule(f"/{name}/<rest>", name, view, methods=["GET", "POST"])


def drawn(draw):
    headers = {
        name: draw.choice(["one", "two"])
        for name, often in (("authorization", 0.1), ("x-a", 0.3), ("x-b", 0.3))
        if draw.random() < often
    }
    return {
        "method": draw.choice(["GET"] * 6 + ["HEAD", "POST"]),
        "headers": headers,
        "session": draw.choice([{}] * 6 + [{"id": 1}, {"id": 2}]),
        "client": draw.choice(["1.1.1.1", "2.2.2.2"]),
        "tenant": draw.choice([None, "one", "two"]),
    }


def asked_of(site, request):
    """Give what is sent; a session is a cookie, so that is known to the view that reads the header."""
    headers = dict(request["headers"])
    if request["tenant"]:
        headers["x-tenant"] = request["tenant"]
    if request["session"]:
        headers |= site.signed(**request["session"])
        request["headers"]["cookie"] = headers["cookie"]
    where = (
        {"environ_base": {"REMOTE_ADDR": request["client"]}}
        if site.framework == "flask"
        else {"scope_base": {"client": (request["client"], 1)}}
    )
    return {"method": request["method"], "headers": headers, **where}


async def test_of_thousands_of_pairs_of_requests_none_leaks(site):
    current, draw, hits = [None], random.Random(7), 0
    give_views(site, current)
    for number in range(SERIES):
        plan = current[0] = Plan(
            reads=draw.sample(READS, draw.choice([0, 1, 1, 2, 3])),
            control=draw.choice(CONTROLS),
            status=draw.choice([200] * 8 + [203, 404, 500]),
            vary=draw.sample(["x-a", "cookie", "authorization"], draw.choice([0, 0, 0, 1, 2])),
            cookies=draw.choice([0] * 20 + [1]),
            place=draw.choice(["view", "view", f"late in {site.framework.title()}"]),
        )
        for _ in range(REQUESTS):
            request, calls = drawn(draw), plan.calls
            answer = await site.ask(f"/{'-'.join(sorted(plan.vary)) or 'none'}/{number}", **asked_of(site, request))
            hit = plan.calls == calls
            hits += hit
            check(plan, request, answer, hit=hit)
    assert hits > SERIES / 2


def check(plan, request, answer, *, hit):
    assert answer.status_code == plan.status
    told = "authorization" in plan.reads and speaks(plan)  # by the response itself: the same for all
    shown = answer.text == expected(plan, request)
    assert shown or request["method"] == "HEAD" or (hit and told), (plan, request, answer)
    assert not (hit and plan.cookies), (plan, request)
    assert not (hit and "authorization" in request["headers"] and not speaks(plan)), (plan, request)
