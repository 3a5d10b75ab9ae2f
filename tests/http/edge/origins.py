"""Apps that answer as a test says, behind a `CacheMiddleware`."""

import asyncio

from asynccache import CacheMiddleware
from asynccache.backends.local_cache import LocalMemCacheBackend
from asynccache.testing import FakeClock
from tests.http.serving import ask

FRESH = (b"cache-control", b"max-age=60")


def start(*headers, status=200, **more):
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def part(body=b"", *, more=False):
    return {"type": "http.response.body", "body": body, "more_body": more}


def whole(body=b"", *headers, status=200):
    """Give the messages of an answer that is complete."""
    return [start(*headers, status=status), part(body)]


def lines(**fields):
    """Give header lines: `cache_control="no-store"` is `cache-control: no-store`."""
    return [(name.replace("_", "-").encode(), str(value).encode()) for name, value in fields.items()]


class Origin:
    """An app; `calls` are the scopes of the requests that it got.

    `reply(scope, number)` gives what it sends: messages; an exception is raised, and what can be called is awaited.
    """

    def __init__(self, reply):
        self.calls = []
        self.running = 0
        self._reply = reply

    async def __call__(self, scope, receive, send):
        self.calls.append({**scope, "headers": list(scope["headers"])})
        self.running += 1
        try:
            for step in self._reply(scope, len(self.calls)):
                if isinstance(step, BaseException):
                    raise step
                if callable(step):
                    await step()
                else:
                    await send(dict(step))
        finally:
            self.running -= 1

    def sent(self, name, call=-1):
        """Give the lines of a field that it got with a request."""
        return [value.decode() for field, value in self.calls[call]["headers"] if field == name.encode()]


class Edge:
    """An app of which each answer says its number, behind a middleware whose clock stands still."""

    def __init__(self, reply=None, *headers, backend=None, **options):
        if reply is None:
            reply = lambda scope, number: whole(b"%d" % number, *(headers or (FRESH,)))  # noqa: E731
        self.clock = FakeClock(1_800_000_000.0)
        self.origin = Origin(reply)
        self.backend = LocalMemCacheBackend() if backend is None else backend
        self.app = CacheMiddleware(self.origin, self.backend, clock=self.clock, **options)

    @property
    def calls(self):
        return len(self.origin.calls)

    async def ask(self, path="/", **options):
        return await ask(self.app, path, **options)

    async def bodies(self, *paths, **options):
        return [(await self.ask(path, **options)).body for path in paths]

    async def is_stored(self, path="/", **options):
        """Tell whether the next request is a hit."""
        return (await self.ask(path, **options)).cache.startswith("hit")


class Held(Edge):
    """The same, where the app answers when it is let go."""

    def __init__(self, reply=None, *headers, **options):
        answer = reply or (lambda scope, number: whole(b"%d" % number, *(headers or (FRESH,))))
        self.go = asyncio.Event()
        super().__init__(lambda scope, number: [self.go.wait, *answer(scope, number)], **options)

    async def asked(self, count, path="/", **options):
        """Let so many ask, and wait until all that can happen has happened."""
        tasks = [asyncio.create_task(self.ask(path, **options)) for _ in range(count)]
        await settle()
        return tasks


async def settle():
    for _ in range(50):
        await asyncio.sleep(0)
