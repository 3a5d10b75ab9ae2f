"""Apps to ask, over a TestClient or by ASGI messages."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from asynccache import CacheModule, install
from asynccache.backends.local_cache import LocalMemCacheBackend


def app_of(*routes, backend=None, middleware=(), **backends):
    """Make an app with a cache; a handler alone is its route `/`."""
    routes = [route if hasattr(route, "matches") else Route("/{rest:path}", route) for route in routes]
    app = Starlette(routes=routes, middleware=list(middleware))
    default = LocalMemCacheBackend() if backend is None else backend
    install(app, CacheModule.setup(default=default, **backends))
    return app


def client_of(*routes, **options):
    """Make a client of an app with a cache; redirects are not followed, and errors are answers."""
    app = app_of(*routes, **options)
    return TestClient(app, follow_redirects=False, raise_server_exceptions=False)


def status_of(response):
    """Give what our member of Cache-Status says."""
    return response.headers["cache-status"].removeprefix("asynccache; ")


def is_hit(response):
    return status_of(response) == "hit"


@dataclass
class Answer:
    """What came back over ASGI."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self):
        return self.messages[0]["status"]

    @property
    def body(self):
        return b"".join(message.get("body", b"") for message in self.messages)

    def header(self, name):
        return next((value.decode() for field, value in self.messages[0]["headers"] if field == name.encode()), None)

    @property
    def cache(self):
        return self.header("cache-status").removeprefix("asynccache; ")


def scope_of(path="/", *, method="GET", headers=(), host=b"h", **more):
    path, _, query = path.partition("?")
    named = [] if host is None else [(b"host", host)]
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [*named, *headers], "client": ("1.2.3.4", 5), "server": ("h", 80), "state": {}, **more,
    }  # fmt: skip


async def ask(app, path="/", *, gone=None, send=None, body=b"", **options):
    """Ask an app over ASGI; `gone` is an event after which the client has gone."""
    return await ask_in(app, scope_of(path, **options), gone=gone, send=send, body=body)


async def ask_in(app, scope, *, gone=None, send=None, body=b""):
    """Ask an app with this very scope."""
    answer = Answer()
    asked = False

    async def receive():
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": body, "more_body": False}
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def collect(message):
        answer.messages.append(message)
        if send is not None:
            await send(message)

    await app(scope, receive, collect)
    return answer
