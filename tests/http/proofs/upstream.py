"""`CacheMiddleware` before an application that answers by a script and notes what it was asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from asynccache import CacheMiddleware
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock
from tests.http.proofs.dates import imf
from tests.http.proofs.messages import part, start
from tests.http.serving import ask

NOW = 1_800_000_000  # Fri, 15 Jan 2027 08:00:00 GMT


def pairs(fields):
    """Give header pairs of a dict, whose values may be lists of lines; `_` stands for `-`, capitals stay."""
    found = []
    for name, lines in fields.items():
        for line in lines if isinstance(lines, list) else [lines]:
            value = line if isinstance(line, bytes) else str(line).encode("latin-1")
            found.append((name.replace("_", "-").encode(), value))
    return found


@dataclass
class Said:
    """A prepared response; `delay` are seconds that it takes, `raises` what is raised instead."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    delay: float = 0
    raises: Exception | None = None


def said(status=200, body=b"one", *, delay=0, raises=None, length=True, **fields):
    """Prepare a response, with its Content-Length."""
    body = body if isinstance(body, bytes) else body.encode()
    measured = [(b"content-length", b"%d" % len(body))] if length and status not in {204, 304} else []
    return Said(status, [*pairs(fields), *measured], body, delay, raises)


@dataclass
class Asked:
    """A request that came through."""

    method: str
    path: str
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def lines(self, name):
        return [value.decode("latin-1") for found, value in self.headers if found.lower() == name.encode()]

    def header(self, name):
        lines = self.lines(name)
        return ", ".join(lines) if lines else None


@dataclass
class Site:
    """An upstream behind a cache; `answers` are given one after the other."""

    profile: str = "rfc9111"
    options: dict[str, Any] = field(default_factory=dict)
    answers: list[Said] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    clock: FakeClock = field(default_factory=lambda: FakeClock(NOW))
    make_backend: Callable[..., Any] = LocalMemCacheBackend

    def __post_init__(self):
        backend = self.make_backend(clock=self.clock)
        self.app = CacheMiddleware(self.answer, backend, profile=self.profile, clock=self.clock, **self.options)

    async def answer(self, scope, receive, send):
        """Be the upstream."""
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        query = scope["query_string"].decode("latin-1")
        path = (scope["raw_path"] or b"").decode("latin-1") + (f"?{query}" if query else "")
        self.asked.append(Asked(scope["method"], path, list(scope["headers"]), body))
        given = self.answers.pop(0) if self.answers else said(418, "nobody was to ask")
        self.clock.advance(given.delay)
        if given.raises is not None:
            raise given.raises
        await send(start(*given.headers, status=given.status))
        await send(part(b"" if scope["method"] == "HEAD" else given.body))

    async def __call__(self, method="GET", path="/", *, body=b"", host=b"h", scheme="http", **fields):
        """Ask through the cache."""
        headers = pairs(fields)
        if body:
            headers.append((b"content-length", b"%d" % len(body)))
        return await ask(self.app, path, method=method, headers=headers, body=body, host=host, scheme=scheme)

    async def after(self, *answers, method="GET", path="/", **fields):
        """Have these answers given, and ask once for the first of them."""
        self.answers = list(answers)
        return await self(method, path, **fields)

    def wait(self, seconds):
        self.clock.advance(seconds)

    def date(self, offset=0):
        """Give a date so many seconds from now."""
        return imf(self.clock() + offset)

    @property
    def count(self):
        return len(self.asked)

    async def reuses(self, method="GET", path="/", **fields):
        """Tell whether a request is answered without asking upstream."""
        count = self.count
        self.answers = self.answers or [said(200, "newer", cache_control="no-store")]
        await self(method, path, **fields)
        return self.count == count


async def failing(check, *tables):
    """Give the rows of a table, or of all combinations of several columns, for which a check does not hold."""
    rows = tables[0] if len(tables) == 1 else list(product(*tables))
    return [row for row in rows if not await check(*(row if isinstance(row, tuple) else (row,)))]


async def reused(*, waiting=0, request=None, first=None, profile="rfc9111", status=200, options=None, **fields):
    """Tell whether what came first is reused for a later request."""
    site = Site(profile, options or {})
    await site.after(said(status, **fields), **(first or {}))
    site.wait(waiting)
    return await site.reuses(**(request or {}))
