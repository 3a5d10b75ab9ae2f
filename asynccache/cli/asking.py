"""Ask an ASGI app in this process, as a server would: its lifespan, and requests."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from asynccache.errors import CacheError, ConfigurationError
from asynccache.http.headers import Pair, lowered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence

    App = Callable[..., Any]
    Message = MutableMapping[str, Any]

PATIENCE = 30.0
"""Seconds after which an answer that does not end is left, as a client leaves it."""
_PORTS = {"http": 80, "https": 443}


class AppError(CacheError):
    """The app does not start, or gives no answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request without content: `url` is absolute, the names of `headers` are in lower case."""

    method: str
    url: str
    headers: tuple[Pair, ...]

    def scope(self, state: dict[str, Any]) -> dict[str, Any]:
        """Give it as ASGI has it."""
        parts = urlsplit(self.url)
        path = parts.path or "/"
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": parts.scheme,
            "path": unquote(path),
            "raw_path": path.encode("ascii"),
            "query_string": parts.query.encode("ascii"),
            "root_path": "",
            "headers": list(self.headers),
            "client": ("127.0.0.1", 50_000),
            "server": (parts.hostname, parts.port or _PORTS[parts.scheme]),
            "state": dict(state),
        }


@dataclass(slots=True)
class Answer:
    """What came back; times are seconds since 1970."""

    asked_at: float
    came_at: float = 0.0
    status: int = 0
    headers: list[Pair] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    seconds: float = 0.0
    raised: BaseException | None = None


def asked(method: str, url: str, headers: Sequence[str]) -> Asked:
    """Make a request of what was typed; `ConfigurationError` for what is none."""
    absolute = f"http://localhost{url}" if url.startswith("/") else url
    parts = urlsplit(absolute)
    if parts.scheme not in _PORTS or not parts.netloc or not absolute.isascii() or not absolute.isprintable():
        raise ConfigurationError(f"{url!r}: give a URL such as https://shop.example/products?page=2, or a path")
    pairs = [_pair(line) for line in headers]
    if not any(name == b"host" for name, _ in pairs):
        pairs.insert(0, (b"host", parts.netloc.rpartition("@")[2].encode("ascii")))
    return Asked(method.upper(), absolute, tuple(pairs))


def _pair(line: str) -> Pair:
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise ConfigurationError(f"{line!r}: give a header as 'Name: value'")
    try:
        return name.strip().lower().encode("ascii"), value.strip().encode("latin-1")
    except UnicodeEncodeError as wrong:
        raise ConfigurationError(f"{line!r} has letters that are not sent in a header") from wrong


@asynccontextmanager
async def running(app: App) -> AsyncIterator[dict[str, Any]]:
    """Start an app and stop it at the end; give the state that its lifespan yields. One without lifespan just runs."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message | None] = asyncio.Queue()
    state: dict[str, Any] = {}
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": state}

    async def live() -> None:
        try:
            await app(scope, inbox.get, outbox.put)
        finally:
            await outbox.put(None)

    task = asyncio.ensure_future(live())
    try:
        await inbox.put({"type": "lifespan.startup"})
        told = await outbox.get()
        if told is not None and told["type"] == "lifespan.startup.failed":
            raise AppError(f"the app does not start: {told.get('message', '').strip() or 'it does not say why'}")
        yield state
        if told is not None:
            await inbox.put({"type": "lifespan.shutdown"})
            await outbox.get()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)  # an app may be without lifespan, and raises then


async def answer(app: App, request: Asked, state: dict[str, Any]) -> Answer:
    """Send a request, and take what comes; an error of the app is noted beside what came before it."""
    found = Answer(time.time())
    started = time.perf_counter()
    ended = asyncio.Event()
    content = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if content:
            return content.pop()
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            found.came_at, found.status = time.time(), message["status"]
            found.headers = lowered(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            found.body += message.get("body", b"")
            if not message.get("more_body", False):
                ended.set()

    try:
        async with asyncio.timeout(PATIENCE):
            await app(request.scope(state), receive, send)
    except Exception as failure:  # noqa: BLE001  # whatever the app raises is what there is to tell
        found.raised = failure
    found.seconds = time.perf_counter() - started
    return found
