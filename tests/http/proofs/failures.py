"""Answers that fail, are cut, odd or somebody's error; and those that only look like it (A10)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import PlainTextResponse

from tests.http.proofs.messages import part, sending, start

NEVER, ALWAYS, PERHAPS = "never stored", "stored", "stored or not"
ERRORS = [500, 501, 502, 503, 504, 505, 507, 511, 599]
REFUSALS = [400, 401, 402, 403, 404, 406, 407, 408, 409, 412, 416, 418, 421, 425, 429, 451]
UNSEEN = "an answer of an exception handler"  # which looks like any other to who only sees messages
LENGTH = (b"content-length", b"3")


@dataclass
class Vector:
    """One kind of answer.

    Args:
        name: what is odd about it.
        kept: whether it may answer somebody else.
        app: what answers; or `messages`, which it sends.
        error: what it raises in the end.
        early: what the handler raises.
        method: of the request.
        quits: the number of the message at which its client is gone; `cancels`: then the server cancels the request.
    """

    name: str
    kept: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    app: Callable[..., Any] | None = None
    error: BaseException | None = None
    early: BaseException | None = None
    method: str = "GET"
    quits: int | None = None
    cancels: bool = False

    def answering(self, calls):
        """Make the application, which notes its calls."""

        async def application(request):
            calls.append(self.name)
            if self.early is not None:
                raise type(self.early)(*self.early.args)
            return self.app or sending(*self.messages, error=self.error)

        return application


def refused():
    """Give answers that are complete, and nobody else's."""
    for status in [*ERRORS, *REFUSALS, 201, 202, 205, 226, 300, 302, 303, 307, 310]:
        yield Vector(f"status {status}", NEVER, [start(LENGTH, status=status), part(b"abc")])
    partial = start(LENGTH, (b"content-range", b"bytes 0-2/9"), status=206)
    yield Vector("206", NEVER, [partial, part(b"abc")])
    yield Vector("206 without its range", NEVER, [start(LENGTH, status=206), part(b"abc")])
    yield Vector("304 that nobody asked for", NEVER, [start((b"etag", b'"a"'), status=304), part()])
    yield Vector("a cookie", NEVER, [start((b"set-cookie", b"a=b")), part(b"abc")])
    yield Vector("a cookie in capitals", NEVER, [start((b"Set-Cookie", b"a=b")), part(b"abc")])
    yield Vector("no-store in capitals", NEVER, [start((b"CACHE-CONTROL", b"NO-STORE")), part(b"abc")])
    yield Vector("Vary: *", NEVER, [start((b"vary", b"a"), (b"Vary", b"b, *")), part(b"abc")])
    yield Vector("an event stream", NEVER, [start((b"content-type", b"text/event-stream")), part(b"data: 1\n\n")])
    yield Vector("a POST", NEVER, [start(LENGTH), part(b"abc")], method="POST")


def cut():
    """Give answers that are not as long as they say, or never end."""
    for length in [b"2", b"4", b"0", b"abc", b"-3", b"3.0", b"3, 4", b"+3", b""]:
        for parts in ([part(b"abc")], [part(b"a", more=True), part(b"bc")]):
            yield Vector(f"length {length!r} in {len(parts)}", NEVER, [start((b"content-length", length)), *parts])
    yield Vector("two lengths", NEVER, [start(LENGTH, (b"Content-Length", b"4")), part(b"abc")])
    yield Vector("no end", NEVER, [start(), part(b"abc", more=True)])
    yield Vector("no end, whole by its length", PERHAPS, [start(LENGTH), part(b"abc", more=True)])
    yield Vector("only a head", NEVER, [start()])
    yield Vector(
        "trailers", NEVER, [start(trailers=True), part(b"a"), {"type": "http.response.trailers", "headers": []}]
    )
    yield Vector("an unknown message", NEVER, [start(), part(b"a", more=True), {"type": "x.unknown"}, part(b"b")])
    yield Vector(
        "a file that the server sends", NEVER, [start(), {"type": "http.response.pathsend", "path": "/dev/null"}]
    )


def broken():
    """Give applications that fail."""
    late = RuntimeError("late")
    for early in [RuntimeError("early"), TimeoutError(), KeyError("k"), OSError("gone"), ExceptionGroup("g", [late])]:
        yield Vector(f"{type(early).__name__} of the handler", NEVER, early=early)
    yield Vector("an error before the head", NEVER, [], error=late)
    yield Vector("an error after the head", NEVER, [start()], error=late)
    yield Vector("an error in the body", NEVER, [start(), part(b"a", more=True)], error=late)
    yield Vector(
        "an error in a body that is whole by its length", PERHAPS, [start(LENGTH), part(b"abc", more=True)], error=late
    )
    yield Vector("an error in the background", ALWAYS, [start(LENGTH), part(b"abc")], error=late)
    yield Vector(UNSEEN, NEVER, app=sorry)
    yield Vector("cancelled by itself", NEVER, [start(), part(b"a", more=True)], error=asyncio.CancelledError())


async def sorry(scope, receive, send):
    try:
        raise KeyError("late")
    except KeyError:
        await PlainTextResponse("sorry")(scope, receive, send)


def left():
    """Give clients that go away."""
    for cancels in (False, True):
        how = "cancelled" if cancels else "gone"
        whole = [start(LENGTH), part(b"abc")]
        halves = [start(LENGTH), part(b"a", more=True), part(b"bc")]
        for number, kept in ((0, PERHAPS), (1, ALWAYS)):
            yield Vector(f"{how} at {number} of a whole", kept, whole, quits=number, cancels=cancels)
        for number, kept in ((0, NEVER), (1, NEVER), (2, ALWAYS)):
            yield Vector(f"{how} at {number} of halves", kept, halves, quits=number, cancels=cancels)


def fine():
    """Give answers that are as good as any other."""
    hint = {"type": "http.response.early_hint", "links": [b"</a>"]}
    yield Vector("early hints", ALWAYS, [hint, hint, start(LENGTH), part(b"abc")])
    yield Vector("nothing in it", ALWAYS, [start(), part()])
    yield Vector("nothing in it, and told", ALWAYS, [start((b"content-length", b"0")), part()])
    yield Vector("no content", ALWAYS, [start(status=204), part()])
    yield Vector("no headers", ALWAYS, [{"type": "http.response.start", "status": 200}, part(b"abc")])
    yield Vector("no body key", ALWAYS, [start(), {"type": "http.response.body"}])
    yield Vector("many parts", ALWAYS, [start(), *(part(b"a", more=True) for _ in range(50)), part(b"b")])
    yield Vector(
        "empty parts", ALWAYS, [start(LENGTH), part(more=True), part(b"abc", more=True), part(more=True), part()]
    )
    yield Vector("a bytearray", ALWAYS, [start(), part(bytearray(b"abc"))])
    yield Vector("chunks of its own", ALWAYS, [start((b"transfer-encoding", b"chunked")), part(b"abc")])
    yield Vector("301", ALWAYS, [start((b"location", b"/"), status=301), part()])
    yield Vector("a length of zeros", ALWAYS, [start((b"content-length", b"003")), part(b"abc")])


def all_vectors():
    return [*refused(), *cut(), *broken(), *left(), *fine()]
