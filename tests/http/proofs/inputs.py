"""What an attacker can say besides the URL, and the handlers that give it back (A9)."""

import json

from starlette.datastructures import URL

from tests.http.proofs.messages import saying
from tests.http.serving import ask_in, scope_of

PATH = "/a/b"
QUERY = "?x=1&y=2"
EVIL = "evil"
HEADERS = [
    "x-forwarded-host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-prefix",
    "x-forwarded-scheme", "x-forwarded-server", "x-forwarded-uri", "x-forwarded-path", "x-forwarded-ssl", "forwarded",
    "x-original-url", "x-original-host", "x-rewrite-url", "x-url-scheme", "x-http-method-override", "x-http-method",
    "x-method-override", "x-host", "x-http-host-override", "x-real-ip", "x-client-ip", "true-client-ip",
    "x-backend-host", "x-wap-profile", "x-requested-with", "x-user", "x-anything", "origin", "referer", "user-agent",
    "accept", "accept-charset", "accept-encoding", "accept-language", "content-type", "content-language",
    "content-encoding", "transfer-encoding", "via", "te", "trailer", "expect", "upgrade", "connection", "date", "from",
    "max-forwards", "range", "if-range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since",
    "cookie", "authorization", "proxy-authorization", "cache-control", "pragma", "prefer", "dnt", "sec-fetch-site",
    "x-ODD-Case".lower(), "x_underscore",
]  # fmt: skip
REQUESTS = [
    {"host": b"evil.example"},
    {"host": b"h:8080"},
    {"host": b"h."},
    {"host": b"h@evil"},
    {"host": b"evil/a"},
    {"host": b"h,evil"},
    {"host": b"h evil"},
    {"host": b"h?evil"},
    {"host": b"h#evil"},
    {"host": b""},
    {"host": None},
    {"host": b"evil", "headers": [(b"host", b"h")]},
    {"headers": [(b"host", b"evil.example")]},
    {"query": "?x=evil&y=2"},
    {"query": "?x=1&y=2&evil=1"},
    {"query": "?x=1&y=2&x=evil"},
    {"query": "?x=evil&x=1&y=2"},
    {"query": "?x=1;evil=1&y=2"},
    {"query": "?x=1&y=2%26evil=1"},
    {"query": "?%78=evil&x=1&y=2"},
    {"query": "?x=1&y=2&"},
    {"query": "?x=1&&y=2"},
    {"query": "?x=1&y=2#evil"},
    {"query": "?x=1&y=2?evil"},
    {"query": "?x=%31&y=2"},
    {"query": "?X=1&y=2"},
    {"query": ""},
    {"path": "/a/b/"},
    {"path": "/a/B"},
    {"path": "/a/b;evil"},
    {"path": "/a/b.css"},
    {"path": "/a/b.."},
    {"path": "//a/b"},
    {"path": "/a//b"},
    {"path": "/a/b", "raw_path": b"/a%2Fb"},
    {"path": "/a/b", "raw_path": b"/a/%62"},
    {"path": "/a/b?x=1", "raw_path": b"/a/b%3Fx=1", "query": "?y=2"},
    {"path": "/a/../evil", "raw_path": b"/a/b"},
    {"path": "/evil", "raw_path": b"/a/b"},
    {"path": "/a/b\x00evil", "raw_path": b"/a/b%00evil"},
    {"root_path": "/evil"},
    {"scheme": "https"},
    {"scheme": "evil"},
    {"method": "HEAD"},
    {"method": "POST"},
    {"method": "PUT"},
    {"client": ("6.6.6.6", 6)},
    {"body": b"evil", "headers": [(b"content-length", b"4")]},
    {"body": b"evil", "headers": [(b"transfer-encoding", b"chunked")]},
    {"body": b"evil", "http_version": "2"},
]
INPUTS = [{"headers": [(name.encode(), EVIL.encode())]} for name in HEADERS] + REQUESTS
KINDS = ["text", "json", "page", "redirect"]


async def parts_of(request, header):
    """Read whatever could carry an attack, but of the headers this one alone."""
    parts = [request.method, request.url, request.base_url, request.scope["path"]]
    parts.append(list(request.query_params.multi_items()))
    parts += [(request.headers.get(header) or "") if header else "", (await request.body()).decode()]
    return [str(part) for part in parts]


def shown_as(kind, parts, *told):
    """Give an ASGI app that gives back the parts, as handlers do."""
    match kind:
        case "text":
            return saying(repr(parts), *told)
        case "json":
            return saying(json.dumps(parts), (b"content-type", b"application/json"), *told)
        case "page":
            page = f"<base href='{parts[2]}'><a href='{parts[1]}'>{parts[0]} {parts[4]}</a><p>{parts[3]} {parts[5:]}"
            return saying(page, (b"content-type", b"text/html"), *told)
        case _:
            target = str(URL("http://elsewhere/").include_query_params(parts=parts))
            return saying("", (b"location", target.encode()), *told, status=308)


async def reflecting(request):
    """Give back what is asked for."""
    kind, header = asked_of(request)
    return shown_as(kind, await parts_of(request, header))


async def vouching(request):
    """Do so, and say in the header of the answer what it depends on."""
    kind, header = asked_of(request)
    parts = await parts_of(request, header)
    told = [(b"cache-control", b"no-store" if parts[-1] else b"max-age=60")]
    return shown_as(kind, parts, *told, *([(b"vary", header.encode())] if header else []))


def asked_of(request):
    """Give the kind of the answer, and the header that it depends on: the path is `/kind-number-of-input/...`."""
    kind, _, number = request.scope["path"].split("/")[1].partition("-")
    return kind, HEADERS[int(number)] if int(number) < len(HEADERS) else None


async def asked(app, kind, number, given):
    """Ask with this input; an empty one is a clean request."""
    given, head = dict(given), f"/{kind}-{number}"
    path, body = given.pop("path", PATH), given.pop("body", b"")
    raw_path = given.pop("raw_path", path.encode())
    scope = scope_of(given.pop("query", QUERY), **given)
    return await ask_in(app, scope | {"path": head + path, "raw_path": head.encode() + raw_path}, body=body)


def given_by(answer):
    """Give what a client makes use of."""
    return answer.status, answer.header("location"), answer.header("content-type"), answer.body
