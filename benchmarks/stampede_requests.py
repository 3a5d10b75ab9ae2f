"""Requests at once for a page that nobody has, whose handler takes 100 ms: frameworks with their own cache, and ours.

The apps are called in this process, or in that of their environment, without a server: what is left is what framework
and cache do. Their cost per request is for the whole of the framework, so they are compared with themselves: how often
the handler ran, and when the last answer was there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

from benchmarks.elsewhere import Elsewhere
from benchmarks.measuring import Table, Taken, in_turns
from benchmarks.options import Options

REQUESTS = 1_000
HANDLER_SECONDS = 0.1
PAGE = "/page"
BARE = "Starlette, no cache"
OURS = "asynccache @Cache, Starlette"
Handler = Callable[[], Awaitable[str]]


def table(options: Options, rounds: int, seconds: float) -> Table:
    def everywhere(subject: str) -> dict[str, Elsewhere]:
        made = f"benchmarks.stampede_requests:{subject}"
        return {name: options.elsewhere(where, made, name) for name, (_, where) in APPS.items()}

    rows = in_turns(everywhere("asking"), REQUESTS, rounds, seconds=seconds)
    counters = everywhere("loading")
    there = [row.name for row in rows if not row.failed and row.name != BARE]
    runs = {f"runs of the handler: {name}": round(counters[name](REQUESTS).wall) for name in there}
    wanted = {OURS: "<= 1 x", f"runs of the handler: {OURS}": "<= 1"}
    title = f"E. Stampede: {REQUESTS} requests, a handler of {HANDLER_SECONDS * 1000:.0f} ms: the last answer"
    return Table(title, rows, BARE, wanted, runs, OURS, "wall")


async def asking(name: str) -> Callable[[int], Awaitable[Taken]]:
    """Make the subject: each round asks so many times at once for a new page."""
    app = await App.made(name)

    async def ask(requests: int) -> Taken:
        wall, cpu = time.perf_counter(), time.process_time()
        await app.asked(requests)
        return Taken(time.process_time() - cpu, (time.perf_counter() - wall) * requests)

    return ask


async def loading(name: str) -> Callable[[int], Awaitable[Taken]]:
    """Make a subject that gives the number of runs of the handler in place of seconds."""
    app = await App.made(name)

    async def ask(requests: int) -> Taken:
        before = app.runs
        await app.asked(requests)
        return Taken(0, app.runs - before)

    return ask


@dataclass
class App:
    """An app, and how often its handler ran."""

    app: Any = None
    runs: int = 0

    @classmethod
    async def made(cls, name: str) -> App:
        one = cls()
        make, _ = APPS[name]
        one.app = make(one.handle)
        await _started(one.app)
        return one

    async def handle(self) -> str:
        self.runs += 1
        await asyncio.sleep(HANDLER_SECONDS)
        return "x" * 800

    async def asked(self, requests: int) -> None:
        query = b"n=%d" % next(_numbers)
        answers = await asyncio.gather(*(_answer(self.app, query) for _ in range(requests)))
        assert set(answers) == {(200, b"x" * 800)}, answers[:2]


_numbers = count()
_lives = AsyncExitStack()


async def _answer(app: Any, query: bytes) -> tuple[int, bytes]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PAGE,
        "raw_path": PAGE.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    status, body = 0, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    await app(scope, receive, send)
    return status, body.strip(b'"')


async def _started(app: Any) -> None:
    """Run the app's start-up; it lives as long as this process."""

    @asynccontextmanager
    async def life() -> Any:
        messages: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        begun = asyncio.Event()
        messages.put_nowait({"type": "lifespan.startup"})

        async def send(message: Any) -> None:
            begun.set()

        task = asyncio.ensure_future(app({"type": "lifespan", "state": {}, "asgi": {}}, messages.get, send))
        await begun.wait()
        yield task

    await _lives.enter_async_context(life())


def bare(handle: Handler) -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def page(request: Any) -> Any:
        return PlainTextResponse(await handle())

    return Starlette(routes=[Route(PAGE, page)])


def ours(handle: Handler) -> Any:
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from asynccache import Cache, CacheModule, install

    @Cache(600)
    async def page(request: Any) -> Any:
        return PlainTextResponse(await handle())

    app = Starlette(routes=[Route(PAGE, page)])
    install(app, CacheModule.setup(default="local"))
    return app


def middleware(handle: Handler) -> Any:
    from asynccache import CacheMiddleware

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await send({"type": "lifespan.startup.complete"})
            return
        body = (await handle()).encode()
        headers = [(b"content-type", b"text/plain"), (b"cache-control", b"public, max-age=600")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return CacheMiddleware(app, "local")


def fastapi_cache(handle: Handler) -> Any:
    from fastapi import FastAPI
    from fastapi_cache import FastAPICache
    from fastapi_cache.backends.inmemory import InMemoryBackend
    from fastapi_cache.decorator import cache

    FastAPICache.init(InMemoryBackend())
    app = FastAPI()

    @app.get(PAGE)
    @cache(expire=600)
    async def page(n: int) -> str:
        return await handle()

    return app


def litestar(handle: Handler) -> Any:
    from litestar import Litestar, get

    @get(PAGE, cache=600)
    async def page() -> str:
        return await handle()

    return Litestar([page])


def starlette_caches(handle: Handler) -> Any:
    from aiocache import Cache as Store
    from starlette_caches.middleware import CacheMiddleware
    from starlette_caches.rules import Rule

    return CacheMiddleware(bare(handle), cache=Store(), rules=[Rule(ttl=600)])


def ellar(handle: Handler) -> Any:
    from ellar.app import AppFactory
    from ellar.cache import Cache, CacheModule
    from ellar.cache.backends.local_cache import LocalMemCacheBackend
    from ellar.common import ModuleRouter

    router = ModuleRouter("")

    @router.get(PAGE)
    @Cache(ttl=600)
    async def page() -> str:
        return await handle()

    return AppFactory.create_app(routers=[router], modules=[CacheModule.setup(default=LocalMemCacheBackend())])


APPS: dict[str, tuple[Callable[[Handler], Any], str]] = {
    BARE: (bare, ""),
    OURS: (ours, ""),
    "asynccache CacheMiddleware, raw ASGI": (middleware, ""),
    "fastapi-cache2, FastAPI": (fastapi_cache, ""),
    "Litestar's own cache": (litestar, ""),
    "starlette-caches, Starlette": (starlette_caches, "starlette-caches"),
    "Ellar's own cache": (ellar, "ellar"),
}
"""How they are made, and the environments that they live in."""
