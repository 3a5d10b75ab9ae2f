"""The app that real clients visit: each page tells how often it was made, and the door what was asked and answered."""

import asyncio
import re
from collections import Counter
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from asynccache import Cache, CacheMiddleware, CacheModule, get_cache_service, install
from asynccache.backends.local_cache import LocalMemCacheBackend

_ASKING = {"cache-control", "pragma", "if-none-match", "if-modified-since", "range"}
PAGES = {  # path: the headers with which it is made
    "/page": {"cache-control": "max-age=60"},
    "/short": {"cache-control": "max-age=1, stale-if-error=600"},
    "/strict": {"cache-control": "max-age=1"},
    "/old": {"cache-control": "max-age=60", "age": "30"},
    "/languages": {"cache-control": "max-age=60", "vary": "accept-language"},
    "/draft": {"cache-control": "no-store"},
    "/checked": {"cache-control": "max-age=0, must-revalidate"},
    "/private": {"cache-control": "private, max-age=60"},
    "/long": {"cache-control": "max-age=60"},
    "/slow": {"cache-control": "max-age=60"},
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A request as it came to the server's door, and what went out."""

    method: str
    path: str
    asking: dict[str, str]
    status: int
    cache: str


class Shop:
    """An app whose pages are cached by `@Cache`, or by a `CacheMiddleware` of a profile before it, and its door.

    `made` counts how often each page was made; those in `fails` fail from now on.
    """

    def __init__(self, kind):
        self.made = Counter()
        self.fails = set()
        self.visits = []
        self.hosts = set()
        self.schemes = set()
        self.clients = set()
        wrap = Cache(60) if kind == "@Cache" else lambda handler: handler
        pages = [Route(path, wrap(self._page(path))) for path in PAGES]
        pages += [Route("/hello", wrap(_greeting())), Route("/login", _login), Route("/news", self._news)]
        self.app = Starlette(routes=[*pages, Route("/page", self._change, methods=["POST"])])
        install(self.app, CacheModule.setup(default=LocalMemCacheBackend()))
        self.front = self.app if kind == "@Cache" else CacheMiddleware(self.app, profile=kind)

    def _page(self, path):
        async def page(request):
            if path in self.fails:
                return PlainTextResponse("failed", 500)
            self.made[path] += 1
            self.hosts.add(request.url.hostname)
            self.schemes.add(request.url.scheme)
            text = f"{path} {self.made[path]}"
            if "vary" in PAGES[path]:
                text += f" {request.headers.get('accept-language')}"
            if path == "/slow":
                await asyncio.sleep(0.1)
            if path == "/long":
                text += " " + "0123456789" * 1000
            return HTMLResponse(text, headers={"etag": f'"{self.made[path]}"', **PAGES[path]})

        page.__qualname__ = f"page{path}"
        return page

    async def _news(self, request):
        told = {"cache-control": "no-cache", "etag": '"1"'}
        if request.headers.get("if-none-match") == told["etag"]:
            return Response(status_code=304, headers=told)
        self.made["/news"] += 1
        return HTMLResponse(f"/news {self.made['/news']}", headers=told)

    async def _change(self, request):
        return Response(status_code=303, headers={"location": "/page"})

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.front(scope, receive, send)
            return

        self.clients.add(scope["client"])

        async def note(message):
            if message["type"] == "http.response.start":
                self.visits.append(_visit(scope, message))
            await send(message)

        await self.front(scope, receive, note)

    def invalidate(self, url):
        """Remove a page from the app's store."""
        get_cache_service(self.app).invalidate_url(url)

    def asked(self, path):
        """Give the conditions, ranges and wishes with which a page was asked for, and what came of each."""
        return [(visit.asking, visit.status, visit.cache) for visit in self.visits if visit.path == path]


def _greeting():
    async def hello(request):
        told = {"cache-control": "no-cache", "cdn-cache-control": "max-age=60"}
        return PlainTextResponse(f"hello {request.cookies.get('name', 'stranger')}", headers=told)

    return hello


async def _login(request):
    answer = PlainTextResponse("welcome", headers={"cache-control": "max-age=60"})
    answer.set_cookie("name", request.query_params["name"])
    return answer


def _visit(scope, message):
    asking = {name.decode(): value.decode() for name, value in scope["headers"] if name.decode() in _ASKING}
    told = dict(message["headers"]).get(b"cache-status", b"").decode()
    return Visit(scope["method"], scope["path"], asking, message["status"], said(told))


def said(cache_status):
    """Give what our member of Cache-Status says, less the seconds that are left."""
    return re.sub(r"; ttl=\d+", "", cache_status.removeprefix("asynccache; "))
