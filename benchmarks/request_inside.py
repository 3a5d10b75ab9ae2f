"""Apps of table D in this process, by nothing but ASGI messages: what framework and cache do, without a server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from benchmarks.measuring import Taken

_HEADERS = [
    (b"host", b"127.0.0.1:8000"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64)"),
    (b"accept", b"text/html,application/xhtml+xml"),
    (b"accept-language", b"en"),
    (b"accept-encoding", b"gzip, deflate"),
]


def asking(app: str, path: str) -> Callable[[int], Awaitable[Taken]]:
    """Make a subject that asks this app (`module:function`) for a page."""
    module, _, function = app.partition(":")
    asked = getattr(import_module(module), function)()
    has_begun = False

    async def ask(requests: int) -> Taken:
        nonlocal has_begun
        if not has_begun:
            has_begun = True
            await _begin(asked)
            await _body(asked, path)
        first = await _body(asked, path)
        scopes = [_scope(path) for _ in range(requests)]
        cpu, wall = time.process_time(), time.perf_counter()
        for scope in scopes:
            await asked(scope, _receive, _drop)
        taken = Taken(time.process_time() - cpu, time.perf_counter() - wall)
        if await _body(asked, path) != first:
            raise AssertionError(f"{path} was not answered from a cache")
        return taken

    return ask


async def _begin(app: Any) -> None:
    """Run the beginning of its lifespan, as far as it has one; what would end it never comes."""
    begun = asyncio.get_running_loop().create_future()
    events = iter([{"type": "lifespan.startup"}])

    async def receive() -> dict[str, str]:
        event = next(events, None)
        return event or await asyncio.get_running_loop().create_future()

    async def send(message: dict[str, Any]) -> None:
        if not begun.done():
            begun.set_result(message)

    task = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    await asyncio.wait([task, begun], return_when=asyncio.FIRST_COMPLETED)
    _lifespans.append(task)


_lifespans: list[Any] = []


async def _body(app: Any, path: str) -> bytes:
    parts = []

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    await app(_scope(path), _receive, send)
    return b"".join(parts)


def _scope(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50_000),
        "scheme": "http",
        "method": "GET",
        "root_path": "",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(_HEADERS),
        "state": {},
    }


async def _receive() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _drop(message: dict[str, Any]) -> None:
    """Take a message, and do nothing with it."""
