"""The same over a real server and real sockets: framing, a client that asks again on the same line, one that leaves."""

import asyncio
import socket
import threading

from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Mount, Route

from asynccache import CacheMiddleware
from tests.http.edge.origins import FRESH, Origin, part, start, whole
from tests.http.over_sockets import get, serving, talk


def test_hits_heads_ranges_and_304_are_framed_as_they_are():
    body = b"x" * 100_000
    origin = Origin(lambda *_: whole(body, FRESH, (b"etag", b'"a"'), (b"content-length", b"100000")))
    with serving(CacheMiddleware(Starlette(routes=[Mount("/", origin)]), "local")) as port:
        assert b"fwd=uri-miss; stored" in get(port)[0]
        head, got = get(port)
        assert (b"cache-status: asynccache; hit; ttl=" in head, got) == (True, body)
        head, got = get(port, "/", "HEAD")
        assert (b"content-length: 100000" in head, got) == (True, b"")
        head, got = get(port, "/", "GET", 'If-None-Match: "a"')
        assert (head.startswith(b"http/1.1 304"), b"content-length" in head, got) == (True, False, b"")
        head, got = get(port, "/", "GET", "Range: bytes=99998-")
        assert (head.startswith(b"http/1.1 206"), b"content-length: 2" in head, got) == (True, True, b"xx")
        assert len(origin.calls) == 1


def test_a_client_that_has_the_last_byte_and_asks_again_hits():
    origin = Origin(
        lambda *_: [
            start(FRESH, (b"content-length", b"4")),
            part(b"ab", more=True),
            part(b"cd", more=True),
            pause,
            part(),
        ]
    )

    async def pause():
        await asyncio.sleep(0.02)

    app = CacheMiddleware(Starlette(routes=[Mount("/", origin)]), "local")
    with serving(app) as port, socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        for told in (b"fwd=uri-miss", b"asynccache; hit"):
            line.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
            received = b""
            while not received.endswith(b"abcd"):
                received += line.recv(65536)
            assert told in received


def test_a_client_that_leaves_a_stream_leaves_nothing_and_fails_nobody():
    go, ended, calls = threading.Event(), threading.Event(), []

    async def page(request):
        calls.append(1)

        async def chunks():
            try:
                yield b"first "
                while not go.is_set():
                    await asyncio.sleep(0.01)
                yield b"last"
            finally:
                ended.set()

        return StreamingResponse(chunks(), headers={"cache-control": "max-age=60"})

    with serving(CacheMiddleware(Starlette(routes=[Route("/", page)]), "local")) as port:
        talk(port, "GET / HTTP/1.1\nHost: h", until=b"first ")
        assert ended.wait(10)
        go.set()
        assert b"last" in get(port)[1]
        head, body = get(port)
        assert b"asynccache; hit" in head
        assert b"last" in body
        assert len(calls) == 2
